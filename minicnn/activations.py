"""Keras's activations as functions: `activation=activations.relu` is `activation="relu"`; activations.relu(x) is y."""

from __future__ import annotations

from typing import Any

from . import arguments
from .backends import to_device
from .backends.contract import Array
from .compatibility import reporter
from .layers import Activation


class Function(str):
    """The name of an activation, which may also be called: activations.tanh(x) -> y of x's shape.

    Being a name, it needs no special place in a layer's configuration or in a file.
    """

    def __call__(self, x: Any) -> Array:
        layer = Activation(self)
        return layer.forward(to_device(arguments.array(self, "x", x), layer.dtype))


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
