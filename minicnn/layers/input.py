"""Input: the shape of one sample, so that a model can be built before it sees data."""

from __future__ import annotations

from collections.abc import Sequence

from ..configurable import Configurable
from ..errors import explain


class Input(Configurable):
    """Not a layer but a promise: samples will have this shape (without the batch axis; None where an axis may vary)."""

    def __init__(self, shape: Sequence[int | None], *, name: str | None = None) -> None:
        if isinstance(shape, int) or not all(length is None or length > 0 for length in shape):
            raise ValueError(
                explain(
                    "Input shape", "a tuple of positive lengths without the batch", repr(shape), "Example: (28, 28, 1)."
                )
            )
        self.shape = tuple(shape)
        self.name = name
