"""The check of an operation's arguments against the contract. Kernels check nothing: they read and write arrays as the
contract declares them.

Everything that depends only on shapes and dtypes is checked once for every combination of them and remembered, so a
call costs a few microseconds.
"""

from __future__ import annotations

import inspect
import os
from functools import cached_property
from itertools import combinations
from math import prod
from operator import is_
from typing import Any

import numpy as np

from ..errors import explain
from .contract import Array, Backend
from .declarations import KINDS, Declared, Lengths
from .geometry import output_length, pad_amounts
from .options import OPTIONS
from .transfer import check_memory

GEOMETRY = ("pool_size", "strides", "padding", "dilation_rate", "groups", "rows", "columns", "size", "training")
"""The options whose values the check of shapes depends on."""

OTHER = "other"
"""The result for several dtypes in one call, which no kernel accepts."""

REMEMBERED = 4096
"""Maximum number of combinations of shapes and dtypes that an operation remembers."""


def _most_numbers() -> int:
    """How many float32 numbers fit into the machine's memory; 2⁴⁰ if the system does not tell."""
    if hasattr(os, "sysconf") and {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= os.sysconf_names.keys():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    return 2**40


MOST_NUMBERS = _most_numbers()


class Arguments:
    """The arguments of one operation on one backend."""

    def __init__(self, name: str, backend: Any) -> None:
        self.name, self.backend = name, backend
        operation = getattr(Backend, name)
        signature = inspect.signature(operation)
        self.signature = signature.replace(parameters=list(signature.parameters.values())[1:])  # without self
        self.names = list(self.signature.parameters)
        self.options = [(at, f"{name} {text}", OPTIONS[text]) for at, text in enumerate(self.names) if text in OPTIONS]
        self.geometry = [at for at, option in enumerate(self.names) if option in GEOMETRY]
        declared = [Declared.parse(argument, text) for argument, text in operation.shapes.items()]
        self.y = next((array for array in declared if array.argument == "y"), None)
        arguments = [(self.names.index(array.argument), array) for array in declared if array.argument != "y"]
        self.lists = [(at, array) for at, array in arguments if array.axes == ("each",)]
        self.arrays = [(at, array) for at, array in arguments if array.axes != ("each",)]
        self.indices = [(at, array, self.names.index(array.below)) for at, array in self.arrays if array.below]
        self.known: dict[Any, str] = {}

    def bind(self, given: tuple[Any, ...], options: dict[str, Any]) -> list[Any]:
        """The arguments in the contract's order. Raises TypeError if one is missing or unknown."""
        if not options and len(given) == len(self.names):
            return list(given)
        try:
            bound = self.signature.bind(*given, **options)
        except TypeError as error:
            raise TypeError(f"{self.name}{self.signature}: {error}. See minicnn/backends/contract.py.") from None
        bound.apply_defaults()
        return list(bound.arguments.values())

    @cached_property
    def kind(self) -> Any:
        """The type of the backend's arrays. Other types, such as subclasses and scalars, take a slower check."""
        return type(self.backend.to_device(0.0))

    def check(self, values: list[Any], like: Any = None) -> str:
        """Convert all arguments, in place, to what kernels expect. Raises TypeError or ValueError, naming the argument.

        In a backward, `like` has the shape and the dtype of the forward's y. Returns NumPy's letter for the arrays'
        floating dtype, "" if none is floating, or OTHER.
        """
        self.check_options(values)
        if self.lists:
            return self.check_lists(values)
        kind, contiguous = self.kind, self.backend.contiguous
        key = [values[at] for at in self.geometry] if like is None else [like.shape, like.dtype]
        for at, declared in self.arrays:
            array = values[at]
            if type(array) is not kind:
                if (array is None and declared.optional) or (declared.or_number and type(array) in (int, float)):
                    key.append(None)
                    continue
                check_memory(self.name, declared.argument, array, ops=self.backend)
            values[at] = array = contiguous(array).view()  # a new object: the caller might change the given one's shape
            key += (array.shape, array.dtype)
        combination = tuple(key)
        letter = self.known.get(combination)
        if letter is None:
            if len(self.known) == REMEMBERED:
                self.known.clear()
            letter, _ = self.check_shapes(values, like)
            self.known[combination] = letter
        for at, declared, bound in self.indices:
            self.check_indices(declared, values[at], values[bound])
        return letter

    def check_options(self, values: list[Any]) -> None:
        """Convert all options to plain Python values. Raises TypeError or ValueError, naming the option."""
        for at, where, check in self.options:
            values[at] = check(where, values[at])

    def check_shapes(self, values: list[Any], like: Any = None) -> tuple[str, Lengths]:
        """The result of `check` and the lengths of all axes; they depend only on shapes, dtypes and GEOMETRY."""
        known: Lengths = {} if like is None else {"...": like.shape}
        letters = {} if like is None else {"y": like.dtype.char}
        for at, declared in self.arrays:
            array = values[at]
            if not hasattr(array, "shape"):  # None, or a number
                continue
            if declared.kind == "floating":
                self.check_dtype(declared.argument, array.dtype, letters)
            elif array.dtype.kind not in KINDS[declared.kind]:
                remedy = "Convert it with .astype."
                raise TypeError(explain(self.name, f"{declared.argument} of {declared.kind}", str(array.dtype), remedy))
            lengths = declared.lengths(array.shape, known)
            if lengths is None:
                expected = f"{declared.argument} of shape {declared.describe(known)}"
                remedy = "A letter is the same length in all arguments, at least 1 (only N may be 0)."
                raise ValueError(explain(self.name, expected, f"shape {array.shape}", remedy))
            known = lengths
        self.check_sizes(dict(zip(self.names, values, strict=True)), known)
        found = set(letters.values())
        return found.pop() if len(found) == 1 else OTHER if found else "", known

    def check_dtype(self, argument: str, dtype: np.dtype, letters: dict[str, str]) -> None:
        """Raise TypeError unless it is a floating dtype, equal to that of the arguments before it. A complex dtype may
        be combined with the real dtype of its parts."""
        if dtype.kind not in KINDS["floating"]:
            remedy = 'Convert it with .astype("float32").'
            raise TypeError(explain(self.name, f"{argument} of floating-point numbers", str(dtype), remedy))
        for other, letter in letters.items():
            if letter.lower() != dtype.char.lower() or (other == "y" and letter != dtype.char):
                expected = f"{argument} of dtype {np.dtype(letter)}, as {other}"
                remedy = f'Convert it with .astype("{np.dtype(letter)}"): operations do not round silently.'
                raise TypeError(explain(self.name, expected, str(dtype), remedy))
        letters[argument] = dtype.char

    def check_sizes(self, given: dict[str, Any], known: Lengths) -> None:
        """Raise ValueError if a window is larger than the image, a mean has no samples, or y does not fit in memory."""
        largest = 0
        if "padding" in given:
            sides, window = (known["H"], known["W"]), given.get("pool_size") or (known["KH"], known["KW"])
            gaps = given.get("dilation_rate", (1, 1))
            window = (window[0] - 1) * gaps[0] + 1, (window[1] - 1) * gaps[1] + 1
            if given["padding"] == "valid" and (window[0] > sides[0] or window[1] > sides[1]):
                which = "pool_size" if "pool_size" in given else "dilated kernel" if max(gaps) > 1 else "kernel"
                expected = f"a {which} of at most {sides[0]} x {sides[1]}, the size of the image"
                remedy = 'Make it smaller, or use padding="same".'
                raise ValueError(explain(self.name, expected, f"{window[0]} x {window[1]}", remedy))
            axes = [(*axis, given["padding"]) for axis in zip(sides, window, given["strides"], strict=True)]
            known["OH"], known["OW"] = (output_length(*axis) for axis in axes)
            padded = [axis[0] + sum(pad_amounts(*axis)) for axis in axes]
            largest = known["N"] * prod(padded) * known["C"]
        if "groups" in given:
            self.check_groups(given["groups"], known)
        if "rows" in given:
            known["OH"], known["OW"] = known["H"] + sum(given["rows"]), known["W"] + sum(given["columns"])
            self.check_borders(given, known)
        if "size" in given:
            known["OH"], known["OW"] = known["H"] * given["size"][0], known["W"] * given["size"][1]
        if (self.y is not None and self.y.axes == ()) or given.get("training"):
            for _, declared in self.arrays:
                if 0 in given[declared.argument].shape:
                    found = f"{declared.argument} of shape {given[declared.argument].shape}"
                    raise ValueError(explain(self.name, "at least one sample", found, "Leave out empty batches."))
        if self.y is not None:
            largest = max(largest, prod(self.y.shape(known)))
        if largest > MOST_NUMBERS:
            expected = f"an {self.arrays[0][1].argument} and windows whose y fits into memory"
            raise ValueError(explain(self.name, expected, f"{largest} numbers", "Use smaller batches or windows."))

    def check_groups(self, groups: int, known: Lengths) -> None:
        """Raise ValueError unless the channels can be divided into so many groups."""
        found = ", ".join(f"{letter} = {known[letter]}" for letter in ("C", "D", "F") if letter in known)
        if known["C"] % groups or known.get("F", 0) % groups:
            expected = f"channels in {groups} equal groups"
            raise ValueError(explain(self.name, expected, found, "Choose a number of groups that divides them."))
        if "D" in known and known["D"] != known["C"] // groups:
            expected = f"a kernel of (KH, KW, D, F) with D = C / groups = {known['C'] // groups}"
            raise ValueError(explain(self.name, expected, found, "A filter gets the channels of its group only."))

    def check_borders(self, given: dict[str, Any], known: Lengths) -> None:
        """Raise ValueError if no row or no column is left."""
        for option, length in (("rows", known["H"]), ("columns", known["W"])):
            if length - sum(max(-cut, 0) for cut in given[option]) < 1:
                expected = f"{option} that leave at least one of {length}"
                raise ValueError(explain(self.name, expected, f"{given[option]}", "Cut off less."))

    def check_indices(self, declared: Declared, indices: Array, bound: Any) -> None:
        """Raise ValueError unless all are in 0 … bound − 1. On a GPU this would wait; there the kernels check it."""
        limit = bound if isinstance(bound, int) else len(bound)
        if isinstance(indices, np.ndarray) and indices.size:
            smallest, largest = indices.min(), indices.max()
            if smallest < 0 or largest >= limit:
                expected, found = f"{declared.argument} in 0 … {limit - 1}", f"{smallest} … {largest}"
                raise ValueError(explain(self.name, expected, found, "Count from 0."))

    def check_lists(self, values: list[Any]) -> str:
        """The check of an optimiser step: lists of one length; for each parameter, arrays of one shape, dtype and
        memory. Arrays that change must not overlap with others."""
        lists = [values[at] for at, _ in self.lists]
        for (_, declared), arrays in zip(self.lists, lists, strict=True):
            if not isinstance(arrays, (list, tuple)) or len(arrays) != len(lists[0]):
                found = f"{len(arrays)} entries" if isinstance(arrays, (list, tuple)) else f"a {type(arrays).__name__}"
                expected = f"{declared.argument} a list, one array for each of the values"
                raise ValueError(explain(self.name, expected, found, "Keep all lists in the parameters' order."))
        for (_, declared), arrays in zip(self.lists, lists, strict=True):
            for number, array in enumerate(arrays):
                if type(array) is not self.kind:
                    check_memory(self.name, f"{declared.argument}[{number}]", array, ops=self.backend)
        self.check_alike(lists)
        for (at, declared), arrays in zip(self.lists, lists, strict=True):
            values[at] = [self.backend.contiguous(array) for array in arrays]
            if declared.in_place and not all(map(is_, values[at], arrays)):
                remedy = "The step changes it in place. numpy.array(…) makes such an array."
                expected = f"{declared.argument} contiguous, aligned and writeable"
                raise ValueError(explain(self.name, expected, "an array that is not", remedy))
        self.check_overlaps(lists)
        letters = {array.dtype.char for array in lists[0]}
        return letters.pop() if len(letters) == 1 else OTHER

    def check_alike(self, lists: list[Any]) -> None:
        """Raise TypeError or ValueError unless the arrays of each parameter have one shape and one floating dtype."""
        alike = [[(array.shape, array.dtype) for array in arrays] for arrays in lists]
        for number, (_, dtype) in enumerate(alike[0]):
            if dtype.kind not in KINDS["floating"]:
                self.check_dtype(f"{self.lists[0][1].argument}[{number}]", dtype, {})
        for (_, declared), found in zip(self.lists, alike, strict=True):
            if found != alike[0]:
                number = [one == other for one, other in zip(found, alike[0], strict=True)].index(False)
                (shape, dtype), (other_shape, other_dtype) = alike[0][number], found[number]
                expected = f"{declared.argument}[{number}] of shape {shape} and {dtype}, as its value"
                remedy = "A gradient has the shape of its parameter: is a sum over the batch missing, .sum(axis=0)?"
                raise ValueError(explain(self.name, expected, f"one of shape {other_shape} and {other_dtype}", remedy))

    def check_overlaps(self, lists: list[Any]) -> None:
        """Raise ValueError if an array that changes shares memory with another one."""
        owners: dict[bool, list[Any]] = {True: [], False: []}
        for (_, declared), arrays in zip(self.lists, lists, strict=True):
            owners[declared.in_place] += [array if array.base is None else array.base for array in arrays]
        kind, changing = self.kind, set(map(id, owners[True]))
        apart = len(changing) == len(owners[True]) and changing.isdisjoint(map(id, owners[False]))
        if apart and all(type(owner) is kind and owner.base is None for owner in owners[True] + owners[False]):
            return  # each array has its own memory
        spans = [
            (*_span(array), declared.in_place, f"{declared.argument}[{number}]")
            for (_, declared), arrays in zip(self.lists, lists, strict=True)
            for number, array in enumerate(arrays)
        ]
        for (begin, end, changes, one), (other_begin, other_end, other_changes, other) in combinations(spans, 2):
            if begin < other_end and other_begin < end and (changes or other_changes):
                remedy = "Give each parameter its own memory, and only once."
                raise ValueError(
                    explain(self.name, f"{other} and {one} in separate memory", "overlapping arrays", remedy)
                )


def _span(array: Array) -> tuple[int, int]:
    """The addresses where a contiguous array begins and ends."""
    interface = getattr(array, "__cuda_array_interface__", None) or array.__array_interface__
    begin = interface["data"][0]
    return begin, begin + array.nbytes
