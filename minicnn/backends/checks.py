"""The check of an operation's arguments against the contract: kernels look at no shapes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from ..errors import explain
from .contract import Array, Backend
from .transfer import check_memory


class Arguments:
    """The arguments of one operation on one backend."""

    def __init__(self, name: str, backend: Backend) -> None:
        self.name, self.backend = name, backend
        declared = getattr(Backend, name)
        signature = inspect.signature(declared)
        self.signature = signature.replace(parameters=list(signature.parameters.values())[1:])  # no self
        self.names = list(self.signature.parameters)
        shapes = {argument: text for argument, text in declared.shapes.items() if argument in self.names}
        self.lists = [self.names.index(argument) for argument, text in shapes.items() if text == "each"]
        self.arrays = [(self.names.index(argument), argument) for argument, text in shapes.items() if text != "each"]

    def bind(self, given: tuple[Any, ...], options: dict[str, Any]) -> list[Any]:
        """The arguments in the contract's order. Raises TypeError where one is missing or unknown."""
        if not options and len(given) == len(self.names):
            return list(given)
        try:
            bound = self.signature.bind(*given, **options)
        except TypeError as error:
            raise TypeError(
                explain(self.name, f"arguments {self.signature}", str(error), "See the contract.")
            ) from None
        bound.apply_defaults()
        return list(bound.arguments.values())

    def check(self, arguments: list[Any]) -> None:
        """Make every array what kernels expect, in place. Raises TypeError unless it is in the backend's memory."""
        for at, argument in self.arrays:
            array = arguments[at]
            if hasattr(array, "dtype"):
                arguments[at] = self.array(argument, array)

    def array(self, argument: str, array: Any) -> Array:
        check_memory(self.name, argument, array, ops=self.backend)
        return self.backend.contiguous(array)

    def dtypes(self, arguments: Sequence[Any]) -> set[str]:
        """The letters of the floating dtypes among the arrays."""
        arrays = [arguments[at] for at, _ in self.arrays]
        arrays += [array for at in self.lists for array in arguments[at]]
        return {array.dtype.char for array in arrays if hasattr(array, "dtype") and array.dtype.kind in "fc"}
