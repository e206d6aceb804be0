"""What the page shows, as plain data: the operations of one training step, and one buffer with all of their arrays.

The step runs in float64 on the textbook, with the model's weights. So the products of the stored numbers, added up in
the page, give the stored sum.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments
from ..backends import to_host, use_backend
from ..errors import explain
from ..inside.recording import record, restored
from ..models import Model
from ..optimizers import SGD
from ..parameters import Parameter
from .buffer import Buffer
from .graph import Node, graph
from .operations import page_about
from .recording import Recording

MOST_SAMPLES = 16
"""Maximum number of samples of a page, which stores all arrays of each."""


def describe(
    where: str,
    model: Any,
    x: Any,
    y: Any,
    class_names: Sequence[str] | None = None,
    recording: Recording | None = None,
    docs: str | None = None,
) -> tuple[dict[str, Any], bytes]:
    """The description of one training step, for JSON, and the buffer with its arrays."""
    if not isinstance(model, Model):
        remedy = "For a scikit-learn estimator, pass its model_."
        raise TypeError(explain(f"{where}: model", "a Sequential or a Model", type(model).__name__, remedy))
    model.check_compiled(where)
    x, y = (to_host(arguments.array(f"{where}: {name}", name, array)) for name, array in (("x", x), ("y", y)))
    if x.ndim < 2 or not 0 < len(x) <= MOST_SAMPLES:
        expected = f"a batch of 1 to {MOST_SAMPLES} samples"
        raise ValueError(explain(f"{where}: x", expected, f"shape {tuple(x.shape)}", "For one sample, take x[:1]."))
    model.ensure_built(x)
    with use_backend("numpy"), restored(model.layers), np.errstate(all="ignore"):
        layers, loss = record(in_double(model), x, y, where)
        nodes = graph(layers, loss, model.loss)
    buffer = Buffer()
    description = {
        "name": model.name,
        "samples": len(x),
        "classes": _class_names(where, class_names, loss.prediction.shape[-1]),
        "steps": [_for_json(node, buffer) for node in nodes],
        "docs": docs,
        "training": recording.describe(buffer) if recording is not None else None,
        "arrays": buffer.entries,
    }
    return description, b"".join(buffer.parts)


def in_double(model: Model) -> Model:
    """A copy of a built model that computes in float64, with the same weights on the host."""
    twin = model.snapshot()
    for layer in twin.layers:
        layer.dtype = np.dtype(np.float64)
        for parameter in [*layer.weights, *(value for value in vars(layer).values() if isinstance(value, Parameter))]:
            parameter.value = np.array(to_host(parameter.value), np.float64)
    twin.optimizer = SGD()  # the model's own may hold moments in float32
    return twin


def _for_json(node: Node, buffer: Buffer) -> dict[str, Any]:
    """An operation as the page takes it; its arrays are their numbers in the buffer."""
    step, thing = node.step, node.thing
    stored = {}
    for name, array in step.arrays.items():
        is_weight, is_gradient = name in step.weights, name[1:] in step.weights
        add = buffer.add_weight if is_weight else buffer.add_gradient if is_gradient else buffer.add
        stored[name] = add(array)
    return {
        "name": node.name,
        "class": type(thing).__name__ if thing else "",
        "code": _code(thing) if thing else "",
        "kind": step.kind,
        "page": page_about(step.kind, thing),
        "symbols": step.symbols,
        "options": step.options,
        "arrays": stored,
        "inputs": node.inputs,
        "uses": node.uses,
    }


def _code(thing: Any) -> str:
    """The call that makes a layer or a loss, without the arguments that every layer has."""
    usual = ("name", "dtype", "trainable", "input_shape")
    given = (f"{name}={value!r}" for name, value in thing.arguments.items() if name not in usual)
    return f"{type(thing).__name__}({', '.join(given)})"


def _class_names(where: str, class_names: Sequence[str] | None, count: int) -> list[str]:
    if class_names is None:
        return [str(number) for number in range(count)]
    names = [str(name) for name in arguments.sequence(f"{where}: class_names", class_names, object, "names")]
    if len(names) != count:
        remedy = "Give a name for every output of the model."
        raise ValueError(explain(f"{where}: class_names", f"{count} names", len(names), remedy))
    return names


def documentation(page: Path) -> str | None:
    """The path from a page's folder to the built documentation of this source tree; None if there is none."""
    site = Path(__file__).resolve().parents[2] / "site"
    if not (site / "operations" / "convolution.html").exists():
        return None
    try:
        return Path(os.path.relpath(site, page.resolve().parent)).as_posix()
    except ValueError:  # on another drive of Windows
        return None
