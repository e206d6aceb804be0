"""How a test ended: passed, passed but for the words of an error, about something that is not offered, or failed."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from minicnn import compatibility

from .stand_in import NotOffered


class Outcome(NamedTuple):
    kind: str
    """One of KINDS."""
    cause: str


KINDS = {
    "passed": "passed",
    "words": "passed, but an error has other words than Keras's: the same class, and minicnn's form of a message",
    "apart": "about something that minicnn says it does not have: its error says so, or the compatibility table",
    "skipped": "skipped by Keras's test itself, which is about another backend",
    "failed": "failed",
}

NOT_OFFERED = {
    r"channels_first": "channels_first",
    r"dtype float32 or float64|has no (dtype_policy|compute_dtype|variable_dtype)": "dtypes but float32 and float64",
    r"There are no masks|has no (compute_mask|supports_masking)": "masks",
    r"There is no quantisation|has no enable_lora|lora_\w+=None, the only value": "quantisation and LoRA",
    r"constraint=None, the only value": "constraints",
    r"(sparse|ragged|optional)=(None|False), the only value": "sparse, ragged and optional inputs",
    r"bounding_box_format": "bounding boxes",
    r"expected inputs and outputs, found none": "a class of one's own that derives from Model, with call",
    r"method call_backward|call: expected a function of x, training": "a class of one's own without a gradient",
    r"^in user code:|SymbolicTensor": "a layer inside of TensorFlow's graph",
    r"has no _\w+ yet": "an attribute of Keras's that begins with an underscore",
}
"""Words of minicnn's errors that say that something is not offered, and what it is."""

CLEAR = re.compile(
    r"expected .*, found |Did you mean|Known: |Its arguments: |Keras has it, minicnn does not", re.DOTALL
)
"""The form of minicnn's messages, which say what was expected and what was found."""


def of_passed(other_words: list[tuple[str, str]]) -> Outcome:
    """The outcome of a test that ran to its end, some errors perhaps with other words than Keras's."""
    for expected, message in other_words:
        if not CLEAR.search(message):
            return Outcome("failed", f"unclear error: {_line(message)} (Keras: {_line(expected)})")
    return Outcome("words", _line(other_words[0][1])) if other_words else Outcome("passed", "")


def of_error(error: BaseException) -> Outcome:
    """The outcome of a test that ended with this error."""
    if isinstance(error, NotOffered):
        return Outcome("apart", f"Keras's {error}")
    for words, what in NOT_OFFERED.items():
        if re.search(words, str(error)):
            return Outcome("apart", what)
    for word in re.findall(r"found '(\w+)'", str(error)):
        if path := _missing_name(word):
            return Outcome("apart", f"Keras's {path}, by its string name")
    if isinstance(error, AssertionError):
        numbers = "Mismatched elements" in str(error) and "shapes" not in str(error)
        return Outcome("failed", f"{'other numbers' if numbers else 'another result'}: {_line(str(error))}")
    clear = "" if CLEAR.search(str(error)) else "unclear "
    return Outcome("failed", f"{clear}{type(error).__name__}: {_line(str(error))}")


@cache
def _missing_name(word: str) -> str | None:
    """The public name that a string such as "lion" or "log_softmax" is short for, if minicnn does not have it."""
    plain = word.replace("_", "").lower()
    paths = [path for path in compatibility.keras_names() if path.rpartition(".")[2].replace("_", "").lower() == plain]
    has = any(compatibility.offered(path) is not None for path in paths)
    return None if has or not paths else paths[0]


def _line(message: str) -> str:
    return " ".join(message.split())[:160]
