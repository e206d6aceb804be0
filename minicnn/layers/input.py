"""Input: the shape of one sample, so that a model can be built before it sees data."""

from __future__ import annotations

from collections.abc import Sequence

from .. import arguments
from ..configurable import Configurable


class Input(Configurable):
    """The shape of the samples, without the batch axis; None for an axis whose length may vary. It is not a layer."""

    def __init__(self, shape: Sequence[int | None], *, name: str | None = None) -> None:
        self.shape = arguments.shape("Input shape", shape)
        self.name = None if name is None else arguments.text("Input name", name)
