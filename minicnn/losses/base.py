"""The base class of all losses: the mean over the samples, weighted or not, and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from .. import arguments
from ..backends import active, check_memory, to_device, to_host
from ..backends.contract import Array, Backend, Saved
from ..compatibility import missing_member
from ..config import floatx
from ..configurable import Accepted, Configurable
from ..errors import explain

MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")
"""The reductions that are the mean if there are no weights."""

REDUCTIONS = (*MEANS, "sum", "none")


class Loss(Configurable):
    """Base class of all losses.

    `reduction` says what is made of the losses ℓ of the samples, with weights w (1 if none are given):
    "sum_over_batch_size" or "mean" Σ w·ℓ / n, n the number of losses; "mean_with_sample_weight" Σ w·ℓ / Σ w;
    "sum" Σ w·ℓ; "none" or None the array w·ℓ, which has no backward.
    """

    name: str
    """Keras's string name of the loss; a subclass of one's own without a name gets that of its class."""

    reduction = "sum_over_batch_size"

    accepted_at_default: ClassVar[dict[str, Any]] = {
        "axis": -1,
        "dtype": Accepted((None, "float32"), "A loss has the dtype of its predictions."),
    }

    ops: Backend
    """The backend of the last forward; the backward runs on the same one."""

    saved: Saved = None

    parts: Sequence[Array] = ()
    """The losses of a model's outputs in the last forward, if there are several."""

    factors: Array | None = None
    """What the losses of the samples are multiplied by before they are added up; None for a mean without weights."""

    def __init__(self, *, reduction: str | None = "sum_over_batch_size", name: str | None = None) -> None:
        where = type(self).__name__
        reduction = "none" if reduction is None else reduction
        self.reduction = arguments.choice(f"{where} reduction", reduction, REDUCTIONS, "the name of a reduction")
        if name is not None:
            self.name = arguments.text(f"{where} name", name)

    def forward(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Array:
        """The mean loss over the samples, a scalar, or another reduction.

        y_pred (N, …) float32 or float64; the loss's class says what y_true is. sample_weight: a number, or one weight
        for each sample, (N,), or for each loss, as y_pred without its last axis.
        Raises ValueError or TypeError.
        """
        y_true, y_pred = self._arrays(y_true, y_pred)
        if sample_weight is None and self.reduction in MEANS:
            return self.mean(y_true, y_pred)
        losses = self.each(y_true, y_pred)
        weights = np.ones(losses.shape) if sample_weight is None else spread(self, sample_weight, losses.shape)
        divisor = {"sum": 1.0, "none": 1.0, "mean_with_sample_weight": weights.sum() or 1.0}
        factors = weights / divisor.get(self.reduction, weights.size)
        self.factors = to_device(factors, losses.dtype)
        if self.reduction == "none":
            return losses * self.factors
        return self.ops.weighted_sum(losses, self.factors)

    def backward(self) -> Array:
        """The gradient of the last forward's loss with respect to its y_pred. Raises RuntimeError before a forward."""
        where = type(self).__name__
        if self.saved is None:
            raise RuntimeError(f"{where}: backward needs a forward before it. Call forward first.")
        if self.factors is None:
            return self.call_backward()
        if self.reduction == "none":
            raise RuntimeError(f'{where}: reduction="none" gives many numbers, so there is no gradient. Use "sum".')
        return self.call_each_backward(self.factors)

    def each(self, y_true: Any, y_pred: Any) -> Array:
        """The loss of each sample: y_pred (N, …, K) -> (N, …)."""
        self.ops = active()
        return self.call_each(*self._arrays(y_true, y_pred))

    def mean(self, y_true: Array, y_pred: Array) -> Array:
        """The mean loss of arrays that `forward` has checked, a scalar. Raises ValueError if `call` returns more."""
        self.ops, self.factors = active(), None
        value = self.call(y_true, y_pred)
        if np.shape(value):
            expected, found = "the mean loss, a scalar", f"an array of shape {tuple(np.shape(value))}"
            remedy = "Losses of samples are what call_each returns; call_each_backward(dy) is their gradient."
            raise ValueError(explain(f"{type(self).__name__} call", expected, found, remedy))
        return value

    def _arrays(self, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
        where = type(self).__name__
        y_pred, y_true = arguments.array(where, "y_pred", y_pred), arguments.array(where, "y_true", y_true)
        if y_pred.dtype.kind in "biu":
            y_pred = y_pred.astype(floatx())
        if y_pred.ndim == 0 or y_pred.size == 0:
            raise ValueError(
                explain(where, "at least one prediction", f"y_pred of shape {y_pred.shape}", "Give a batch of them.")
            )
        return y_true, y_pred

    def __getattr__(self, name: str) -> Any:
        """Called for an attribute that does not exist."""
        raise missing_member(self, "Loss", name)

    def __getstate__(self) -> dict[str, Any]:
        """The state of a copy: without the last forward, whose backward belongs to the original."""
        state = dict(vars(self)) | {"saved": None}
        state.pop("ops", None)
        return state

    # what a subclass defines

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """The mean loss, by one operation; its `saved` is kept in self.saved."""
        losses = self.call_each(y_true, y_pred)
        self.factors = to_device(np.full(losses.shape, 1 / losses.size), losses.dtype)
        return self.ops.weighted_sum(losses, self.factors)

    def call_backward(self) -> Array:
        """Call that operation's backward."""
        expected = "a method call_backward(self)"
        remedy = "Return the gradient from it: minicnn has no automatic differentiation."
        raise NotImplementedError(explain(type(self).__name__, expected, "none", remedy))

    def call_each(self, y_true: Array, y_pred: Array) -> Array:
        """The loss of each sample, by one operation; its `saved` is kept in self.saved. y_pred (N, …, K) -> (N, …)."""
        expected = "a method call_each(self, y_true, y_pred)"
        remedy = "Return the losses of the samples from it; weights and reductions need them."
        raise NotImplementedError(explain(type(self).__name__, expected, "none", remedy))

    def call_each_backward(self, dy: Array) -> Array:
        """Call that operation's backward: dy (N, …), the gradient with respect to each loss -> that of y_pred."""
        expected = "a method call_each_backward(self, dy)"
        raise NotImplementedError(explain(type(self).__name__, expected, "none", "Return the gradient from it."))

    def check_targets(self, y_true: np.ndarray, output_shape: tuple[int, ...]) -> np.ndarray:
        """The targets on the host in the form that forward takes. Raises ValueError or TypeError if they do not fit."""
        if output_shape[-1] == 1 and y_true.shape == output_shape[:-1]:
            y_true = y_true[..., np.newaxis]
        if y_true.shape != output_shape:
            raise ValueError(
                explain(
                    type(self).__name__,
                    f"targets of the model's output shape {output_shape}",
                    f"targets of shape {y_true.shape}",
                    "One target is needed for every output.",
                )
            )
        return y_true

    def parts_of(self, y_true: Any, y_pred: Any) -> list[tuple[Loss, Any, Any]]:
        """The loss, its targets and its predictions, or their shape; of several outputs, those of each."""
        return [(self, y_true, y_pred)]

    def __call__(self, y_true: Array, y_pred: Array, sample_weight: Any = None) -> Array:
        return self.forward(y_true, y_pred, sample_weight)

    def target_numbers(self, y_true: Array, y_pred: Array) -> Array:
        """The targets in y_pred's shape and dtype. Raises ValueError if the shapes differ: nothing is broadcast."""
        check_memory(type(self).__name__, "y_pred", y_pred)
        target = self._to_numbers(y_true, y_pred)
        if (*target.shape, 1) == tuple(y_pred.shape) or target.shape == (*y_pred.shape, 1):
            target = target.reshape(y_pred.shape)  # one output: its axis may be missing on either side
        if target.shape != y_pred.shape:
            raise ValueError(
                explain(
                    type(self).__name__,
                    f"targets for predictions of shape {tuple(y_pred.shape)}",
                    f"targets of shape {tuple(np.shape(y_true))}",
                    "Give one target for every prediction.",
                )
            )
        return target

    def _to_numbers(self, y_true: Array, y_pred: Array) -> Array:
        return to_device(y_true, y_pred.dtype)


def spread(where: Any, sample_weight: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Weights for losses of this shape, on the host: one for all, one for each sample, or one for each loss."""
    where = f"{type(where).__name__} sample_weight"
    weights = to_host(arguments.array(where, "weights", sample_weight)).astype(np.float64)
    if weights.ndim == len(shape) + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    missing = len(shape) - weights.ndim
    if weights.ndim and missing > 0:
        weights = weights.reshape(weights.shape + (1,) * missing)
    try:
        return np.broadcast_to(weights, shape)
    except ValueError:
        expected = f"one weight for each of the losses {shape}, or for each sample"
        raise ValueError(
            explain(where, expected, f"shape {np.shape(sample_weight)}", "Give one weight for each sample.")
        ) from None
