"""Students' programs, right and wrong: no false alarm, no wrong cause, nothing missed.

`make test` takes every seventh mistake, `pytest --all-mistakes` all; `measure.py` prints the shares.
"""

from __future__ import annotations

import numpy as np
import pytest
from measure import PROGRAMS, judged

import minicnn
from minicnn.gradcheck import check_operation

MISTAKES = [(program, name) for program in PROGRAMS for name in program.wrong]


@pytest.fixture(autouse=True)
def _textbook():
    with minicnn.use_backend("numpy"):
        yield


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_right_program_is_right(program):
    outcome, report = judged(program)
    assert outcome == "right", report


INPUTS = {
    "small": lambda x: 1e-4 * x,
    "large": lambda x: 1e4 * x,
    "far from zero": lambda x: x + 100,
    "with ties": np.round,
    "blank": lambda x: np.where(x > 0.5, x, 0),
}
"""Other inputs for the right programs: no size and no tie is a false alarm."""

HIDING = {
    "positive": lambda x: np.abs(x) + 0.1,
    "equal": lambda x: np.full_like(x, 0.7),
    "of one sample": lambda x: x[:1],
}
"""Other inputs for the wrong programs, which hide many mistakes."""

OF_WHOLE_BATCHES = ("norm", "loss", "error", "entropy", "centring", "likelihood", "columns", "square dense")
"""Words in the names of programs for which a batch of one sample or of equal entries is another function."""

HIDDEN = [
    (program, mistake, name)
    for program in PROGRAMS
    for mistake in program.wrong
    for name in HIDING
    if name == "positive" or not any(word in program.name for word in OF_WHOLE_BATCHES)
]

OVERFLOWING = {
    ("softplus", "large"),
    ("softmax of three axes", "large"),
    ("softmax at temperature 2", "large"),
    ("softmax loss of CS231n", "large"),
    ("binary cross-entropy", ""),
}
"""Programs that compute no finite numbers of such inputs; "" stands for all."""

VARIANTS = [
    (program, name)
    for program in PROGRAMS
    for name in INPUTS
    if not {(program.name, name), (program.name, "")} & OVERFLOWING
]


def pytest_generate_tests(metafunc):
    if "mistake" in metafunc.fixturenames:
        chosen = MISTAKES if metafunc.config.getoption("--all-mistakes") else MISTAKES[::7]
        metafunc.parametrize("mistake", chosen, ids=[f"{program.name}, {name}" for program, name in chosen])
    if "hidden" in metafunc.fixturenames:
        chosen = HIDDEN if metafunc.config.getoption("--all-mistakes") else HIDDEN[::20]
        metafunc.parametrize("hidden", chosen, ids=[f"{program.name}, {names}" for program, *names in chosen])
    if "variant" in metafunc.fixturenames:
        chosen = VARIANTS if metafunc.config.getoption("--all-mistakes") else VARIANTS[::6]
        metafunc.parametrize("variant", chosen, ids=[f"{program.name}, {name}" for program, name in chosen])


def test_a_mistake_that_the_input_hides_is_found(hidden):
    program, mistake, name = hidden
    outcome, report = judged(program, mistake, HIDING[name])
    assert outcome in ("named", "no cause"), report


def test_a_right_program_is_right_for_other_inputs(variant):
    program, name = variant
    x, *others = program.arguments(1)
    report = check_operation(*program.functions(), INPUTS[name](x), *others)
    assert report.ok, report


def test_a_mistake_is_found_and_no_wrong_cause_is_named(mistake):
    outcome, report = judged(*mistake)
    assert outcome in ("named", "no cause"), report
