"""Input and Value: the nodes of a graph of layers, so that a model can be built before it sees data.

    inputs = Input((28, 28, 1))
    x = Conv2D(32, 3)(inputs)  # x.layer is the convolution, x.sources is (inputs,), x.shape (None, 26, 26, 32)

`Model` makes a network of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from .. import arguments
from ..configurable import Accepted, Configurable
from ..errors import explain, shown


class Value:
    """The output of a layer that has not been computed yet: the result of calling the layer on an Input or a Value."""

    def __init__(self, layer: Any, sources: tuple[Value, ...], shape: tuple[int | None, ...] | None) -> None:
        self.layer = layer
        """The layer that will compute it; None for an Input."""
        self.sources = sources
        """The values that the layer gets."""
        self.shape = shape
        """Its shape, None for the batch axis; None if the first batch has to tell it."""

    def __repr__(self) -> str:
        return f"Value({self.layer}, shape={self.shape})"


class Input(Value, Configurable):
    """The shape of the samples, without the batch axis; None for an axis whose length may vary. It is not a layer.

    It begins a Sequential, or a graph: layers are called on it, see `Model`.
    """

    shape: tuple[int | None, ...]
    accepted_at_default: ClassVar[dict[str, Any]] = {
        "batch_size": None,
        "dtype": Accepted((None, "float32"), "Layers have a dtype: minicnn.config.set_floatx, or dtype=… on each."),
        "sparse": Accepted((None, False)),
        "ragged": Accepted((None, False)),
        "batch_shape": None,
        "tensor": None,
        "input_tensor": None,
        "optional": False,
    }

    def __init__(self, shape: Sequence[int | None], *, name: str | None = None) -> None:
        super().__init__(None, (), (None, *arguments.shape("Input shape", shape)))
        self.name = None if name is None else arguments.text("Input name", name)

    def __repr__(self) -> str:
        return f"Input({self.shape[1:]})"


def values_in(where: str, x: Any) -> tuple[Value, ...]:
    """The values if x is a Value or a list of them; () if x holds arrays. Raises TypeError if it holds both."""
    parts = x if isinstance(x, (list, tuple)) else (x,)
    values = tuple(part for part in parts if isinstance(part, Value))
    if values and len(values) < len(parts):
        other = next(part for part in parts if not isinstance(part, Value))
        remedy = "Call model.forward or model.predict on arrays."
        raise TypeError(explain(where, "only values of a graph", shown(other), remedy))
    return values
