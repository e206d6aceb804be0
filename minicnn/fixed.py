"""Lists that their owner alone changes: the layers of a model and the weights of a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from .errors import explain


class Fixed(list):
    """A list that refuses changes; its error says what to do instead."""

    remedy: str

    def __reduce__(self) -> tuple[type, tuple[list]]:
        """Copies are made at once, not item by item."""
        return type(self), (list(self),)


class Layers(Fixed):
    remedy = "Append a layer with add(layer); for other changes, make a new Sequential."


class Weights(Fixed):
    remedy = "Change their values with set_weights; to exclude them from training, set trainable = False."


def _refusing(method: str) -> Callable[..., NoReturn]:
    def refuse(self: Fixed, *arguments: Any, **options: Any) -> NoReturn:
        raise TypeError(explain(type(self).__name__.lower(), "no change of the list", method, self.remedy))

    return refuse


for _method in ("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"):
    setattr(Fixed, _method, _refusing(_method))
for _method in ("__setitem__", "__delitem__", "__iadd__", "__imul__"):
    setattr(Fixed, _method, _refusing(_method))
