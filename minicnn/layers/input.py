"""Input: the shape of one sample, so that a model can be built before it sees data."""

from __future__ import annotations

from collections.abc import Sequence

from .. import arguments
from ..configurable import Configurable


class Input(Configurable):
    """Not a layer but a promise: samples will have this shape (without the batch axis; None where an axis may vary)."""

    def __init__(self, shape: Sequence[int | None], *, name: str | None = None) -> None:
        self.shape = arguments.shape("Input shape", shape)
        self.name = None if name is None else arguments.text("Input name", name)
