"""The learner's folder: one file for each exercise, a README, and the progress in `progress.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import did_you_mean, explain
from ..files import atomic_writer, explained
from .course import COURSE
from .exercise import Exercise, Outcome

PROGRESS = "progress.json"
SCHEMA = 1
PROGRAM = "python -m minicnn.exercises"

README = """# Exercises: backpropagation, one operation at a time

Each file is one exercise. It begins with the formulas and the start of the derivation; then there is a function to
complete. Work in the order of the numbers:

1. Open `{first}` in an editor and read its beginning.
2. Replace each `None` that belongs to your task.
3. Run the file, or `{program} check` in this folder. It says what is right, what is wrong, and why.

| command | what it does |
|---|---|
| `{program} check` | checks the next exercise that is not done yet |
| `{program} check {name}` | checks this exercise; its number or its file name does, too |
| `{program} hint {name}` | shows the next hint |
| `{program} list` | lists all exercises |
| `{program} progress` | shows what is done |

The check compares your gradients with numerical ones; `minicnn.gradcheck`, which does it, names the mistake if it is a
known one. Your own `print` calls are shown. `progress.json` has your progress; nothing is sent anywhere.

To get a stub back, run `{program} start another-folder` and copy the file from there.

{table}
"""


class Folder:
    """A folder with exercises."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def start(cls, path: Path, seed: int) -> Folder:
        """Write all stubs and the README into a new or empty folder. Raises OSError if there is anything in it."""
        folder = cls(path)
        with explained(path, "cannot be read", "Give another folder."):
            found = sorted(entry.name for entry in path.iterdir()) if path.exists() else []
        if found:
            shown = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
            remedy = "Nothing was changed. Give a folder that does not exist yet."
            raise FileExistsError(explain(f"start {path}", "a new or an empty folder", f"{shown} in it", remedy))
        with explained(path, "cannot be written", "Give another folder."):
            path.mkdir(parents=True, exist_ok=True)
            for exercise in COURSE:
                folder.file(exercise).write_text(exercise.stub_text(seed), "utf-8")
            (path / "README.md").write_text(_readme(), "utf-8")
        folder._save({"schema": SCHEMA, "seed": seed, "exercises": {}})
        return folder

    def file(self, exercise: Exercise) -> Path:
        """The learner's file of an exercise."""
        return self.path / file_name(exercise)

    def is_untouched(self, exercise: Exercise) -> bool:
        """Whether the file is still the stub."""
        file = self.file(exercise)
        return file.is_file() and file.read_text("utf-8", "replace") == exercise.stub_text(self._load().get("seed", 0))

    def check_started(self) -> None:
        """Raises FileNotFoundError if there are no exercises in this folder."""
        if not (self.path / PROGRESS).exists() and not any(self.file(exercise).exists() for exercise in COURSE):
            remedy = f"Begin with `{PROGRAM} start my-exercises` and `cd my-exercises`, or give --folder."
            where = "the current folder" if self.path == Path() else str(self.path)
            raise FileNotFoundError(explain(where, f"exercises, such as {file_name(COURSE[0])}", "none", remedy))

    def of(self, exercise: Exercise) -> dict[str, Any]:
        """The progress of one exercise: passed, checks, hints, points. Raises ValueError for a damaged file."""
        known = self._load()["exercises"].get(exercise.name, {})
        return {"passed": False, "checks": 0, "hints": 0, "points": 0, **known}

    def next(self) -> Exercise | None:
        """The first exercise that is not passed yet."""
        return next((exercise for exercise in COURSE if not self.of(exercise)["passed"]), None)

    def record(self, exercise: Exercise, outcome: Outcome) -> None:
        """Count a check. An exercise that was passed once stays so."""
        was = self.of(exercise)
        self._update(
            exercise,
            passed=was["passed"] or outcome.passed,
            checks=was["checks"] + 1,
            points=max(was["points"], outcome.points),
        )

    def take_hint(self, exercise: Exercise) -> int:
        """Count the next hint; the number of hints seen by now."""
        seen = min(self.of(exercise)["hints"] + 1, len(exercise.hints))
        self._update(exercise, hints=seen)
        return seen

    def _update(self, exercise: Exercise, **facts: Any) -> None:
        content = self._load()
        content["exercises"][exercise.name] = {**self.of(exercise), **facts}
        self._save(content)

    def _load(self) -> dict[str, Any]:
        path = self.path / PROGRESS
        if not path.exists():
            return {"schema": SCHEMA, "exercises": {}}
        remedy = "Delete it to begin counting anew; your answers are in the other files."
        with explained(path, "cannot be read", remedy):
            text = path.read_text("utf-8", "replace")
        try:
            content = json.loads(text)
            if content["schema"] != SCHEMA or not all(isinstance(v, dict) for v in content["exercises"].values()):
                raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ValueError(
                explain(str(path), "the progress as this program writes it", "a damaged file", remedy)
            ) from None
        return content

    def _save(self, content: dict[str, Any]) -> None:
        with atomic_writer(self.path / PROGRESS) as file:
            file.write(json.dumps(content, indent=2).encode() + b"\n")


def number(exercise: Exercise) -> int:
    """The exercise's place in the course, from 1."""
    return COURSE.index(exercise) + 1


def file_name(exercise: Exercise) -> str:
    return f"{number(exercise):02}_{exercise.name}.py"


def find(word: str) -> Exercise:
    """An exercise by its name, number or file: dense, 1, 01_dense.py. Raises ValueError for an unknown one."""
    plain = Path(word).name.removesuffix(".py").replace("-", "_").lower()
    for exercise in COURSE:
        if plain in (exercise.name, file_name(exercise).removesuffix(".py")) or plain.lstrip("0") == str(
            number(exercise)
        ):
            return exercise
    names = [exercise.name for exercise in COURSE]
    raise ValueError(explain("exercise", "a name or a number of the list", repr(word), did_you_mean(plain, names)))


def _readme() -> str:
    rows = [f"| {number(e)} | `{file_name(e)}` | {e.title} |" for e in COURSE]
    table = "\n".join(["| | file | exercise |", "|---|---|---|", *rows])
    return README.format(first=file_name(COURSE[0]), name=COURSE[0].name, program=PROGRAM, table=table)
