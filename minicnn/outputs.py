"""What a model with several outputs is trained with: a loss, a weight, metrics and targets for each of them.

    L = Σ w_k · L_k(y_k, ŷ_k)        so        ∂L/∂ŷ_k = w_k · ∂L_k/∂ŷ_k

The targets y are a list with one array for each output that has a loss.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from . import arguments, losses, metrics
from .backends import to_device
from .backends.contract import Array
from .errors import explain
from .inputs import in_their_order
from .losses import Loss
from .metrics import Metric


class LossOfOutputs(Loss):
    """The weighted sum of the losses of a model's outputs; an output with None has none."""

    name = "loss_of_outputs"

    def __init__(self, names: Sequence[str], of_each: Sequence[Loss | None], weights: Sequence[float]) -> None:
        super().__init__()
        self.names, self.losses, self.weights = list(names), list(of_each), list(weights)
        self.outputs = [number for number, loss in enumerate(self.losses) if loss is not None]
        """The numbers of the outputs that have a loss, in their order; the targets are in this order, too."""

    @property
    def target_names(self) -> list[str]:
        """The names of the outputs that have a loss."""
        return [self.names[number] for number in self.outputs]

    def forward(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Array:
        """Σ w · loss: y_true has an array for each loss, y_pred one for each output.

        sample_weight (N,) is for all of them, a list has one for each loss.
        """
        weights = sample_weight if isinstance(sample_weight, list) else [sample_weight] * len(self.outputs)
        return self._sum(
            y_pred,
            [loss.forward(y, p, w) for (loss, y, p), w in zip(self.parts_of(y_true, y_pred), weights, strict=True)],
        )

    def mean(self, y_true: Any, y_pred: Any) -> Array:
        return self._sum(y_pred, [loss.mean(y, p) for loss, y, p in self.parts_of(y_true, y_pred)])

    def backward(self) -> list[Array]:
        """The gradient with respect to each output; zeros for one without a loss."""
        gradients = [to_device(np.zeros(shape), dtype) for shape, dtype in self.saved]
        for number in self.outputs:
            gradients[number] = self._loss(number).backward() * self.weights[number]
        return gradients

    def check_targets(self, y_true: Any, output_shape: Any) -> Any:
        return [loss.check_targets(y, shape) for loss, y, shape in self.parts_of(y_true, output_shape)]

    def parts_of(self, y_true: Any, y_pred: Any) -> list[tuple[Loss, Any, Any]]:
        return [(self._loss(number), y, y_pred[number]) for number, y in zip(self.outputs, y_true, strict=True)]

    def _loss(self, number: int) -> Loss:
        loss = self.losses[number]
        assert loss is not None  # outputs has the numbers of the others only
        return loss

    def _sum(self, y_pred: Sequence[Array], parts: list[Array]) -> Array:
        self.saved = [(one.shape, one.dtype) for one in y_pred]
        self.parts = parts
        return sum(part * self.weights[number] for number, part in zip(self.outputs, parts, strict=True))

    def __getstate__(self) -> dict[str, Any]:
        """The state of a copy: with copies of the losses, which have states of their own."""
        return super().__getstate__() | {"losses": [copy(loss) for loss in self.losses]}


class MetricOfOutput(Metric):
    """A metric of one of several outputs, called "output_metric"."""

    def __init__(self, metric: Metric, name: str, target: int, output: int) -> None:
        super().__init__(f"{name}_{metric.name}")
        self.metric, self.target, self.output = metric, target, output
        self.larger_is_better = metric.larger_is_better

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        weights = sample_weight[self.target] if isinstance(sample_weight, list) else sample_weight
        self.metric.update_state(y_true[self.target], y_pred[self.output], weights)

    def result(self) -> Any:
        return self.metric.result()

    def reset_state(self) -> None:
        self.metric.reset_state()


def loss_of(names: Sequence[str], loss: Any, loss_weights: Any) -> LossOfOutputs:
    """The loss of outputs of these names: one for all, a list, or a dict by names; so are the weights, 1 by default.

    Raises ValueError or TypeError unless there is a loss for at least one output.
    """
    is_one = not isinstance(loss, (list, tuple, dict)) or "class" in loss  # or its description
    given = [loss] * len(names) if is_one else _for_each("compile loss", names, loss)
    each = [None if one is None else copy(one_number(one)) for one in given]
    if not any(each):
        raise ValueError(explain("compile", "a loss for an output", "none", f"Outputs: {', '.join(names)}."))
    weights = _for_each("compile loss_weights", names, [1.0] * len(names) if loss_weights is None else loss_weights)
    return LossOfOutputs(
        names, each, [1.0 if w is None else arguments.number("compile loss_weights", w) for w in weights]
    )


def one_number(loss: Any) -> Loss:
    """The loss for a Loss, its name or its description. Raises ValueError unless it is one number for a batch."""
    loss = losses.get(loss)
    if loss.reduction == "none":
        raise ValueError(explain("compile loss", "one number for a batch", "reduction='none'", 'Use "sum".'))
    return loss


def of_the_output(where: str, names: Sequence[str], given: Any) -> Any:
    """What is given for the only output: alone, or in a dict by its name."""
    is_one = not isinstance(given, dict) or "class" in given  # or its description
    return given if is_one else _for_each(where, names, given)[0]


def weighted(metric: Metric, name: str, taken: Collection[str]) -> Metric:
    """The metric; as in Keras, a copy called "weighted_…" if one of its name is measured without weights."""
    if name not in taken:
        return metric
    twin = copy(metric)
    twin.name = f"weighted_{metric.name}"
    return twin


def metrics_of(where: str, loss: LossOfOutputs, given: Any, taken: Collection[str] = ()) -> list[MetricOfOutput]:
    """The metrics of outputs with this loss: a list with one or several for each, or a dict by names.

    One whose name is `taken`, by a metric without weights, is called "output_weighted_…". Raises ValueError or
    TypeError for an output without a loss: it has no targets.
    """
    found = []
    for number, some in enumerate(_for_each(where, loss.names, [None] * len(loss.names) if given is None else given)):
        listed = some if isinstance(some, (list, tuple)) else [] if some is None else [some]
        if listed and number not in loss.outputs:
            remedy = "An output without a loss has no targets."
            raise ValueError(explain(where, "metrics of outputs with a loss", f"one of {loss.names[number]}", remedy))
        target = loss.outputs.index(number) if listed else 0
        name = loss.names[number]
        for metric in map(copy, map(metrics.get, listed)):
            own = weighted(metric, f"{name}_{metric.name}", taken)
            found.append(MetricOfOutput(own, name, target, number))
    return found


def describe_losses(loss: LossOfOutputs) -> list[Any]:
    """The descriptions of the losses, as `loss_of` takes them; None for an output without one."""
    return [None if one is None else one.describe() for one in loss.losses]


def describe_metrics(loss: LossOfOutputs, found: Sequence[Any]) -> list[list[Any]]:
    """The descriptions of these metrics of outputs, a list for each output, as `metrics_of` takes them."""
    return [
        [metrics.describe(one.metric) for one in found if one.output == number] for number in range(len(loss.names))
    ]


def _for_each(where: str, names: Sequence[str], given: Any) -> list[Any]:
    """What is given for each output, in a list or a dict by names; None for one that the dict lacks."""
    if isinstance(given, Mapping):
        for name in given:
            arguments.choice(where, name, names, "the name of an output")
        return [given.get(name) for name in names]
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        found = f"{len(given)}" if isinstance(given, (list, tuple)) else type(given).__name__
        remedy = "Give a list in this order, or a dict by these names."
        raise ValueError(explain(where, f"one for each of the outputs {', '.join(names)}", found, remedy))
    return list(given)


def targets_in_order(where: str, loss: Any, y: Any) -> tuple[list[str] | None, Any]:
    """The names of the outputs with a loss, and their targets as a list; for a loss of one output, None and y itself.

    y may be a list with targets for all outputs or for those with a loss, or a dict by names.
    """
    if not isinstance(loss, LossOfOutputs) or y is None:
        return None, y
    names = loss.target_names
    for outputs in (loss.names, names):
        if isinstance(y, (list, tuple)) and len(y) == len(outputs):
            y = dict(zip(outputs, y, strict=True))
    found = in_their_order(f"{where}, targets", names, y)
    return names, found if len(names) > 1 else [found]
