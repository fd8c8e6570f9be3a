"""Variables, constants, placeholders and their names; what is made of nothing; values read and written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import backend as K


@pytest.fixture(autouse=True)
def fresh() -> Any:
    """Names and settings as at the start of a program."""
    K.reset_uids()
    yield
    K.set_floatx("float32")
    K.set_image_data_format("channels_last")
    K.reset_uids()


# leaves --------------------------------------------------------------------------------------------------------------


def test_a_variable_holds_floatx_unless_a_dtype_is_given() -> None:
    assert K.dtype(K.variable([1, 2])) == K.dtype(K.variable(np.zeros(2, "float64"))) == "float32"
    assert K.dtype(K.variable([1, 2], "int16")) == "int16" and K.dtype(K.variable(True, "bool")) == "bool"
    K.set_floatx("float64")
    assert K.dtype(K.variable(1.0)) == K.dtype(K.constant(1)) == K.dtype(K.zeros(2)) == "float64"


def test_a_variable_of_a_tensor_holds_its_value_now() -> None:
    x = K.variable([1.0, 2.0])
    doubled = K.variable(2 * x)
    K.set_value(x, [5.0, 5.0])
    assert K.get_value(doubled).tolist() == [2, 4] and K.is_variable(doubled)


def test_a_variable_keeps_its_constraint() -> None:
    assert K.variable(0.0, constraint=abs).constraint is abs


@pytest.mark.parametrize(("value", "dtype"), [("", "unsupported"), ("one", None), (None, None), ([1, "two"], None)])
def test_what_is_no_variable_is_a_type_error(value: Any, dtype: Any) -> None:
    with pytest.raises(TypeError):
        K.variable(value, dtype=dtype)


def test_constants_fill_a_shape_or_are_laid_out_in_it() -> None:
    assert K.eval(K.constant(2, shape=(2, 1))).tolist() == [[2], [2]]
    assert K.eval(K.constant([1, 2, 3, 4], "int32", (2, 2))).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="3 numbers do not fill"):
        K.constant([1, 2, 3], shape=(2, 2))


def test_placeholders() -> None:
    x = K.placeholder((None, 3), name="x")
    assert (K.int_shape(x), K.dtype(x), x.name) == ((None, 3), "float32", "x")
    assert K.int_shape(K.placeholder(ndim=3, dtype="int32")) == (None, None, None)
    with pytest.raises(ValueError, match="shape"):
        K.placeholder()


def test_what_a_thing_is() -> None:
    x, v, c = K.placeholder((2,)), K.variable(1.0), K.constant(1.0)
    assert [K.is_placeholder(t) for t in (x, v, c, 1)] == [True, False, False, False]
    assert [K.is_variable(t) for t in (x, v, c, None)] == [False, True, False, False]
    assert [K.is_tensor(t) for t in (x, v, c, x + v, np.ones(2), print)] == [True, True, True, True, False, False]
    assert not K.is_keras_tensor(x)
    x._keras_history = ()
    assert K.is_keras_tensor(x)
    with pytest.raises(ValueError, match="an array float64"):
        K.is_keras_tensor(np.ones(2))


def test_what_is_known_of_a_tensor() -> None:
    v = K.zeros((2, 3))
    assert (K.count_params(v), K.ndim(v), K.int_shape(v), K.get_variable_shape(v)) == (6, 2, (2, 3), (2, 3))
    v._keras_shape = (None, 3)
    assert K.int_shape(v) == (None, 3)
    with pytest.raises(ValueError, match="not known"):
        K.count_params(K.placeholder((None, 3)))


# names ---------------------------------------------------------------------------------------------------------------


def test_uids_begin_at_1_for_each_prefix() -> None:
    assert [K.get_uid("dense"), K.get_uid("dense"), K.get_uid(), K.get_uid("conv")] == [1, 2, 1, 1]
    K.reset_uids()
    assert K.get_uid("dense") == 1


def test_names_of_variables_are_unique_and_stand_in_their_scope() -> None:
    names = [K.variable(0.0, name=name).name for name in ("w", "w", "w_1", "w")]
    assert names == ["w", "w_1", "w_1_1", "w_2"]
    with K.name_scope("model") as prefix, K.name_scope("dense"):
        assert prefix == "model/"
        assert K.zeros((2,), name="bias").name == "model/dense/bias"
        assert K.placeholder((2,), name="x").name == K.constant(1.0, name="x").name == "model/dense/x"
    assert K.variable(0.0, name="bias").name == "bias"
    assert K.identity(K.variable(0.0), name="copy").name == "copy"


def test_a_scope_ends_with_an_error_too() -> None:
    with pytest.raises(ZeroDivisionError), K.name_scope("a"):
        raise ZeroDivisionError
    assert K.variable(0.0, name="b").name == "b"


# made of nothing -----------------------------------------------------------------------------------------------------


def test_zeros_and_ones_are_variables() -> None:
    zeros, ones = K.zeros((2, 3)), K.ones([2], "int32", "n")
    assert K.is_variable(zeros) and K.is_variable(ones) and ones.name == "n"
    assert K.eval(zeros).tolist() == [[0, 0, 0]] * 2 and K.eval(ones).tolist() == [1, 1]
    assert K.eval(K.zeros(())) == 0 and K.eval(K.ones((0, 2))).shape == (0, 2)


def test_of_a_shape_not_known_yet_they_are_expressions() -> None:
    x = K.placeholder((None, 3))
    tensors = [K.zeros((K.shape(x)[0], 2)), K.ones(K.shape(x)), K.random_normal((K.shape(x)[0], 3))]
    assert not any(map(K.is_variable, tensors))
    assert [value.shape for value in K.function([x], tensors)([np.ones((4, 3))])] == [(4, 2), (4, 3), (4, 3)]


def test_an_unknown_size_needs_a_source() -> None:
    with pytest.raises(ValueError, match="None"):
        K.zeros((None, 3))


def test_eye() -> None:
    np.testing.assert_array_equal(K.eval(K.eye(3)), np.eye(3))
    np.testing.assert_array_equal(K.eval(K.eye((2, 3), "int32")), np.eye(2, 3))


@pytest.mark.parametrize("bounds", [(5,), (-3,), (2, 7), (2, 8, 3), (8, 2, -2), (0, 1, 0.25)])
def test_arange(bounds: tuple[Any, ...]) -> None:
    dtype = "float32" if len(bounds) == 3 and bounds[2] == 0.25 else "int32"
    result = K.eval(K.arange(*bounds, dtype=dtype))
    assert result.tolist() == np.arange(*bounds).tolist() and result.dtype == dtype


@pytest.mark.parametrize(("bounds", "expected"), [
    (lambda n: (n,), [0, 1, 2, 3]),
    (lambda n: (1, n), [1, 2, 3]),
    (lambda n: (n, 9, 2), [4, 6, 8]),
    (lambda n: (n, 0, -3), [4, 1]),
    (lambda n: (n - 9,), []),
])  # fmt: skip
def test_arange_of_a_size_not_known_yet(bounds: Any, expected: list[int]) -> None:
    x = K.placeholder((None,))
    (result,) = K.function([x], [K.arange(*bounds(K.shape(x)[0]))])([np.ones(4)])
    assert result.tolist() == expected and result.dtype == np.int32


def test_random_variables_follow_their_seed() -> None:
    one, same, other = [K.get_value(K.random_normal_variable((50, 50), 1, 2, seed=seed)) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(one, same)
    assert (one != other).all() and abs(one.mean() - 1) < 0.2 and abs(one.std() - 2) < 0.2
    uniform = K.get_value(K.random_uniform_variable((50, 50), -1, 3, "float64"))
    assert uniform.dtype == np.float64 and -1 <= uniform.min() < -0.9 and 2.9 < uniform.max() < 3


def test_numpy_seeds_random_variables_without_a_seed() -> None:
    values = []
    for _ in range(2):
        np.random.seed(1)
        values.append(K.get_value(K.random_uniform_variable((3,), 0, 1)))
    np.testing.assert_array_equal(*values)


# values --------------------------------------------------------------------------------------------------------------


def test_values_are_read_and_written() -> None:
    x, y = K.variable([1.0, 2.0]), K.variable(3.0)
    K.set_value(x, [4, 5])
    K.batch_set_value([(x, K.get_value(x) + 1), (y, 7.0)])
    a, b = K.batch_get_value([x, y])
    assert a.tolist() == [5, 6] and b == 7 and a.dtype == np.float32
    a[:] = 0
    assert K.get_value(x).tolist() == [5, 6]
    assert K.batch_get_value([]) == []


@pytest.mark.parametrize("bad", [np.ones(3), np.ones(2, complex), None])
def test_values_are_written_all_or_none(bad: Any) -> None:
    x, y = K.variable([1.0, 2.0]), K.variable([3.0, 4.0])
    with pytest.raises((ValueError, TypeError)):
        K.batch_set_value([(x, np.zeros(2)), (y, bad)])
    with pytest.raises((ValueError, TypeError)):
        K.set_value(y, bad)
    assert [v.tolist() for v in K.batch_get_value([x, y])] == [[1, 2], [3, 4]]


def test_only_variables_hold_values() -> None:
    with pytest.raises(TypeError, match="no variable"):
        K.get_value(K.variable(1.0) + 1)
    with pytest.raises(TypeError, match="no variable"):
        K.set_value(np.ones(2), 1)


def test_eval_of_numbers_expressions_and_updates() -> None:
    x = K.variable([1.0, 2.0])
    assert K.eval(2.5) == 2.5 and K.eval([1, 2]).tolist() == [1, 2] and K.eval(x + 1).tolist() == [2, 3]
    assert K.eval(K.update_add(x, [1.0, 1.0])).tolist() == [2, 3] and K.get_value(x).tolist() == [2, 3]
    assert K.eval(K.update_sub(x, 2.0)).tolist() == [0, 1] and K.eval(K.update(x, [7, 8])).tolist() == [7, 8]


def test_eval_names_the_placeholder_without_a_value() -> None:
    x = K.placeholder((2,), name="x")
    with pytest.raises(ValueError, match=r"needs placeholder 'x'.*\n.*\n.*K\.function\(\[x\], \[y\]\)\(\[value\]\)"):
        K.eval(K.identity(x, name="y"))


# settings ------------------------------------------------------------------------------------------------------------


def test_decorators_of_keras_leave_functions_alone() -> None:
    assert K.symbolic(len) is len and K.eager(len) is len


def test_variables_are_initialized_from_the_start() -> None:
    K.manual_variable_initialization(True)
    assert K.eval(K.ones((1,))) == 1
    with pytest.raises(TypeError):
        K.manual_variable_initialization("yes")


def test_settings() -> None:
    assert (K.backend(), K.floatx(), K.epsilon(), K.image_data_format()) == ("autograph", "float32", 1e-7, "channels_last")
    K.set_floatx("float16")
    assert K.cast_to_floatx([1, 2]).dtype == np.float16
    assert K.normalize_data_format(None) == "channels_last" and K.normalize_data_format("Channels_First") == "channels_first"
    for bad in (lambda: K.normalize_data_format("channels_middle"), lambda: K.set_floatx("float128"), lambda: K.set_epsilon(0)):
        with pytest.raises(ValueError):
            bad()
