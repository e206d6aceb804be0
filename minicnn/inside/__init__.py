"""See inside a training step: which products sum to one number, and how a batch passes through all layers.

    print(minicnn.trace(model, x, y))                                       # a table of all layers, and what is wrong
    print(minicnn.explain(model, x, y, "conv2d/kernel", (0, 1, 0, 7)))      # the products of one gradient

Both run one step on a copy: model, optimiser and random numbers stay as they were. `recording.py` runs the step,
`operations/` has the products of each operation, `explanation.py` and `tracing.py` show them.
"""

from __future__ import annotations

from typing import Any

from ..parameters import Parameter
from ..training import Trainer
from .explanation import Explanation
from .recording import LayerTrace, LossTrace, record
from .tracing import Trace

__all__ = ["Explanation", "LayerTrace", "LossTrace", "Trace", "explain", "trace"]


def trace(model: Trainer, x: Any, y: Any) -> Trace:
    """One training step of the batch x (N, …) and its targets y, layer by layer; the model stays as it was.

    x and y are as in `fit`, and so is what is computed: dropout drops, batch norm uses the batch's statistics, softmax
    and cross-entropy are one operation. The result prints as a table; `trace(…)["conv2d"]` has a layer's arrays, and
    its method `explain` tells how any of their elements came about. A model without weights is built first.
    Raises ValueError or TypeError if x or y do not fit, RuntimeError if the model is not compiled.
    """
    layers, loss = record(model, x, y, "trace")
    return Trace(model.name, layers, loss)


def explain(model: Trainer, x: Any, y: Any, parameter: str | Parameter, index: Any = ()) -> Explanation:
    """The products that sum to one element of a gradient or of an activation, in a training step of the batch x, y.

    `parameter` is a Parameter, or an array's name: "conv2d/kernel" is the gradient with respect to that kernel,
    "conv2d/dx" and "conv2d/dy" are those with respect to the layer's input and output, "conv2d/y" is the output itself,
    "conv2d/z" the result before the layer's activation, "conv2d/dz" the gradient with respect to it; "loss" the loss.
    `index` is the element's, one whole number for each axis.
    Raises ValueError or TypeError for an unknown name, an index out of range, and as `trace`.
    """
    layers, loss = record(model, x, y, "explain")
    return Trace(model.name, layers, loss).explain(parameter, index)
