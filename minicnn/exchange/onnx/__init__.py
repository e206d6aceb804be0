"""export_onnx: a model as an ONNX file, the format that onnxruntime, browsers and phones run."""

from __future__ import annotations

import os
from typing import Any

from ... import arguments
from ...errors import explain
from ...extras import imported
from ...files import atomic_writer
from ...network import Network, Shape, gather
from ...several import listed
from .graph import Graph, Tensor
from .layers import exporter_of

__all__ = ["export_onnx"]

IR_VERSION, OPSET = 8, 17
"""Versions of 2022: every runtime since then reads the file."""

MAX_BYTES = 2**31 - 1
"""The largest message of protobuf, the encoding of ONNX files."""


def export_onnx(model: Network, path: str | os.PathLike[str]) -> None:
    """Write the model's inference to an ONNX file that appears complete or not at all. Needs the extra `onnx`.

        minicnn.export_onnx(model, "model.onnx")
        onnxruntime.InferenceSession("model.onnx").run(["output"], {"input": x})   # x (N, H, W, C), float32

    The input is named "input" and is channels last as in minicnn; the output is named "output". Several inputs have
    their names in the model, several outputs are named after their layers. The batch axis has any length, and so has
    every axis that is None in the model's Input. All numbers are float32, in a float64 model, too.
    Nodes and weights have the names of their layers: "conv2d/Conv", "conv2d/kernel".

    Raises ImportError without onnx; ValueError if the model is not built, if a layer cannot be exported, or if the
    weights are larger than 2 GiB; OSError if the file cannot be written.
    """
    onnx = imported("onnx", "onnx", "export_onnx")
    input_shapes = _checked_shapes(model)
    path = arguments.path("export_onnx path", path)
    graph = Graph(onnx, input_shapes)
    outputs = _add_layers(graph, model)
    names = model.output_names if len(outputs) > 1 else ["output"]
    graph.finish(dict(zip(names, outputs, strict=True)))
    shapes = (_output_shape(graph, shape) for shape in listed(model.output_shape))
    content = onnx.helper.make_model(
        graph.proto(model.name, dict(zip(names, shapes, strict=True))),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="minicnn",
    )
    with atomic_writer(path) as file:
        file.write(content.SerializeToString())


def _checked_shapes(model: Any) -> dict[str, Shape]:
    """The shapes of the model's inputs by their names.

    Raises TypeError or ValueError unless it is a built model, small enough, of layers that ONNX can express.
    """
    if not isinstance(model, Network):
        raise TypeError(explain("export_onnx", "a model", type(model).__name__, "Give the model, then the path."))
    if type(model).forward is not Network.forward:
        expected = "a model whose forward calls its layers in order"
        raise ValueError(
            explain(f"export_onnx of {model.name}", expected, "a forward of its own", "Export a Sequential or a Model.")
        )
    if not model.built or model.input_shape is None:
        remedy = "Give it an Input, or a batch: model.predict(x)."
        raise ValueError(explain(f"export_onnx of {model.name}", "a built model", "layers of unknown shape", remedy))
    for layer in model.layers:
        exporter_of(layer)
    if (size := 4 * model.count_params()) > MAX_BYTES:
        remedy = "ONNX keeps larger weights in a second file, which minicnn does not write."
        raise ValueError(explain(f"export_onnx of {model.name}", "at most 2 GiB of weights", f"{size:,} bytes", remedy))
    shapes = listed(model.input_shape)
    return dict(zip(model.input_names if len(shapes) > 1 else ["input"], shapes, strict=True))


def _add_layers(graph: Graph, model: Network) -> list[Tensor]:
    """Add the nodes of all layers; returns the outputs."""
    values = graph.inputs()
    for layer, sources in zip(model.layers, model.sources, strict=True):
        graph.layer = layer.name
        values.append(exporter_of(layer)(graph, layer, gather(values, sources)))
    return [values[number] for number in model.output_numbers]


def _output_shape(graph: Graph, shape: Shape) -> Shape:
    """The shape of an output; None for every axis but the channels if the model's inputs may have any size."""
    return shape if graph.fixed_size else (None, *(None for _ in shape[1:-1]), shape[-1])
