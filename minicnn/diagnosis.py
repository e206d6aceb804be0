"""When the loss turns NaN: find the first input, weight or layer output that is not finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from .backends import to_host
from .backends.contract import Array
from .errors import NonFiniteError
from .losses import Crossentropy
from .network import Network
from .several import listed

CAUSES = (
    "Usual causes: a learning rate that is too high (try a tenth of it), or inputs that are not scaled (divide pixels "
    "by 255)."
)


def non_finite_error(network: Network, x: Any, loss: float, step: int) -> NonFiniteError:
    """The error for a loss that is NaN or infinite on a step's batch x (N, …); it names the first non-finite array."""
    culprit, causes = _first_non_finite(network, x), CAUSES
    if culprit is None:
        culprit = "every layer's weights and outputs are finite, so it is the loss itself"
        causes = _no_probabilities(network) or CAUSES
    return NonFiniteError(
        f"The loss is {loss} at step {step}: {culprit}. Training stopped before this batch changed a weight. {causes}"
    )


def _no_probabilities(network: Network) -> str | None:
    """The cause of a cross-entropy that is not finite: it divides the outputs by their sum, and takes the logarithm."""
    loss, last = getattr(network, "loss", None), network.layers[-1]
    if not isinstance(loss, Crossentropy) or loss.from_logits or last.activation == loss.activation:
        return None
    return (
        f"{type(loss).__name__} expects probabilities, and {last} has the activation {last.activation!r}. End the "
        f"model with activation={loss.activation!r}, or make the loss with from_logits=True."
    )


def non_finite_epoch_error(network: Network, x: Any, loss: float, step: int) -> NonFiniteError:
    """The error for an epoch whose mean loss is NaN or infinite; x and step are the epoch's last."""
    culprit = _first_non_finite(network, x) or "on the last batch every layer's weights and outputs are finite again"
    return NonFiniteError(
        f"The mean loss is {loss} after an epoch that ended with step {step}: {culprit}. On this "
        f"device the loss is read once per epoch, so the weights have changed since it became non-finite; on the CPU "
        f'(minicnn.use_device("cpu")) training stops at the step where it happens. {CAUSES}'
    )


def _first_non_finite(network: Network, x: Any) -> str | None:
    for one in listed(x):
        if found := _describe(one):
            return f"the input x holds {found}"
    network = network.snapshot()
    outputs = network.values(x, training=True)[len(network.input_names) :]
    for layer, output in zip(network.layers, outputs, strict=True):
        for weight in layer.weights:
            if found := _describe(weight.value):
                return f"{layer}: its {weight.name.split('/')[-1]} holds {found}"
        if found := _describe(output):
            return f"{layer}: its output holds {found}, though its input and weights are finite"
    return None


def _describe(array: Array) -> str | None:
    values = to_host(array)
    bad = int((~np.isfinite(values)).sum())
    return f"{bad} NaN or infinite values of {values.size}" if bad else None
