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
from .graph import Graph, Tensor

Exporter = Callable[[Graph, Any, Any], Tensor]

EXPORTERS: dict[type[Layer], Exporter] = {}
"""The function that exports a layer, by the layer's class."""


def exporter_of(layer: Layer) -> Exporter:
    """The function that exports the layer. Raises ValueError if there is none, naming the layers that can be exported.

    A subclass of a layer may compute something else, and so may a layer whose `call` was replaced.
    """
    exporter = EXPORTERS.get(type(layer))
    if layer.curve is not None:
        remedy = "Train it with relu, sigmoid, tanh or softmax."
        raise ValueError(
            explain(f"export_onnx, {layer}", "an activation that ONNX 17 has", f"{layer.curve[0]!r}", remedy)
        )
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
    """Conv with a kernel (F, C, KH, KW); minicnn's is (KH, KW, C, F)."""
    x = graph.channels_first(x)
    weights = [graph.constant("kernel", np.moveaxis(to_host(layer.kernel.value), (-1, -2), (0, 1)))]
    if layer.bias:
        weights.append(graph.constant("bias", layer.bias.value))
    y = graph.node("Conv", x.name, *weights, group=layer.groups, **_window(graph, layer))
    return activate(graph, replace(x, name=y), layer.activation)


@exports(layers.MaxPooling1D, layers.MaxPooling2D)
def max_pooling(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    x = graph.channels_first(x)
    return replace(x, name=graph.node("MaxPool", x.name, **_window(graph, layer)))


@exports(layers.AveragePooling1D, layers.AveragePooling2D)
def average_pooling(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """AveragePool; padding does not count."""
    x = graph.channels_first(x)
    return replace(x, name=graph.node("AveragePool", x.name, count_include_pad=0, **_window(graph, layer)))


@exports(layers.GlobalAveragePooling2D)
def global_average_pooling(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """GlobalAveragePool gives (N, C, 1, 1); without keepdims it becomes (N, C)."""
    x = graph.channels_first(x)
    y = replace(x, name=graph.node("GlobalAveragePool", x.name))
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
    return activate(graph, replace(x, name=y), layer.activation)


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


@exports(layers.Dropout, layers.RandomErasing, layers.RandomFlip, layers.RandomTranslation)
def random_in_training(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    """Nothing: in inference y = x."""
    return x


@exports(layers.Activation)
def activation(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    return activate(graph, x, layer.activation)


@exports(layers.Softmax)
def softmax(graph: Graph, layer: Any, x: Tensor) -> Tensor:
    x = graph.channels_last(x)
    return replace(x, name=graph.node("Softmax", x.name, axis=layer.axis))


@exports(layers.ReLU)
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


def activate(graph: Graph, x: Tensor, name: str) -> Tensor:
    """The activation of this name, on x in its present layout."""
    if name == "linear":
        return x
    if name == "softmax":
        return replace(x, name=graph.node("Softmax", x.name, axis=x.channel_axis))
    operator = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}[name]
    return replace(x, name=graph.node(operator, x.name))


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
    if any(stride > window for stride, window in zip(layer.strides, layer.window, strict=True)):
        expected = 'padding="valid", or strides of at most the window, for images of any size'
        raise ValueError(explain(f"export_onnx, {layer}", expected, f"strides {layer.strides}", "Give Input a size."))
    return {**attributes, "auto_pad": "SAME_UPPER"}
