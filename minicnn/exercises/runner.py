"""Runs the check of a learner's file in another process, with a time limit."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .exercise import Exercise, Outcome, Part

TIME_LIMIT = 60.0
"""Seconds for one check; most take about one."""

PATIENCE = 60.0
"""Seconds that the process gets besides, to start and to end itself."""


def run(exercise: Exercise, file: Path, time_limit: float = TIME_LIMIT, hints: int = 0) -> Outcome:
    """Check a file; an exception, an endless loop or a crash of its code becomes the outcome's message."""
    if not file.is_file():
        message = f"There is no {file.name}. `start` in another folder writes it again; copy it from there."
        return outcome(exercise, [], message)
    with TemporaryDirectory() as folder:
        result = Path(folder, "result")
        result.touch()
        code = _wait(exercise.name, file.absolute(), result, time_limit, hints)
        found = [json.loads(line) for line in result.read_text("utf-8").splitlines()]
        trace = Path(f"{result}.trace")
        text = trace.read_text("utf-8", "replace") if trace.exists() else ""
    if code is None or text.startswith("Timeout"):
        message = f"The check did not end within {time_limit:g} seconds.{_place(text, file)}"
    else:
        message = _ended_early(code)
    return outcome(exercise, found, message)


def _wait(name: str, file: Path, result: Path, time_limit: float, hints: int) -> int | None:
    """The process's exit code; None if it had to be killed."""
    command = [sys.executable, "-m", f"{__package__}.worker", name, file, result, time_limit, hints]
    package = str(Path(__file__).parents[2])  # the folder of this minicnn, whichever way it is installed
    paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=file.parent,
        env={**os.environ, "PYTHONPATH": paths, "MPLBACKEND": "agg"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # so that processes which the code starts can be ended with it
    )
    try:
        return process.wait(time_limit + PATIENCE)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(OSError):  # it is gone, as usual
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
        process.wait()


def _place(trace: str, file: Path) -> str:
    """The line at which a process was that ran out of time."""
    for path, line in re.findall(r'File "(.*)", line (\d+)', trace):
        if Path(path).name == file.name:
            code = file.read_text("utf-8", "replace").splitlines()[int(line) - 1].strip()
            return f" It was in line {line} of {file.name}, `{code}`. Does a loop there never end?"
    return " Does a loop never end? On a busy machine, --time-limit gives it more."


def _ended_early(code: int) -> str:
    """Why a process ended that had not finished the check."""
    if code < 0:
        return (
            f"The program crashed (signal {-code}, {signal.Signals(-code).name}). Often an array is far too large for "
            f"the memory, or compiled code writes outside of an array."
        )
    return f"The program ended itself, with exit code {code}. Remove calls of exit and quit."


def outcome(exercise: Exercise, found: list[dict[str, Any]], otherwise: str = "") -> Outcome:
    """The outcome from what the worker wrote; `otherwise` is the message if the check did not come to its end."""
    parts = [Part(**{**item["part"], "causes": tuple(item["part"]["causes"])}) for item in found if "part" in item]
    facts = {key: value for item in found for key, value in item.items()}
    message = facts.get("stopped", "" if facts.get("ended") else otherwise)
    reached = {part.name: part for part in parts}
    return Outcome(
        tuple(reached.get(name, Part(name, False, "not checked yet")) for name in exercise.parts),
        message,
        tuple(facts.get("remarks", ())),
        tuple(facts.get("printed", ())),
        facts.get("lines_printed", 0),
    )
