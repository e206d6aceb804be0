"""Checks one file in a process of its own: python -m minicnn.exercises.worker NAME FILE RESULT SECONDS HINTS.

The learner's code may loop for ever, crash or print: nothing of that harms the program that waits. Everything found is
written to RESULT at once, a JSON object a line, so that it is there even if the process ends early.
"""

from __future__ import annotations

import faulthandler
import io
import json
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from .. import use_backend
from .course import COURSE
from .exercise import Exercise
from .grading import Ended, Work, explained

LINES_KEPT = 5


def main(name: str, file: str, result: str, seconds: str, hints: str) -> None:
    """Check the file; what ends the check early becomes a sentence in RESULT."""
    with open(result, "a", encoding="utf-8") as lines, open(f"{result}.trace", "w") as trace:

        def write(**facts: Any) -> None:
            print(json.dumps(facts), file=lines, flush=True)

        exercise = next(exercise for exercise in COURSE if exercise.name == name)
        use_backend("numpy")  # the textbook: nothing has to be compiled
        printed = FirstLines()
        faulthandler.dump_traceback_later(float(seconds), exit=True, file=trace)  # which also says where it was
        with redirect_stdout(printed), redirect_stderr(printed):
            check(exercise, Path(file), int(hints), write)
        faulthandler.cancel_dump_traceback_later()
        write(printed=printed.kept, lines_printed=printed.count)
        os._exit(0)  # without waiting for threads of the learner's


def check(exercise: Exercise, path: Path, hints: int, write: Callable[..., None]) -> None:
    """Check a file in this process. Tells `write` each part, then remarks=…, ended=True, or stopped=, a sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            work = Work(path, hints)
            with suppress(Ended):
                for part in exercise.check(work):
                    write(part=part.to_dict())
            write(remarks=work.remarks, ended=True)
        except BaseException as error:  # whatever the learner's code raises, SystemExit included
            write(stopped=explained(error, path))


class FirstLines(io.TextIOBase):
    """Keeps the first lines that are written to it and counts the others: an endless loop may print without an end."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.count = 0
        self._line = ""

    def write(self, text: str) -> int:
        *complete, self._line = (self._line + text[:10_000]).split("\n")
        self.kept += [line[:200] for line in complete[: max(0, LINES_KEPT - self.count)]]
        self.count += len(complete)
        self._line = self._line[:200]
        return len(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
