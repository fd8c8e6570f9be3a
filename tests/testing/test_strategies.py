"""The strategies: arrays by a spec, updates, prepared functions, and a property in a line."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

import autograph as ag
from autograph.testing import GradientError, functions, gradient_property, graphs, tensors, updates
from autograph.testing.strategies import Prepared
from tests.ticking import tick

few = settings(max_examples=25)

# tensors -------------------------------------------------------------------------------------------------------------


@given(tensors("float64[?, 3]"))
def test_a_question_mark_is_any_size(x: np.ndarray) -> None:
    assert (x.dtype, x.ndim, x.shape[1]) == (np.float64, 2, 3)
    assert np.all(np.abs(x) <= 2)


@given(tensors("float32[n, 2, n]"))
def test_a_name_is_one_size(x: np.ndarray) -> None:
    assert x.dtype == np.float32
    assert x.shape[0] == x.shape[2]


@given(tensors("int64[...]", low=-3, high=7), tensors("bool[2]"), tensors("float16[]"))
def test_every_kind_of_dtype_and_rank(x: np.ndarray, b: np.ndarray, h: np.ndarray) -> None:
    assert (x.dtype, b.dtype, h.dtype) == (np.int64, np.bool_, np.float16)
    assert (b.shape, h.shape) == ((2,), ())
    assert np.all((x >= -3) & (x <= 7))


@given(tensors("float64[?, ?]", away_from=(0, 1)))
def test_elements_keep_away_from_points(x: np.ndarray) -> None:
    assert np.all(np.abs(x) >= 0.19)
    assert np.all(np.abs(x - 1) >= 0.19)


@given(tensors("float64[?, ?]", distinct=True, away_from=0))
def test_distinct_elements_differ_by_more_than_a_small_step(x: np.ndarray) -> None:
    assert np.min(np.diff(np.sort(x.ravel())), initial=1.0) > 5e-3


@given(tensors("float64[3]", elements=st.sampled_from((1.0, 2.0))))
def test_elements_may_be_given(x: np.ndarray) -> None:
    assert set(x) <= {1.0, 2.0}


@given(tensors("float64[?]", low=0.5, high=0.75))
def test_no_subnormal_numbers_come(x: np.ndarray) -> None:
    assert np.all((x >= 0.5) & (x <= 0.75))


def test_empty_arrays_come_where_asked_for() -> None:
    assert find(tensors("float64[?, 2]", sides=(0, 3)), lambda x: not x.size).shape == (0, 2)


def test_a_failing_array_shrinks_to_something_simple() -> None:
    found = find(tensors("float64[?, ?]"), lambda x: bool(np.any(x > 1)))
    assert found.size == 1
    assert found[0, 0] in (2.0, np.nextafter(1.0, 2))


@pytest.mark.parametrize("spec", ["float64", "float64[", "float64[-1]", "[2]", "float64[2; 3]", "float64[1.5]"])
def test_a_spec_that_says_nothing_is_refused(spec: str) -> None:
    with pytest.raises(ag.ArgumentError):
        tensors(spec)


def test_a_dtype_that_is_none_is_refused() -> None:
    with pytest.raises(ag.DTypeError, match="did you mean 'float32'"):
        tensors("flaot32[2]")


def test_a_range_with_nothing_left_is_refused() -> None:
    with pytest.raises(ag.ArgumentError, match="nothing is left"):
        find(tensors("float64[2]", low=0, high=1, away_from=np.linspace(0, 1, 21)), lambda x: True)


# a property in a line ------------------------------------------------------------------------------------------------

test_matmul = gradient_property(ag.matmul, "(m,n),(n,k)->(m,k)", order=2)
test_multiply = gradient_property(ag.multiply, "(),()->()")
test_sort = gradient_property(ag.sort, "(n)->(n)", distinct=True)
test_relu = gradient_property(ag.relu, "()->()")
test_batches = gradient_property(ag.matmul, "(m,n),(n,k)->(m,k)", batch=2)


def test_a_wrong_rule_fails_with_the_smallest_case() -> None:
    wrong = ag.custom_op("wrong", np.tanh, lambda g, y, x: (1.01 * g * (1 - y * y),))
    check = gradient_property(wrong, "()->()", settings=settings(max_examples=10, phases=[Phase.generate, Phase.shrink]))
    with pytest.raises(GradientError, match=r"1 of 1 elements differ[\s\S]*everywhere 1.01 ×") as caught:
        check()
    assert "check_gradients(wrong, np.array(0.0))" in caught.value.__notes__


# updates and functions -----------------------------------------------------------------------------------------------


@few
@given(updates())
def test_updates_are_updates_of_fresh_registers(u: ag.Updates) -> None:
    assert isinstance(u, ag.Updates)
    assert len(set(u.registers)) == len(u.registers)
    before = [register.get_value() for register in u.registers]
    tick(u)
    assert all(np.all(np.isfinite(register.get_value())) for register in u.registers)
    for register, value in zip(u.registers, before, strict=True):
        register.set_value(value)


@few
@given(updates(), updates())
def test_the_order_of_a_sum_of_updates_means_nothing(a: ag.Updates, b: ag.Updates) -> None:
    registers = [*a.registers, *b.registers]
    before = [r.get_value() for r in registers]
    tick(a + b)
    first = [r.get_value() for r in registers]
    for r, value in zip(registers, before, strict=True):
        r.set_value(value)
    tick(b + a)
    for r, value in zip(registers, first, strict=True):
        np.testing.assert_array_equal(r.get_value(), value)


@settings(max_examples=10)
@given(functions(graphs(nodes=(5, 30))))
def test_functions_run(prepared: Prepared) -> None:
    results = prepared()
    assert len(results) == len(prepared.graph.outputs)
    assert np.isfinite(results[-1])


def test_the_time_of_preparing_counts_against_no_deadline() -> None:
    def slow(graph: Any) -> Any:
        time.sleep(0.2)
        return graph

    @settings(max_examples=3, deadline=100, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
    @given(functions(graphs(nodes=(5, 10)).map(slow)))
    def calls(prepared: Prepared) -> None:
        prepared()

    calls()


# what is loaded when -------------------------------------------------------------------------------------------------


def test_checking_gradients_loads_no_hypothesis() -> None:
    code = (
        "import sys, numpy as np, autograph as ag; from autograph.testing import check_gradients; "
        "check_gradients(ag.tanh, np.ones(3)); assert 'hypothesis' not in sys.modules; "
        "from autograph.testing import graphs; assert 'hypothesis' in sys.modules; assert callable(graphs)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_names_are_what_the_package_says() -> None:
    from autograph import testing

    assert all(hasattr(testing, name) for name in testing.__all__)
    assert dir(testing) == sorted(testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        testing.nonsense
