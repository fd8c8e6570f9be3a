"""The public names: sorted, present, documented."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

import autograph
from autograph import backend

# Names of `keras/backend/__init__.py` (Keras 2.3.1) that come with convolutions, recurrence, CTC and sparse tensors.
KERAS = frozenset(re.findall(r"\w+", """
abs all any arange argmax argmin backend batch_dot batch_flatten batch_get_value batch_normalization batch_set_value
bias_add binary_crossentropy cast cast_to_floatx categorical_crossentropy clip concatenate constant
control_dependencies conv1d conv2d conv2d_transpose conv3d conv3d_transpose cos count_params ctc_batch_cost ctc_decode
ctc_label_dense_to_sparse cumprod cumsum depthwise_conv2d dot dropout dtype eager elu epsilon equal eval exp
expand_dims eye flatten floatx foldl foldr function gather get_uid get_value gradients greater greater_equal
hard_sigmoid identity image_data_format in_test_phase in_top_k in_train_phase int_shape is_keras_tensor is_placeholder
is_sparse is_tensor is_variable l2_normalize learning_phase less less_equal local_conv1d local_conv2d log logsumexp
map_fn max maximum mean min minimum moving_average_update name_scope ndim normalize_batch_in_training
normalize_data_format not_equal one_hot ones ones_like permute_dimensions placeholder pool2d pool3d pow print_tensor
prod random_binomial random_normal random_normal_variable random_uniform random_uniform_variable relu repeat
repeat_elements reset_uids reshape resize_images resize_volumes reverse rnn round separable_conv1d separable_conv2d
set_epsilon set_floatx set_image_data_format set_learning_phase set_value shape sigmoid sign sin size slice softmax
softplus softsign sparse_categorical_crossentropy spatial_2d_padding spatial_3d_padding sqrt square squeeze stack std
stop_gradient sum switch symbolic tanh temporal_padding tile to_dense transpose truncated_normal update update_add
update_sub var variable zeros zeros_like
"""))  # fmt: skip


@pytest.mark.parametrize("module", [autograph, backend], ids=lambda module: module.__name__)
def test_all_is_sorted_and_everything_in_it_exists_and_is_documented(module: object) -> None:
    names = module.__all__  # type: ignore[attr-defined]
    assert names == sorted(set(names))
    undocumented = [name for name in names if not (inspect.getdoc(getattr(module, name)) or "").strip()]
    assert not undocumented


@pytest.mark.parametrize("module", [autograph, backend], ids=lambda module: module.__name__)
def test_nothing_public_is_left_out_of_all(module: object) -> None:
    modules = {name for name, value in vars(module).items() if inspect.ismodule(value)}
    found = {name for name in vars(module) if not name.startswith("_")} - modules - {"annotations"}
    assert found == set(module.__all__) - modules  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [n for n in autograph.__all__ if callable(getattr(autograph, n))])
def test_every_signature_can_be_read(name: str) -> None:
    inspect.signature(getattr(autograph, name))


def test_the_vocabulary_is_that_of_keras() -> None:
    assert set(backend.__all__) >= KERAS


@pytest.mark.parametrize(("name", "parameters"), [
    ("variable", "value dtype name constraint"), ("constant", "value dtype shape name"),
    ("placeholder", "shape ndim dtype sparse name"), ("zeros", "shape dtype name"), ("zeros_like", "x dtype name"),
    ("eye", "size dtype name"), ("arange", "start stop step dtype"),
    ("random_normal_variable", "shape mean scale dtype name seed"),
    ("random_uniform_variable", "shape low high dtype name seed"), ("count_params", "x"), ("cast", "x dtype"),
    ("update", "x new_x"), ("update_add", "x increment"), ("update_sub", "x decrement"),
    ("moving_average_update", "x value momentum"), ("dot", "x y"), ("batch_dot", "x y axes"), ("gather", "reference indices"),
    ("max", "x axis keepdims"), ("argmax", "x axis"), ("cumsum", "x axis"), ("logsumexp", "x axis keepdims"), ("pow", "x a"),
    ("clip", "x min_value max_value"), ("normalize_batch_in_training", "x gamma beta reduction_axes epsilon"),
    ("batch_normalization", "x mean var beta gamma axis epsilon"), ("concatenate", "tensors axis"), ("reshape", "x shape"),
    ("permute_dimensions", "x pattern"), ("repeat_elements", "x rep axis"), ("repeat", "x n"), ("tile", "x n"),
    ("resize_images", "x height_factor width_factor data_format interpolation"), ("stack", "x axis"),
    ("spatial_2d_padding", "x padding data_format"), ("one_hot", "indices num_classes"), ("reverse", "x axes"),
    ("slice", "x start size"), ("batch_get_value", "ops"), ("batch_set_value", "tuples"), ("get_uid", "prefix"),
    ("function", "inputs outputs updates kwargs"), ("gradients", "loss variables"), ("stop_gradient", "variables"),
    ("switch", "condition then_expression else_expression"), ("in_train_phase", "x alt training"),
    ("relu", "x alpha max_value threshold"), ("elu", "x alpha"), ("softmax", "x axis"), ("in_top_k", "predictions targets k"),
    ("categorical_crossentropy", "target output from_logits axis"), ("binary_crossentropy", "target output from_logits"),
    ("sparse_categorical_crossentropy", "target output from_logits axis"), ("dropout", "x level noise_shape seed"),
    ("l2_normalize", "x axis"), ("bias_add", "x bias data_format"), ("random_normal", "shape mean stddev dtype seed"),
    ("random_uniform", "shape minval maxval dtype seed"), ("random_binomial", "shape p dtype seed"),
    ("truncated_normal", "shape mean stddev dtype seed"), ("name_scope", "name"), ("set_value", "x value"),
    ("conv1d", "x kernel strides padding data_format dilation_rate"),
    ("conv2d", "x kernel strides padding data_format dilation_rate"),
    ("conv3d", "x kernel strides padding data_format dilation_rate"),
    ("conv2d_transpose", "x kernel output_shape strides padding data_format dilation_rate"),
    ("conv3d_transpose", "x kernel output_shape strides padding data_format"),
    ("separable_conv1d", "x depthwise_kernel pointwise_kernel strides padding data_format dilation_rate"),
    ("separable_conv2d", "x depthwise_kernel pointwise_kernel strides padding data_format dilation_rate"),
    ("depthwise_conv2d", "x depthwise_kernel strides padding data_format dilation_rate"),
    ("pool2d", "x pool_size strides padding data_format pool_mode"),
    ("pool3d", "x pool_size strides padding data_format pool_mode"),
    ("local_conv1d", "inputs kernel kernel_size strides data_format"),
    ("local_conv2d", "inputs kernel kernel_size strides output_shape data_format"),
])  # fmt: skip
def test_arguments_are_those_of_keras_in_their_order(name: str, parameters: str) -> None:
    assert list(inspect.signature(getattr(backend, name)).parameters) == parameters.split()


def test_submodules_are_found_beside_functions_of_the_same_name() -> None:
    assert importlib.import_module("autograph.gradients").gradients is autograph.gradients
    assert importlib.import_module("autograph.function").function is autograph.function
