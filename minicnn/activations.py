"""Keras's activations as functions: `activation=activations.relu` is `activation="relu"`; activations.relu(x) is y."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

from . import arguments
from .backends import to_device
from .backends.contract import Array
from .compatibility import reporter
from .config import floatx
from .layers import ELU, Activation, LeakyReLU, ReLU


class Function(str):
    """The name of an activation, which may also be called: activations.tanh(x) -> y of x's shape.

    Being a name, it needs no special place in a layer's configuration or in a file.
    """

    def __call__(self, x: Any, *values: Any, **named: Any) -> Array:
        """x of numbers -> y of its shape in the default dtype. Some functions have Keras's other arguments:

        relu(x, negative_slope=0, max_value=None, threshold=0), leaky_relu(x, negative_slope=0.2), elu(x, alpha=1),
        softmax(x, axis=-1), where axis may also be several. Raises TypeError or ValueError.
        """
        compute = WITH_ARGUMENTS.get(self, lambda x: Activation(self).forward(x))
        try:
            given = signature(compute).bind(x, *values, **named).arguments
        except TypeError as error:
            known = ", ".join(signature(compute).parameters)
            raise TypeError(f"activations.{self}: {error}. Its arguments: {known}.") from None
        given["x"] = to_device(arguments.array(self, "x", x), floatx())
        return compute(**given)


def _relu(x: Array, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Array:
    return ReLU(max_value, negative_slope, threshold).forward(x)


def _leaky_relu(x: Array, negative_slope: float = 0.2) -> Array:
    return LeakyReLU(negative_slope).forward(x)


def _elu(x: Array, alpha: float = 1.0) -> Array:
    return ELU(alpha).forward(x)


def _softmax(x: Array, axis: int | Sequence[int] = -1) -> Array:
    """Softmax along an axis, or over the numbers of several axes together."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    for one in axes:
        arguments.whole("softmax axis", one, least=-x.ndim, most=x.ndim - 1)
    last = [one % x.ndim for one in axes]
    order = [one for one in range(x.ndim) if one not in last] + last
    z = x.transpose(order)
    y = Activation("softmax").forward(z.reshape(*z.shape[: -len(last)], -1))
    return y.reshape(z.shape).transpose([order.index(one) for one in range(x.ndim)])


WITH_ARGUMENTS: dict[str, Any] = {"relu": _relu, "leaky_relu": _leaky_relu, "elu": _elu, "softmax": _softmax}
"""How the functions are computed that have arguments besides x."""

linear = Function("linear")
relu = Function("relu")
sigmoid = Function("sigmoid")
tanh = Function("tanh")
softmax = Function("softmax")
leaky_relu = Function("leaky_relu")
elu = Function("elu")
selu = Function("selu")
gelu = Function("gelu")
silu = swish = Function("silu")
softplus = Function("softplus")


def get(identifier: Any) -> Function:
    """The function for a name, or for None (linear). Raises ValueError for an unknown name."""
    return Function(arguments.activation("activations.get", identifier))


__all__ = [
    "elu",
    "gelu",
    "get",
    "leaky_relu",
    "linear",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "swish",
    "tanh",
]

__getattr__ = reporter(__name__, __all__)
