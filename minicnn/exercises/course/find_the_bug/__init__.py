"""Find the bug: five functions, in each backward a mistake that is drawn from the doctor's catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...exercise import HERE, Exercise, Part
from ...grading import Work, doctor, equal, normal, results
from . import solution

FOLDER = HERE / "find_the_bug"

NAMING = 3
"""The number of hints after which the check names the mistakes."""

WINNER = "        i, j = np.unravel_index(window.argmax(), window.shape)\n"
STEP = "dx[n, p * stride + i, q * stride + j, c] += dy[n, p, q, c]"
WINDOW = "dx[n, p * stride : p * stride + size, q * stride : q * stride + size, c]"
ROWS = "rows, columns = slice(p * stride, p * stride + KH), slice(q * stride, q * stride + KW)"
LOOPS = "    for p in range(OH):\n        for q in range(OW):\n            rows"


@dataclass(frozen=True)
class Program:
    """A forward and a backward of the solution, and mistakes that may be drawn for the backward."""

    arguments: tuple[str, ...]
    gradients: tuple[str, ...]
    inputs: Callable[[], Sequence[Any]]
    bugs: dict[str, tuple[str, str]]
    """For an entry of the catalogue: lines of the solution, and the same with the mistake."""
    takes_dy: bool = True


PROGRAMS = {
    "dense": Program(
        ("x", "kernel", "bias"),
        ("dx", "dkernel", "dbias"),
        lambda: normal(0, (5, 3), (3, 4), (4,)),
        {
            "shapes.mean-over-batch": ("dbias = dz.sum(axis=0)", "dbias = dz.mean(axis=0)"),
            "activations.activation-forgotten-in-dx": ("dz = dy * (z > 0)", "dz = dy"),
            "activations.activation-forgotten-in-dkernel": ("dkernel = x.T @ dz", "dkernel = x.T @ dy"),
            "activations.activation-masked-by-dy-in-dx": ("dz = dy * (z > 0)", "dz = dy * (dy > 0)"),
            "activations.activation-mask-inverted-in-dx": ("dz = dy * (z > 0)", "dz = dy * (z < 0)"),
        },
    ),
    "softmax_crossentropy": Program(
        ("z", "labels"),
        ("dz",),
        lambda: [*normal(0, (5, 4)), np.array([2, 0, 3, 3, 1])],
        {
            "shapes.batch-mean-forgotten": ("dz = (p - t) / len(p)", "dz = p - t"),
            "shapes.sign-flipped": ("dz = (p - t) / len(p)", "dz = (t - p) / len(p)"),
            "factor.1/4": ("dz = (p - t) / len(p)", "dz = (p - t) / p.size"),
            "losses.target-shifted-low": ("labels] = 1", "labels - 1] = 1"),
            "losses.probability-formula-on-logits": ("dz = (p - t) / len(p)", "dz = -t / p / len(p)"),
        },
        takes_dy=False,
    ),
    "convolution": Program(
        ("x", "kernel", "bias", "stride"),
        ("dx", "dkernel", "dbias"),
        lambda: [*normal(0, (2, 5, 6, 2), (3, 2, 2, 3), (3,)), 2],
        {
            "convolution.dx-assigned": ("columns, :] += np", "columns, :] = np"),
            "convolution.kernel-flipped-0-1": ("kernel, (1, 3)", "kernel[::-1, ::-1], (1, 3)"),
            "convolution.dx-stride-ignored": (ROWS, "rows, columns = slice(p, p + KH), slice(q, q + KW)"),
            "shapes.mean-over-batch": ("dbias = dy.sum(axis=(0, 1, 2))", "dbias = dy.sum(axis=(0, 1, 2)) / len(x)"),
            "shapes.loop-misses-one-last-2": (LOOPS, LOOPS.replace("OW", "OW - 1")),
        },
    ),
    "max_pooling": Program(
        ("x", "size", "stride"),
        ("dx",),
        lambda: [*normal(0, (2, 5, 7, 2)), 3, 2],
        {
            "pooling.winner-assigned": ("c] += dy", "c] = dy"),
            "pooling.argmin": ("argmax", "argmin"),
            "pooling.row-and-column-exchanged": ("i, j = np", "j, i = np"),
            "pooling.stride-ignored": ("p * stride + i, q * stride + j", "p + i, q + j"),
            "pooling.whole-window": (f"{WINNER}        {STEP}", f"        {WINDOW} += dy[n, p, q, c]"),
            "pooling.all-ties": (
                f"{WINNER}        {STEP}",
                f"        {WINDOW} += (window == window.max()) * dy[n, p, q, c]",
            ),
        },
    ),
    "batch_norm": Program(
        ("x", "gamma", "beta", "epsilon"),
        ("dx", "dgamma", "dbeta"),
        lambda: [*normal(0, (5, 3), (3,), (3,)), 0.5],
        {
            "normalization.path-through-mean-missing": ("g - g.mean(axis=0) - n", "g - n"),
            "normalization.path-through-variance-missing": (" - normalized * (g * normalized).mean(axis=0)", ""),
            "normalization.gamma-forgotten": ("g = dy * gamma", "g = dy"),
            "normalization.variance-for-std": ("mean(axis=0)) / std\n", "mean(axis=0)) / std**2\n"),
            "normalization.dgamma-times-gamma": ("dgamma = (dy * n", "dgamma = (g * n"),
        },
    ),
}
"""The functions by their names; the backward's name ends in _backward."""


def drawn(seed: int) -> dict[str, str]:
    """One mistake for each function."""
    rng = np.random.default_rng(seed)
    return {name: str(rng.choice(list(program.bugs))) for name, program in PROGRAMS.items()}


def with_bugs(bugs: dict[str, str]) -> str:
    """The solution's text with these mistakes."""
    code = (FOLDER / "solution.py").read_text("utf-8")
    for name, bug in bugs.items():
        right, wrong = PROGRAMS[name].bugs[bug]
        before, start, backward = code.partition(f"def {name}_backward")
        assert right in backward
        code = before + start + backward.replace(right, wrong, 1)
    return code


def stub(seed: int) -> str:
    """The text of `stub.py`, and below it the functions with drawn mistakes."""
    code = with_bugs(drawn(seed)).partition('"""\n')[2]
    return (FOLDER / "stub.py").read_text("utf-8") + code


def check(work: Work) -> Iterator[Part]:
    """One part for each function. The mistakes are named after the last hint only: they are to be found."""
    for name, program in PROGRAMS.items():
        forward = work.function(name, *program.arguments)
        backward = work.function(f"{name}_backward", *(["dy"] if program.takes_dy else []), "saved")
        y, _ = results(forward, program.inputs(), ("y", "saved"))
        same = equal(name, y, getattr(solution, name)(*program.inputs())[0], "The bug is in the backward: undo this.")
        if not same.ok:
            yield Part(name, False, f"the forward was right. Now {same.text}")
            continue
        parts = list(doctor(forward, backward, [program.inputs()], program.gradients, program.takes_dy))
        yield judged(name, parts, named=work.hints >= NAMING)


def judged(name: str, parts: list[Part], named: bool) -> Part:
    """One part from those of the gradients."""
    wrong = [part for part in parts if not part.ok]
    causes = tuple(cause for part in wrong for cause in part.causes)
    if not wrong:
        return Part(name, True)
    if named:
        return Part(name, False, " ".join(f"{part.name}: {part.text}" for part in wrong), causes)
    right = [part.name for part in parts if part.ok]
    others = f"; {', '.join(right)} right" if right else ""
    return Part(name, False, f"{', '.join(part.name for part in wrong)} wrong{others}.")


HINTS = """
Take the functions one by one, and each gradient that is wrong by itself. Say the formula aloud before you look at
its line; then compare factor by factor: which array, which axis, which sign, + or =, divided by what?

Three questions find most bugs. Is it a sum over all uses, not a mean, and is it added with +=? Is the forward's
activation or path in it, with a condition on z and not on dy? Is it taken at the same places as in the forward,
with the stride, and in the order (row, column)?

From now on, the check names the mistakes. Run it again. Then write down for each bug: would the network have
trained with it? By which experiment would you have found it without the sentence?
"""

PRAISE = """
All bugs are found. Each of them is in the catalogue of minicnn.gradcheck, and has been made many times: most of
these networks would have trained, only worse. Start in another folder to draw other bugs.
"""

EXERCISE = Exercise("find_the_bug", "Find the bug: five functions", tuple(PROGRAMS), check, HINTS, PRAISE, stub)
