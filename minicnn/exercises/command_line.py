"""The command line: parses the options, prints text or JSON, returns an exit code."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import arguments
from ..interrupts import reader_ended
from . import text
from .course import COURSE
from .exercise import Exercise, Outcome
from .folder import PROGRAM, SCHEMA, Folder, file_name, find, number
from .runner import TIME_LIMIT, run

DESCRIPTION = "Exercises in backpropagation that grade themselves: derive a backward, write it, check it."
EPILOG = f"""examples:
  {PROGRAM} start my-exercises    write all exercises into a new folder; then: cd my-exercises
  {PROGRAM} check                 check the next exercise that is not done yet
  {PROGRAM} check dense           check this one; also: check 1, check 01_dense.py
  {PROGRAM} hint dense            show its next hint
  {PROGRAM} check --all --json    everything, for an autograder

Exit code: 0 right, 1 something checked is not right, 2 the command cannot be executed, 130 interrupted."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code. Raises SystemExit for --help and for options that do not exist."""
    options = _parse(words)
    try:
        code = options.command(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return reader_ended()
    except (OSError, ValueError) as error:
        if options.json:
            print(json.dumps({"schema": SCHEMA, "error": str(error)}))
        else:
            print(f"exercises: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("exercises: interrupted", file=sys.stderr)
        return 130


def start(options: argparse.Namespace) -> int:
    """Write the stubs into a new folder."""
    seed = secrets.randbelow(1_000_000) if options.seed is None else arguments.seed("--seed", options.seed)
    folder = Folder.start(options.new_folder, seed)
    files = [file_name(exercise) for exercise in COURSE]
    _show(options, {"folder": str(folder.path), "seed": seed, "files": files}, text.started(folder))
    return 0


def show_list(options: argparse.Namespace) -> int:
    """List all exercises."""
    folder: Folder | None
    try:
        folder = _folder(options)
    except FileNotFoundError:  # the list is shown outside of a folder, too, without a progress
        folder = None
    _show(options, {"exercises": [_about(e, folder) for e in COURSE]}, text.listed(folder))
    return 0


def check(options: argparse.Namespace) -> int:
    """Check exercises: the named ones, all, or the next that is not done."""
    if options.names and Path(options.names[0]).is_file():  # then its folder is meant, whichever is the current one
        options.folder = Path(options.names[0]).parent
    folder = _folder(options)
    time_limit = arguments.number("--time-limit", options.time_limit, least=0.1)
    following = folder.next()
    chosen = [find(word) for word in options.names] or [following or COURSE[-1]]
    outcomes = []
    for exercise in COURSE if options.all else chosen:
        outcome = run(exercise, folder.file(exercise), time_limit, folder.of(exercise)["hints"])
        _record(folder, exercise, outcome)
        outcomes.append((exercise, outcome))
        if not options.json:
            print(("\n" if len(outcomes) > 1 else "") + text.checked(exercise, outcome, folder), flush=True)
    passed = all(outcome.passed for _, outcome in outcomes)
    if options.json:
        _show(
            options,
            {
                "passed": passed,
                "points": sum(outcome.points for _, outcome in outcomes),
                "of": sum(len(outcome.parts) for _, outcome in outcomes),
                "exercises": [{**_about(e, folder), **outcome.to_dict()} for e, outcome in outcomes],
            },
        )
    return 0 if passed else 1


def _record(folder: Folder, exercise: Exercise, outcome: Outcome) -> None:
    """Count the check; an autograder's folder may be read-only."""
    try:
        folder.record(exercise, outcome)
    except OSError as error:
        print(f"exercises: the progress is not kept: {error}", file=sys.stderr)


def hint(options: argparse.Namespace) -> int:
    """Show the next hint."""
    folder = _folder(options)
    exercise = find(options.name) if options.name else folder.next() or COURSE[-1]
    again = folder.of(exercise)["hints"] == len(exercise.hints)
    seen = folder.take_hint(exercise)
    facts = {**_about(exercise, folder), "of": len(exercise.hints), "hint": exercise.hints[seen - 1]}
    _show(options, facts, text.hinted(exercise, seen, again))
    return 0


def progress(options: argparse.Namespace) -> int:
    """Show what is done."""
    folder = _folder(options)
    exercises = [_about(exercise, folder) for exercise in COURSE]
    done = sum(facts["done"] for facts in exercises)
    _show(options, {"done": done, "of": len(COURSE), "exercises": exercises}, text.progress(folder))
    return 0


def _folder(options: argparse.Namespace) -> Folder:
    folder = Folder(options.folder)
    folder.check_started()
    return folder


def _about(exercise: Exercise, folder: Folder | None) -> dict[str, Any]:
    """An exercise and the learner's progress in it, as plain data."""
    facts = {"number": number(exercise), "name": exercise.name, "title": exercise.title, "file": file_name(exercise)}
    if folder is None:
        return facts
    known = folder.of(exercise)
    return {**facts, "done": known["passed"], "checks": known["checks"], "hints": known["hints"]}


def _show(options: argparse.Namespace, facts: dict[str, Any], words: str = "") -> None:
    print(json.dumps({"schema": SCHEMA, **facts}, indent=2) if options.json else words)


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        PROGRAM, description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON for a program")
    inside = argparse.ArgumentParser(add_help=False, parents=[common])
    inside.add_argument(
        "--folder", type=Path, default=Path(), metavar="DIR", help="the exercises' folder (default: here)"
    )
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(metavar="COMMAND")

    command = commands.add_parser("start", parents=[common], help="write all exercises into a new folder")
    command.add_argument("new_folder", type=Path, metavar="DIR", help="a folder that does not exist yet")
    command.add_argument("--seed", type=int, help="draws the bugs of find_the_bug: the same ones for a whole class")
    command.set_defaults(command=start)

    command = commands.add_parser("list", parents=[inside], help="list all exercises")
    command.set_defaults(command=show_list)

    command = commands.add_parser("check", parents=[inside], help="check your answers")
    command.add_argument("names", nargs="*", metavar="NAME", help="a name, number or file; default: the next one")
    command.add_argument("--all", action="store_true", help="check all exercises")
    command.add_argument(
        "--time-limit",
        type=float,
        default=TIME_LIMIT,
        metavar="SECONDS",
        help=f"per exercise (default: {TIME_LIMIT:g})",
    )
    command.set_defaults(command=check)

    command = commands.add_parser("hint", parents=[inside], help="show the next hint of an exercise")
    command.add_argument("name", nargs="?", metavar="NAME", help="a name, number or file; default: the next one")
    command.set_defaults(command=hint)

    command = commands.add_parser("progress", parents=[inside], help="show what is done")
    command.set_defaults(command=progress)
    options = parser.parse_args(words)
    if options.command is None:
        missing = f"exercises: error: no command. Begin with: {PROGRAM} start my-exercises"
        parser.exit(2, f"{parser.format_help()}\n{missing}\n")
    return options
