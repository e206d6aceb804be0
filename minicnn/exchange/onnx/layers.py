"""The ONNX nodes of each family of layers: one function per family, which takes x and returns y.

Each is inference only: dropout and data augmentation add no node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ... import layers
from ...backends import to_host
from ...backends.geometry import pad_amounts
from ...errors import explain
from ...layers import Layer
from ...parameters import Parameter
from .graph import Graph, Tensor

Exporter = Callable[[Graph, Any, Any], Tensor]

EXPORTERS: dict[type[Layer], Exporter] = {}
"""The function that exports a layer, by the layer's class."""


def exporter_of(layer: Layer) -> Exporter:
    """The function that exports the layer. Raises ValueError if there is none, naming the layers that can be exported.

    A subclass of a layer may compute something else, and so may a layer whose `call` was replaced.
    """
    exporter = EXPORTERS.get(type(layer))
    if exporter is None or vars(layer).keys() & {"call", "forward"}:
        known = ", ".join(sorted(cls.__name__ for cls in EXPORTERS))
        expected = "a layer that ONNX can express"
        found = "one with a replaced call" if exporter else f"a {type(layer).__name__} of {type(layer).__module__}"
        raise ValueError(explain(f"export_onnx, {layer}", expected, found, f"These can be exported: {known}."))
    return exporter


def exports(*classes: type[Layer]) -> Callable[[Exporter], Exporter]:
    """Mark a function as the exporter of these layers."""

    def mark(function: Exporter) -> Exporter:
        EXPORTERS.update(dict.fromkeys(classes, function))
        return function

    return mark


@exports(layers.Conv1D, layers.Conv2D)
def convolution(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """Conv, and its activation."""
    y = _conv(graph, layer, x, layer.kernel, layer.bias, group=layer.groups)
    return activate(graph, layer, y)


@exports(layers.DepthwiseConv2D)
def depthwise_convolution(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """Conv with a group for each channel."""
    y = _depthwise(graph, layer, x, layer.kernel, layer.bias)
    return activate(graph, layer, y)


@exports(layers.SeparableConv2D)
def separable_convolution(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """A depthwise Conv, then one with a window of 1 × 1."""
    z = _depthwise(graph, layer, x, layer.depthwise_kernel, None)
    weights = _conv_weights(graph, layer.pointwise_kernel, layer.bias)
    return activate(graph, layer, replace(z, name=graph.node("Conv", z.name, *weights)))


def _conv(graph: Graph, layer: Any, x: Tensor, kernel: Any, bias: Any, group: int) -> Tensor:
    x = graph.channels_first(x)
    attributes = {**_window(graph, layer), "group": group, "dilations": layer.dilation_rate}
    return replace(x, name=graph.node("Conv", x.name, *_conv_weights(graph, kernel, bias), **attributes))


def _depthwise(graph: Graph, layer: Any, x: Tensor, kernel: Any, bias: Any) -> Tensor:
    """A Conv of C groups: the kernel (KH, KW, C, M) becomes (KH, KW, 1, C · M)."""
    KH, KW, C, M = kernel.value.shape
    flat = Parameter(kernel.name, to_host(kernel.value).reshape(KH, KW, 1, C * M))
    return _conv(graph, layer, x, flat, bias, group=C)


def _conv_weights(graph: Graph, kernel: Any, bias: Any) -> list[str]:
    """The constants: ONNX's kernel is (F, C, KH, KW), minicnn's is (KH, KW, C, F)."""
    array = np.moveaxis(to_host(kernel.value), (-1, -2), (0, 1))
    constants = [graph.constant(kernel.name.rpartition("/")[2], array)]
    return constants + ([graph.constant("bias", bias.value)] if bias else [])


@exports(layers.MaxPooling1D, layers.MaxPooling2D)
def max_pooling(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    x = graph.channels_first(x)
    return replace(x, name=graph.node("MaxPool", x.name, **_window(graph, layer)))


@exports(layers.AveragePooling1D, layers.AveragePooling2D)
def average_pooling(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """AveragePool; padding does not count."""
    x = graph.channels_first(x)
    return replace(x, name=graph.node("AveragePool", x.name, count_include_pad=0, **_window(graph, layer)))


GLOBAL_POOLING = {
    layers.GlobalAveragePooling1D: "GlobalAveragePool",
    layers.GlobalAveragePooling2D: "GlobalAveragePool",
    layers.GlobalMaxPooling1D: "GlobalMaxPool",
    layers.GlobalMaxPooling2D: "GlobalMaxPool",
}


@exports(*GLOBAL_POOLING)
def global_pooling(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """ONNX's result is (N, C, 1, 1); without keepdims it becomes (N, C)."""
    x = graph.channels_first(x)
    y = replace(x, name=graph.node(GLOBAL_POOLING[type(layer)], x.name))
    return y if layer.keepdims else Tensor(graph.node("Flatten", y.name, axis=1), rank=2)


@exports(layers.Dense)
def dense(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """Gemm for (N, C); MatMul and Add for more axes, of which the last one is multiplied."""
    x = graph.channels_last(x)
    kernel = graph.constant("kernel", layer.kernel.value)
    bias = [graph.constant("bias", layer.bias.value)] if layer.bias else []
    if x.rank == 2:
        y = graph.node("Gemm", x.name, kernel, *bias)
    else:
        y = graph.node("MatMul", x.name, kernel)
        y = graph.node("Add", y, *bias) if bias else y
    return activate(graph, layer, replace(x, name=y))


@exports(layers.BatchNormalization)
def batch_normalization(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """BatchNormalization over axis 1, which any other `axis` is moved to."""
    axis = layer.axis % x.rank
    if axis == x.rank - 1:
        x = graph.channels_first(x)
        return replace(x, name=_batch_norm(graph, layer, x.name))
    x = graph.channels_last(x)
    order = list(range(x.rank))
    order[1], order[axis] = order[axis], order[1]
    moved = x.name if axis == 1 else graph.node("Transpose", x.name, perm=order)
    y = _batch_norm(graph, layer, moved)
    return replace(x, name=y if axis == 1 else graph.node("Transpose", y, perm=order))


def _batch_norm(graph: Graph, layer: Any, x: str) -> str:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = [graph.constant(name, getattr(layer, name).value) for name in names]
    return graph.node("BatchNormalization", x, *weights, epsilon=layer.epsilon)


@exports(layers.Flatten)
def flatten(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """Flatten in minicnn's order, the channels last."""
    return Tensor(graph.node("Flatten", graph.channels_last(x).name, axis=1), rank=2)


@exports(layers.LayerNormalization)
def layer_normalization(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """LayerNormalization over the last axis."""
    x = graph.channels_last(x)
    gamma, beta = _scale_and_shift(graph, layer, x.rank - 1)
    return replace(x, name=graph.node("LayerNormalization", x.name, gamma, beta, axis=-1, epsilon=layer.epsilon))


@exports(layers.GroupNormalization)
def group_normalization(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """(N, C, …) as (N, groups, rest), each group normalised by InstanceNormalization; then gamma and beta."""
    C = layer.input_shape[-1]
    groups = C if layer.groups == -1 else layer.groups
    x = graph.channels_first(x)
    grouped = graph.node("Reshape", x.name, graph.constant("groups", np.array([0, groups, -1])))
    ones, zeros = (graph.constant(name, np.full(groups, value)) for name, value in (("ones", 1.0), ("zeros", 0.0)))
    y = graph.node("InstanceNormalization", grouped, ones, zeros, epsilon=layer.epsilon)
    y = graph.node("Reshape", y, graph.node("Shape", x.name))
    gamma, beta = _scale_and_shift(graph, layer, x.channel_axis, x.rank)
    return replace(x, name=graph.node("Add", graph.node("Mul", y, gamma), beta))


def _scale_and_shift(graph: Graph, layer: Any, axis: int, rank: int | None = None) -> tuple[str, str]:
    """The constants gamma and beta, 1 and 0 where the layer has none; with a rank, broadcast along all but `axis`."""
    C = layer.input_shape[-1]
    shape = [C] if rank is None else [C if index == axis else 1 for index in range(rank)]
    gamma = to_host(layer.gamma.value) if layer.gamma else np.ones(C)
    beta = to_host(layer.beta.value) if layer.beta else np.zeros(C)
    return graph.constant("gamma", gamma.reshape(shape)), graph.constant("beta", beta.reshape(shape))


@exports(layers.Reshape)
def reshape(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """Reshape in minicnn's order, the channels last; a length of 0 keeps the batch axis."""
    shape = graph.constant("shape", np.array([0, *layer.target_shape]))
    return Tensor(graph.node("Reshape", graph.channels_last(x).name, shape), rank=1 + len(layer.target_shape))


@exports(layers.Permute)
def permute(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    return Tensor(graph.node("Transpose", graph.channels_last(x).name, perm=[0, *layer.dims]), x.rank)


@exports(layers.Rescaling)
def rescaling(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    scaled = graph.node("Mul", x.name, graph.constant("scale", np.array(layer.scale)))
    return replace(x, name=graph.node("Add", scaled, graph.constant("offset", np.array(layer.offset))))


@exports(layers.Cropping1D, layers.Cropping2D, layers.ZeroPadding1D, layers.ZeroPadding2D)
def border(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """Pad; negative amounts cut off."""
    x = graph.channels_first(x)
    before, after = zip(*layer.border, strict=True)
    amounts = graph.constant("border", np.array([0, 0, *before, 0, 0, *after]))
    return replace(x, name=graph.node("Pad", x.name, amounts))


@exports(layers.UpSampling1D, layers.UpSampling2D)
def up_sampling(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """Resize: each output pixel takes the input pixel that it lies in, or a mean of those around its centre."""
    x = graph.channels_first(x)
    scales = graph.constant("size", np.array([1.0, 1.0, *layer.size]))
    way = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    if layer.interpolation == "bilinear":
        way = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return replace(x, name=graph.node("Resize", x.name, "", scales, **way))


@exports(
    layers.Dropout,
    layers.GaussianNoise,
    layers.RandomErasing,
    layers.RandomFlip,
    layers.RandomTranslation,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
)
def random_in_training(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """Nothing: in inference y = x."""
    return x


@exports(layers.Activation)
def activation(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    return activate(graph, layer, x)


@exports(layers.ELU)
def elu(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    return _curve(graph, x, "elu", layer.alpha)


@exports(layers.Softmax)
def softmax(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    x = graph.channels_last(x)
    return replace(x, name=graph.node("Softmax", x.name, axis=layer.axis))


@exports(layers.LeakyReLU, layers.ReLU)
def general_relu(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """Relu, Clip or LeakyRelu; with a threshold, where(x > threshold, x, slope · (x − threshold)), then Min."""
    slope, limit, threshold = layer.negative_slope, layer.max_value, layer.threshold
    if threshold:
        edge = graph.constant("threshold", np.array(threshold))
        scale = graph.constant("negative_slope", np.array(slope))
        below = graph.node("Mul", graph.node("Sub", x.name, edge), scale)
        y = graph.node("Where", graph.node("Greater", x.name, edge), x.name, below)
    else:
        y = graph.node("LeakyRelu", x.name, alpha=slope) if slope else graph.node("Relu", x.name)
    if limit is not None:
        y = graph.node("Min", y, graph.constant("max_value", np.array(limit)))
    return replace(x, name=y)


MERGING = {
    layers.Add: "Add",
    layers.Average: "Add",
    layers.Maximum: "Max",
    layers.Minimum: "Min",
    layers.Multiply: "Mul",
    layers.Subtract: "Sub",
}
"""ONNX's operators on two tensors."""


@exports(*MERGING)
def merging(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    """The first two inputs, then the result and the third one, and so on; a mean is a sum times 1 / n."""
    first, *others = _in_one_layout(graph, inputs)
    y = first.name
    for other in others:
        y = graph.node(MERGING[type(layer)], y, other.name)
    if isinstance(layer, layers.Average):
        y = graph.node("Mul", y, graph.constant("share", np.array(1 / len(inputs))))
    return replace(first, name=y)


@exports(layers.Concatenate)
def concatenate(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    if layer.axis % inputs[0].rank == inputs[0].rank - 1:
        inputs = _in_one_layout(graph, inputs)
        axis = inputs[0].channel_axis
    else:
        inputs, axis = [graph.channels_last(x) for x in inputs], layer.axis
    return replace(inputs[0], name=graph.node("Concat", *(x.name for x in inputs), axis=axis))


def _in_one_layout(graph: Graph, inputs: list[Tensor]) -> list[Tensor]:
    """All inputs channels first if one of them is, which comes from a convolution; else as they are."""
    return [graph.channels_first(x) for x in inputs] if any(x.channels_first for x in inputs) else inputs


def activate(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """The activation at the end of a layer, on x in its present layout."""
    if layer.curve is not None:
        return _curve(graph, x, *layer.curve)
    if layer.activation == "linear":
        return x
    if layer.activation == "softmax":
        return replace(x, name=graph.node("Softmax", x.name, axis=x.channel_axis))
    operator = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}[layer.activation]
    return replace(x, name=graph.node(operator, x.name))


def _curve(graph: Graph, x: Tensor, name: str, alpha: float) -> Tensor:
    """One of the contract's CURVES."""
    if name == "gelu":  # x · Φ(x) = x · (erf(x / √2) + 1) / 2
        root, one, half = (graph.constant(which, np.array(value)) for which, value in GELU.items())
        share = graph.node("Add", graph.node("Erf", graph.node("Div", x.name, root)), one)
        return replace(x, name=graph.node("Mul", graph.node("Mul", x.name, share), half))
    if name == "silu":
        return replace(x, name=graph.node("Mul", x.name, graph.node("Sigmoid", x.name)))
    operator = {"leaky_relu": "LeakyRelu", "elu": "Elu", "selu": "Selu", "softplus": "Softplus"}[name]
    attributes = {"alpha": alpha} if name in ("leaky_relu", "elu") else {}
    return replace(x, name=graph.node(operator, x.name, **attributes))


GELU = {"root_of_two": np.sqrt(2.0), "one": 1.0, "half": 0.5}


def _window(graph: Graph, layer: Any) -> dict[str, Any]:
    """The attributes of a sliding window. Without "same" padding, or if the size is known, the padding is a number.

    Raises ValueError for a combination that onnxruntime cannot compute.
    """
    attributes = {"kernel_shape": layer.window, "strides": layer.strides}
    if layer.extent != layer.window:
        attributes["dilations"] = layer.dilation_rate
    if layer.padding == "valid":
        return attributes
    if graph.fixed_size:
        axes = zip(layer.input_shape[1:-1], layer.extent, layer.strides, strict=True)
        before, after = zip(*(pad_amounts(*axis, layer.padding) for axis in axes), strict=True)
        return {**attributes, "pads": [*before, *after]}
    if any(stride > window for stride, window in zip(layer.strides, layer.extent, strict=True)):
        expected = 'padding="valid", or strides of at most the window, for images of any size'
        raise ValueError(explain(f"export_onnx, {layer}", expected, f"strides {layer.strides}", "Give Input a size."))
    return {**attributes, "auto_pad": "SAME_UPPER"}
