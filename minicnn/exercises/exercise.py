"""What an exercise is, and what the check of a learner's file finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "course"

FOOTER = """

if __name__ == "__main__":  # running this file checks it
    from minicnn.exercises.command_line import main

    main(["check", __file__])
"""


@dataclass(frozen=True)
class Part:
    """One part of an exercise, such as one gradient, worth one point: is it right, and if not, what is wrong?"""

    name: str
    ok: bool
    text: str = ""
    causes: tuple[str, ...] = ()
    """The identifiers of the mistakes, if the gradient doctor has proven any."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"name": self.name, "ok": self.ok, "text": self.text, "causes": list(self.causes)}


Check = Callable[..., Iterator[Part]]


@dataclass(frozen=True)
class Exercise:
    """An exercise: the files `stub.py` and `solution.py` of its folder in `course/`, its hints, and its check."""

    name: str
    """The name of its folder."""
    title: str
    parts: tuple[str, ...]
    """The names of its parts, in the order of the report."""
    check: Check
    """check(work) yields a Part for each name, from a learner's file."""
    hint_text: str
    """The hints, from the first to the plainest: paragraphs with empty lines between them."""
    praise_text: str
    """What a right answer shows, and where to read on."""
    stub: Callable[[int], str] | None = None
    """Makes the stub's text from a seed; None if it is the text of `stub.py`."""

    @property
    def hints(self) -> list[str]:
        return [" ".join(paragraph.split()) for paragraph in self.hint_text.strip().split("\n\n")]

    @property
    def praise(self) -> str:
        return " ".join(self.praise_text.split())

    def task(self, seed: int) -> str:
        """What the learner gets: the derivation's start, and the code with gaps."""
        return self.stub(seed) if self.stub else (HERE / self.name / "stub.py").read_text("utf-8")

    def stub_text(self, seed: int) -> str:
        """The text of the learner's file: the task, and lines that check it when the file is run."""
        return self.task(seed) + FOOTER

    @property
    def solution(self) -> Path:
        return HERE / self.name / "solution.py"


@dataclass(frozen=True)
class Outcome:
    """What the check of one file found."""

    parts: tuple[Part, ...]
    message: str = ""
    """Why the check ended early: an exception, an endless loop, a missing function; empty if it did not."""
    remarks: tuple[str, ...] = ()
    printed: tuple[str, ...] = ()
    """The first lines that the learner's code printed."""
    lines_printed: int = 0

    @property
    def passed(self) -> bool:
        return not self.message and all(part.ok for part in self.parts)

    @property
    def points(self) -> int:
        return sum(part.ok for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "passed": self.passed,
            "points": self.points,
            "of": len(self.parts),
            "message": self.message,
            "parts": [part.to_dict() for part in self.parts],
            "remarks": list(self.remarks),
            "printed": list(self.printed),
            "lines_printed": self.lines_printed,
        }
