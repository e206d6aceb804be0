"""What a page asks for, and the answers, as JSON: the only functions that the web worker calls.

What Python prints meanwhile is shown in the page at once and is no part of the answers.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from .. import use_backend
from ..datasets.checksums import SAMPLE_DIRECTORY
from ..exercises.folder import file_name, find
from ..exercises.runner import outcome
from ..exercises.worker import FirstLines, check
from . import textbook
from .cells import Cells

Answer = dict[str, Any]


class Page:
    """The session of one page; `folder` is for its files."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        os.chdir(folder)
        os.environ["MINICNN_DATA"] = str(SAMPLE_DIRECTORY)  # a browser has no other data, and downloads nothing
        sys.dont_write_bytecode = True  # a file that is written again in the same second would not be compiled again
        use_backend("numpy")  # the only one in a browser; chosen, it gives no warning that Numba is missing
        self.cells = Cells(Path(folder))
        self.kinds: dict[str, Callable[..., Answer]] = {
            "run": self.run,
            "replace": self.replace,
            "check": self.check,
            "exercise": self.exercise,
        }

    def answer(self, question: str) -> str:
        """The answer to {"kind": …, and the arguments of that method}."""
        asked = json.loads(question)
        answer = self.kinds[asked.pop("kind")](**asked)
        sys.stdout.flush()
        sys.stderr.flush()
        return json.dumps(answer)

    def run(self, name: str, code: str) -> Answer:
        """Run a cell. The answer: whether it raised no exception, and the pictures to be shown."""
        ok = self.cells.run(name, code)
        return {"ok": ok, "pictures": self.cells.pictures()}

    def replace(self, name: str, code: str) -> Answer:
        """Put the reader's code in place of minicnn's file `name`. The answer: whether it can be executed."""
        cells = self.cells
        return {"ok": cells.attempt(lambda: textbook.replace(name, cells.compiled(name, code), cells.variables))}

    def check(self, name: str, code: str) -> Answer:
        """`replace`, and print what the gradient doctor says. The answer: was it replaced, and is everything right?"""
        replaced = self.replace(name, code)["ok"]
        reports: list[bool] = []

        def examine() -> None:
            for report in textbook.check(name):
                print("\n" * bool(reports), report, sep="")
                reports.append(bool(report))
                if not report:  # one diagnosis is enough to read
                    break

        return {"replaced": replaced, "ok": replaced and self.cells.attempt(examine) and all(reports)}

    def exercise(self, name: str, code: str, hints: int) -> Answer:
        """Check the code of an exercise. The answer: the outcome, and a sentence for those who are done."""
        exercise = find(name)
        file = self.cells.folder / file_name(exercise)
        file.write_text(code, "utf-8")
        found: list[dict[str, Any]] = []
        printed = FirstLines()
        with redirect_stdout(printed), redirect_stderr(printed):
            check(exercise, file, hints, lambda **facts: found.append(facts))
        found.append({"printed": printed.kept, "lines_printed": printed.count})
        result = outcome(exercise, found)
        return {"ok": result.passed, **result.to_dict(), "praise": exercise.praise}
