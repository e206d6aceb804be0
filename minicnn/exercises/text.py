"""What the program says on a terminal."""

from __future__ import annotations

from textwrap import fill

from .course import COURSE
from .exercise import Exercise, Outcome, Part
from .folder import PROGRAM, Folder, file_name, number

WIDTH = 100


def started(folder: Folder) -> str:
    """After `start`: what there is now, and what to do."""
    first = COURSE[0]
    return (
        f"{len(COURSE)} exercises are in {folder.path}. Begin like this:\n\n"
        f"  1. In an editor, open {folder.file(first)} and read its beginning.\n"
        f"  2. Replace each None.\n"
        f"  3. Run the file. Or, in the folder: {PROGRAM} check\n\n"
        f"`{PROGRAM} hint {first.name}` shows a hint there. README.md explains the rest."
    )


def listed(folder: Folder | None) -> str:
    """All exercises; with their state if there is a folder."""
    width = max(len(exercise.name) for exercise in COURSE)
    rows = [
        f"{number(e):>2}  {e.name:{width}}  {'done' if folder and folder.of(e)['passed'] else '    '}  {e.title}"
        for e in COURSE
    ]
    begin = [] if folder else ["", f"Begin with `{PROGRAM} start my-exercises`."]
    return "\n".join([*rows, *begin])


def checked(exercise: Exercise, outcome: Outcome, folder: Folder) -> str:
    """The result of a check: one line or paragraph for each part, and what to do next."""
    head = f"Exercise {number(exercise)}, {exercise.name}: {'right.' if outcome.passed else 'not yet.'}"
    width = max(len(part.name) for part in outcome.parts)
    paragraphs = [outcome.message, *outcome.remarks, *_printed(outcome)]
    return "\n".join(
        [
            head,
            "",
            *(_part(part, width) for part in outcome.parts),
            "",
            *(
                f"{fill(paragraph, WIDTH)}\n" if "\n" not in paragraph else f"{paragraph}\n"
                for paragraph in paragraphs
                if paragraph
            ),
            *(_after_success(exercise, folder) if outcome.passed else _after_failure(exercise, outcome, folder)),
        ]
    )


def _part(part: Part, width: int) -> str:
    verdict = "right" if part.ok else "-    " if part.text.startswith("not ") else "WRONG"
    return fill(f"  {part.name:{width}}  {verdict}  {part.text}".rstrip(), WIDTH, subsequent_indent=" " * (width + 11))


def _printed(outcome: Outcome) -> list[str]:
    if not outcome.lines_printed:
        return []
    more = outcome.lines_printed - len(outcome.printed)
    rest = [f"  … and {more} lines more; the check calls your functions many times"] if more else []
    return ["\n".join(["Your code printed:", *(f"  {line}" for line in outcome.printed), *rest])]


def _after_success(exercise: Exercise, folder: Folder) -> list[str]:
    following = folder.next()
    lines = [fill(exercise.praise, WIDTH), ""]
    if following is None:
        return [*lines, f"All {len(COURSE)} exercises are done. Well done!"]
    return [
        *lines,
        f"Next: exercise {number(following)}, {following.name}, in {file_name(following)}: {following.title}.",
    ]


def _after_failure(exercise: Exercise, outcome: Outcome, folder: Folder) -> list[str]:
    seen, file = folder.of(exercise)["hints"], file_name(exercise)
    if folder.is_untouched(exercise):
        todo = (
            f"{file} is as it was. Open it in an editor, read its beginning, change what YOUR TASK says, check again."
        )
    else:
        todo = f"{outcome.points} of {len(outcome.parts)} parts are right. Change {file} and check again."
    return [fill(todo, WIDTH), f"A hint ({seen} of {len(exercise.hints)} seen): {PROGRAM} hint {exercise.name}"]


def hinted(exercise: Exercise, seen: int, again: bool) -> str:
    """The hint with this number; all of them, and where the solution is, after the last."""
    count = len(exercise.hints)
    if not again:
        return fill(f"Hint {seen} of {count}: {exercise.hints[seen - 1]}", WIDTH)
    every = [fill(f"Hint {i} of {count}: {hint}", WIDTH) for i, hint in enumerate(exercise.hints, start=1)]
    return "\n\n".join(
        [
            *every,
            f"There are no more hints. A solution is in {exercise.solution}\n"
            f"Read it, close it, and write yours from memory.",
        ]
    )


def progress(folder: Folder) -> str:
    """A table of all exercises with checks and hints, and what comes next."""
    done = sum(folder.of(exercise)["passed"] for exercise in COURSE)
    width = max(len(exercise.name) for exercise in COURSE)
    rows = [f"{'':2}  {'':{width}}        checks  hints"]
    for exercise in COURSE:
        facts = folder.of(exercise)
        state = "done" if facts["passed"] else f"{facts['points']}/{len(exercise.parts)}" if facts["checks"] else "-"
        rows.append(
            f"{number(exercise):>2}  {exercise.name:{width}}  {state:>4}  {facts['checks']:>6}  {facts['hints']:>5}"
        )
    following = folder.next()
    end = f" Next: {following.name}, in {file_name(following)}." if following else " Well done!"
    return "\n".join([*rows, "", f"{done} of {len(COURSE)} exercises are done.{end}"])
