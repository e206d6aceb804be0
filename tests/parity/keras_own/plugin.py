"""A plugin of pytest, in the process of the tests: installs the stand-in and writes one line per test."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from . import checks, outcomes, stand_in
from .names import RESULTS

LIMIT = 60
"""Seconds after which a test is ended."""

stand_in.install()


def write(**line: object) -> None:
    with Path(os.environ[RESULTS]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def pytest_configure(config):
    for mark in ("requires_trainable_backend", "multi_device"):
        config.addinivalue_line("markers", mark)


def pytest_collectreport(report):
    if report.failed:
        write(test=report.nodeid, kind="failed", cause=f"import: {str(report.longrepr).splitlines()[-1]}")


def pytest_collection_finish(session):
    for item in session.items:
        write(test=item.nodeid, kind="failed", cause="the process ended before the test")
    stand_in.tests_begin()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    del checks.other_words[:]
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LIMIT)
    try:
        return (yield)
    finally:
        signal.alarm(0)


def _too_long(*_):
    raise TimeoutError(f"the test took more than {LIMIT} seconds")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped:
        outcome = outcomes.Outcome("skipped", str(call.excinfo.value))
    elif report.failed:
        outcome = outcomes.of_error(call.excinfo.value)
    elif report.when == "call":
        outcome = outcomes.of_passed(checks.other_words)
    else:
        return report
    write(test=item.nodeid, **outcome._asdict())
    return report
