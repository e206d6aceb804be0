"""Students' programs, right and wrong: no false alarm, no wrong cause, nothing missed.

`make test` takes every seventh mistake, `pytest --all-mistakes` all; `measure.py` prints the shares.
"""

from __future__ import annotations

import pytest
from measure import PROGRAMS, judged

import minicnn

MISTAKES = [(program, name) for program in PROGRAMS for name in program.wrong]


@pytest.fixture(autouse=True)
def _textbook():
    with minicnn.use_backend("numpy"):
        yield


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_right_program_is_right(program):
    outcome, report = judged(program)
    assert outcome == "right", report


def pytest_generate_tests(metafunc):
    if "mistake" in metafunc.fixturenames:
        chosen = MISTAKES if metafunc.config.getoption("--all-mistakes") else MISTAKES[::7]
        metafunc.parametrize("mistake", chosen, ids=[f"{program.name}, {name}" for program, name in chosen])


def test_a_mistake_is_found_and_no_wrong_cause_is_named(mistake):
    outcome, report = judged(*mistake)
    assert outcome in ("named", "no cause"), report
