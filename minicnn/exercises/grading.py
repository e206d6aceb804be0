"""What checks are made of: the learner's file, comparisons with a known answer, and the gradient doctor.

Every message is for the learner: what is wrong, in their words and at their line, and what to do.
"""

from __future__ import annotations

import importlib.util
import inspect
import linecache
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import numpy as np

from ..gradcheck import Report, check_operation
from .exercise import Part

NOT_WRITTEN = "not written yet: it is None, or not returned."

Function = Callable[..., Any]


class Stopped(Exception):
    """The check cannot go on; the message is a sentence for the learner."""


class Ended(Exception):
    """The check ends here, and what is wrong has been said."""


class Work:
    """A learner's file, loaded, and what the check says besides the parts."""

    def __init__(self, path: Path, hints: int = 0) -> None:
        self.path = path
        self.hints = hints
        """How many hints the learner has seen."""
        self.remarks: list[str] = []
        self.module = self._load()

    def _load(self) -> ModuleType:
        spec = importlib.util.spec_from_file_location("exercise", self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def get(self, name: str) -> Any:
        """Something that the file defines. Raises Stopped if it does not."""
        if hasattr(self.module, name):
            return getattr(self.module, name)
        own = [key for key, value in vars(self.module).items() if getattr(value, "__module__", None) == "exercise"]
        similar = get_close_matches(name, own, n=1)
        hint = (
            f"Did you rename it? There is {similar[0]!r}." if similar else f"It defines {', '.join(own) or 'nothing'}."
        )
        raise Stopped(f"{self.path.name} has no {name!r}, which the stub had. {hint}")

    def function(self, name: str, *arguments: str) -> Function:
        """A function of the file, which can be called with these arguments. Raises Stopped if it cannot."""
        function = self.get(name)
        if not callable(function):
            raise Stopped(f"{name} is not a function any more, but {type(function).__name__}. Keep `def {name}(…):`.")
        try:
            inspect.signature(function).bind(*arguments)
        except TypeError:
            raise Stopped(
                f"{name} has to be called as {name}({', '.join(arguments)}), but it is defined as "
                f"{name}{inspect.signature(function)}. Give it the stub's arguments again."
            ) from None
        except ValueError:  # a function that Python cannot inspect
            pass
        return function

    def stop_unless(self, *parts: Part) -> None:
        """End the check if one of these parts is wrong: what follows would be judged by it."""
        if not all(part.ok for part in parts):
            raise Ended


def normal(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Random normal arrays of these shapes."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


# a comparison with a known answer


def equal(name: str, found: Any, expected: Any, about: str = "", tolerance: float = 1e-7) -> Part:
    """Whether an array or a number is the expected one; `about` says of what input, or what to do."""
    problem = _difference(found, np.asarray(expected), tolerance)
    if problem is None:
        return Part(name, True)
    return Part(name, False, problem if problem == NOT_WRITTEN else f"{problem} {about}".rstrip())


def given(name: str, found: Any, expected: Any) -> None:
    """Raises Stopped unless a function of the stub that is not to be changed computes what it computed there."""
    part = equal(name, found, expected)
    if not part.ok:
        raise Stopped(f"{name} is given, but it computes something else now: {part.text} Undo your change of {name}.")


def _difference(found: Any, expected: np.ndarray, tolerance: float) -> str | None:
    if found is None:
        return NOT_WRITTEN
    if isinstance(found, tuple):
        return f"it is a tuple of {len(found)} things, but one array is expected."
    try:
        array = np.asarray(found, np.float64)
    except (TypeError, ValueError):
        return f"it is {type(found).__name__}, not an array of numbers."
    if array.shape != expected.shape:
        turned = " It is transposed." if array.shape == expected.shape[::-1] else ""
        return f"it has the shape {array.shape}, but {expected.shape} is expected.{turned}"
    if not np.isfinite(array).all():
        place = _entry(~np.isfinite(array))
        return f"{place or 'it'} is NaN or infinite. Look for an overflow, a division by 0 or a logarithm of 0."
    wrong = np.abs(array - expected) > tolerance * max(1.0, float(np.abs(expected).max(initial=0)))
    if not wrong.any():
        return None
    index = tuple(np.argwhere(wrong)[0]) if wrong.ndim else ()
    numbers = f"is {array[index]:.5g}, but {expected[index]:.5g} is expected"
    if not wrong.ndim:
        return f"it {numbers}.{_factor(array, expected)}"
    return f"{_entry(wrong)} {numbers}; {wrong.sum()} of {wrong.size} entries are wrong.{_factor(array, expected)}"


def _entry(wrong: np.ndarray) -> str:
    """ "entry [0, 2]", the first where `wrong` is true."""
    return f"entry {np.argwhere(wrong)[0].tolist()}" if wrong.ndim else ""


def _factor(array: np.ndarray, expected: np.ndarray) -> str:
    """A sentence if one array is a multiple of the other."""
    square = float((expected**2).sum())
    factor = float((array * expected).sum()) / square if square else 0.0
    if array.size == 1 or abs(factor) < 1e-6 or not np.allclose(array, factor * expected, rtol=1e-6):
        return ""
    return f" Everything is {factor:.4g} times as large as it should be."


def first_wrong(parts: Iterable[Part]) -> Part:
    """Of the same part for several inputs: the first wrong one, or the last."""
    for part in parts:
        if not part.ok:
            break
    return part


def results(function: Function, arguments: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """What the function returns, a tuple with these names. Raises Stopped if it returns something else."""
    returned = function(*arguments)
    called, expected = getattr(function, "__name__", "the function"), ", ".join(names)
    if len(names) == 1:
        return [returned]
    if returned is None:
        raise Stopped(f"{called} returns nothing. Its last line has to be `return {expected}`.")
    if not isinstance(returned, (tuple, list)) or len(returned) != len(names):
        found = f"{len(returned)} things" if isinstance(returned, (tuple, list)) else f"one {type(returned).__name__}"
        raise Stopped(f"{called} returns {found}. Its last line has to be `return {expected}`.")
    return list(returned)


# the gradient doctor


def doctor(
    forward: Function,
    backward: Function,
    cases: Sequence[Sequence[Any]],
    names: Sequence[str],
    takes_dy: bool = True,
) -> Iterator[Part]:
    """One part for each gradient, right if it is on all cases: arguments of the forward, arrays and options.

    The forward is the answer key, so it has to be right: check it first. `takes_dy` is False for a loss, whose backward
    gets only what the forward saved.
    """
    found: dict[str, Part] = {}
    for case in cases:
        for part in _examined(forward, backward, case, names, takes_dy):
            if part.name not in found or found[part.name].ok:
                found[part.name] = part
    yield from found.values()


def _examined(
    forward: Function, backward: Function, case: Sequence[Any], names: Sequence[str], takes_dy: bool
) -> Iterator[Part]:
    y, saved = results(forward, deepcopy(case), ("y", "saved"))
    returned = [name.rpartition(" ")[2] for name in names]  # "network: dx" is dx in the code
    gradients = results(backward, (np.ones(np.shape(y)), saved) if takes_dy else (saved,), returned)
    unwritten = {name for name, gradient in zip(names, gradients, strict=True) if gradient is None}
    if unwritten == set(names):
        yield from (Part(name, False, NOT_WRITTEN) for name in names)
        return
    for part in parts_of(check_operation(forward, backward, *case), names):
        yield Part(part.name, False, NOT_WRITTEN) if part.name in unwritten else part


def parts_of(report: Report, names: Sequence[str]) -> Iterator[Part]:
    """The doctor's findings as parts: its gradients in their order; a broken rule counts for the first of them."""
    gradients = [found for found in report.findings if found.error is not None]
    broken = next((found for found in report.findings if found.error is None and not found.ok), None)
    for name, found in zip(names, gradients, strict=True):
        part = Part(name, found.ok, found.diagnosis or "", found.causes)
        if broken and found.ok:
            rule = f"the numbers are right, but a rule is broken, {broken.quantity!r}:"
            part, broken = Part(name, False, f"{rule} {broken.diagnosis}", broken.causes), None
        yield part


# an exception in the learner's code


def explained(error: BaseException, path: Path) -> str:
    """A sentence about an exception: the line of the learner's file, the message, the shapes of the arrays there."""
    if isinstance(error, Stopped):
        return str(error)
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line = (error.text or "").strip()
        return f"Python cannot read line {error.lineno} of {path.name}, `{line}`: {error.msg}."
    if type(error).__module__.startswith("numba."):
        return _not_compiled(str(error), path)
    frame = _frame_in(error.__traceback__, path)
    if frame is None:
        if isinstance(error, (ValueError, TypeError, RuntimeError)):
            return str(error)  # minicnn's own errors are sentences
        return f"The check itself failed, with {_named(error)}. This is a mistake of minicnn: please report it."
    line = linecache.getline(str(path), frame.tb_lineno).strip()
    where = f"Line {frame.tb_lineno} of {path.name}, `{line}`,"
    if isinstance(error, SystemExit):
        return f"{where} ends the program. Remove it: the check could not go on."
    if isinstance(error, RecursionError):
        return f"{where} calls itself without an end (RecursionError)."
    if isinstance(error, ModuleNotFoundError):
        return f"{where} finds no module {error.name!r}. Is it spelt right? If so: pip install {error.name}."
    shapes = _shapes(frame.tb_frame.f_locals)
    product = " A product a @ b needs as many columns in a as rows in b: is one of them to be transposed?"
    meaning = product if "mismatch in its core dimension" in str(error) else ""
    return f"{where} raises {_named(error)}.{meaning}" + (f" There {shapes}." if shapes else "")


def _not_compiled(message: str, path: Path) -> str:
    """Numba's message without its colours: its first sentences, and the line."""
    plain = re.sub(r"\x1b\[\d*m", "", message)
    place = re.search(rf'File "[^"]*{re.escape(path.name)}", line (\d+)', plain)
    code = linecache.getline(str(path), int(place[1])).strip() if place else ""
    where = f" line {place[1]} of {path.name}, `{code}`" if place else " the function"
    reasons = [line.strip() for line in plain.splitlines() if line.strip() and not line.startswith(("File", "Failed"))]
    return f"Numba cannot compile{where}: {' '.join(reasons[:2])}"


def _named(error: BaseException) -> str:
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message.rstrip('.')}" if message else type(error).__name__


def _frame_in(trace: TracebackType | None, path: Path) -> TracebackType | None:
    """The innermost part of a traceback that lies in the learner's file."""
    inside = [frame for frame in _walk(trace) if frame.tb_frame.f_code.co_filename == str(path)]
    return inside[-1] if inside else None


def _walk(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _shapes(variables: dict[str, Any]) -> str:
    """ "x is (5, 3), dy is (5, 4)": the arrays among the variables."""
    arrays = {name: value for name, value in variables.items() if isinstance(value, np.ndarray)}
    return ", ".join(f"{name} has the shape {array.shape}" for name, array in list(arrays.items())[:6])
