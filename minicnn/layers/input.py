"""Input and Value: the nodes of a graph of layers, so that a model can be built before it sees data.

    inputs = Input((28, 28, 1))
    x = Conv2D(32, 3)(inputs)  # x.layer is the convolution, x.sources is (inputs,), x.shape (None, 26, 26, 32)

`Model` makes a network of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from .. import arguments
from ..config import floatx
from ..configurable import Accepted, Configurable
from ..errors import did_you_mean, explain, shown

Mode = bool | None
"""False for a layer that a graph calls with training=False; None for one that follows the model."""

JOINING: dict[str, Any] = {}
"""The layers that a sign between two values stands for; merging.py enters them."""


class Value:
    """The output of a layer that has not been computed yet: the result of calling the layer on an Input or a Value."""

    def __init__(
        self, layer: Any, sources: tuple[Value, ...], shape: tuple[int | None, ...], training: Mode = None
    ) -> None:
        self.layer = layer
        """The layer that will compute it; None for an Input."""
        self.sources = sources
        """The values that the layer gets."""
        self.shape = shape
        """Its shape; None for a batch axis of any length, and for others that the first batch has to tell."""
        self.training = training
        """False if the layer computes as in inference, whatever the model does; else None."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy. Its layer, a copy too, computes it."""
        vars(self).update(state)
        if self.layer is not None:
            self.layer.calls_to(self)

    @property
    def dtype(self) -> str:
        """The dtype that its layer computes in; an Input has that of layers made now."""
        return floatx() if self.layer is None else str(self.layer.dtype)

    def __add__(self, other: Any) -> Value:
        """Add()([self, other]): a residual connection is x + y."""
        return self._joined("+", other)

    def __sub__(self, other: Any) -> Value:
        return self._joined("-", other)

    def __mul__(self, other: Any) -> Value:
        return self._joined("*", other)

    def _joined(self, sign: str, other: Any) -> Value:
        return JOINING[sign]()([self, other]) if isinstance(other, Value) else self._refuse()

    def _refuse(self, *other: Any, **options: Any) -> Any:
        """Raises TypeError: a value has no numbers yet, and only layers compute with it."""
        remedy = "Add()([x, y]), Subtract and Multiply combine values; Rescaling(scale, offset) is for numbers, "
        remedy += "Cropping1D and Cropping2D for slices."
        raise TypeError(explain("arithmetic with a Value", "a layer", "an operator", remedy))

    __radd__ = __rsub__ = __rmul__ = __truediv__ = __floordiv__ = __pow__ = __matmul__ = __neg__ = __array__ = _refuse
    __getitem__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse

    def __getattr__(self, name: str) -> Any:
        """Called for an attribute that does not exist."""
        known = ("dtype", "layer", "shape", "sources", "training")
        raise AttributeError(f"{type(self).__name__} has no {name}. {did_you_mean(name, known)}")

    def __repr__(self) -> str:
        return f"Value({self.layer}, shape={self.shape})"


class Input(Value, Configurable):
    """The shape of the samples, without the batch axis; None for an axis whose length may vary. It is not a layer.

    It begins a Sequential, or a graph: layers are called on it, see `Model`. `batch_size`, or `batch_shape` with the
    batch axis, appears in the shapes of the graph; a model takes batches of any size.
    """

    old_names: ClassVar[dict[str, str]] = {"input_shape": "shape"}
    accepted_at_default: ClassVar[dict[str, Any]] = {
        "dtype": Accepted((None, "float32"), "Layers have a dtype: minicnn.config.set_floatx, or dtype=… on each."),
        "sparse": Accepted((None, False)),
        "ragged": Accepted((None, False)),
        "tensor": None,
        "input_tensor": None,
        "optional": False,
    }

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        *,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
    ) -> None:
        if (shape is None) == (batch_shape is None) or (batch_shape is not None and batch_size is not None):
            found = f"shape={shape}, batch_size={batch_size}, batch_shape={batch_shape}"
            remedy = "batch_shape has the batch axis, which is None if batches may have any size."
            raise ValueError(explain("Input", "either shape or batch_shape", found, remedy))
        given = (batch_size, *arguments.shape("Input shape", shape)) if shape is not None else batch_shape
        super().__init__(None, (), arguments.shape("Input batch_shape", given))
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
