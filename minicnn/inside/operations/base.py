"""The base class of all operations' sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from ...layers import Layer
from ..products import Stored, Sum


class Element(NamedTuple):
    """An array of a layer whose elements can be explained."""

    array: Stored
    terms: Callable[..., Sum]
    """The sum for one element, given its index by the operation's axes."""


class Operation:
    """One operation of a layer in one run: x -> y, and back dy -> dx and the parameters' gradients.

    A subclass has a method for each array that the operation computes. It states the products by the stored arrays and
    names them in `elements`.
    """

    page: ClassVar[str]
    """The documentation's page about it."""

    forward: Callable[..., Sum]
    """A method of the subclass: the sum for y at an index."""

    backward: Callable[..., Sum]
    """A method of the subclass: the sum for dx at an index."""

    def __init__(self, layer: Layer, arrays: dict[str, Stored]) -> None:
        """`arrays` has x, y, dy and dx, the weights by their names, and the gradients as "dkernel"."""
        self.layer: Any = layer
        self.arrays = arrays
        self.x, self.y, self.dy, self.dx = (arrays[name] for name in ("x", "y", "dy", "dx"))

    def elements(self) -> dict[str, Element]:
        """What can be explained, by the name that `explain` takes."""
        return {self.y.name: Element(self.y, self.forward), self.dx.name: Element(self.dx, self.backward)}
