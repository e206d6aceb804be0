"""Runs Keras's tests for what minicnn has, and prints how many pass, and why the others do not."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .names import HOME, RESULTS, home, test_files
from .outcomes import KINDS

LIMIT = 1800
"""Seconds for all tests."""

OPTIONS = ["-q", "--continue-on-collection-errors", "-p", "tests.parity.keras_own.plugin", "-p", "no:cacheprovider"]
OPTIONS += ["-c", os.devnull]  # no settings of the project's


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.parity.keras_own", description=__doc__)
    parser.add_argument("--only", default="", help="the part of Keras whose tests to run, such as layers/core")
    parser.add_argument("--list", type=Path, help="write all tests that are not passed, and why, to this file")
    parser.add_argument("-k", default="", help="select tests by name, as in pytest")
    chosen = parser.parse_args()
    results = run([file for file in test_files() if chosen.only in str(file.relative_to(home()))], chosen.k)
    if chosen.list:
        lines = sorted(
            f"{kind:8}{test}: {cause}\n" for test, (kind, cause) in results.items() if kind not in ("passed", "skipped")
        )
        chosen.list.write_text("".join(lines), encoding="utf-8")
    print_summary(results)


def run(files: list[Path], selection: str = "") -> dict[str, tuple[str, str]]:
    """Kind of outcome and cause for every test, by its name: "layers/core/dense_test.py::DenseTest::test_dense"."""
    originals = {str(file.relative_to(home() / "src")).replace(os.sep, "-"): file for file in files}
    with tempfile.TemporaryDirectory() as folder:
        for name, file in originals.items():
            shutil.copy(file, Path(folder, name))
        results = Path(folder, "results.jsonl")
        results.touch()
        output = run_pytest(folder, results, [*OPTIONS, "--rootdir", folder, "-k", selection, *originals])
        lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    if not lines:
        raise SystemExit(f"No test ran:\n{output[-3000:]}")
    return {line["test"].replace("-", "/"): (line["kind"], line["cause"]) for line in lines}


def run_pytest(folder: str, results: Path, arguments: list[str]) -> str:
    """What pytest prints, in a process in which `keras` is the stand-in."""
    own = {
        HOME: str(home()),
        RESULTS: str(results),
        "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=folder,
        env={**os.environ, **own},
        timeout=LIMIT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout


def print_summary(results: dict[str, tuple[str, str]]) -> None:
    counts: dict[str, Counter] = {}
    for test, (kind, _) in sorted(results.items()):
        counts.setdefault(test.partition("/")[0], Counter())[kind] += 1
    total = sum(counts.values(), Counter())
    print(f"\nKeras's own tests on minicnn ({len(results)} tests)")
    print("".join([f"{'':14}", *(f"{kind:>9}" for kind in KINDS), "    share"]))
    for module, count in [*counts.items(), ("all", total)]:
        print("".join([f"{module:14}", *(f"{count[kind]:9}" for kind in KINDS), f"{share(count):9.0%}"]))
    print("\nThe share is (passed + words) / (passed + words + failed).")
    for kind, meaning in KINDS.items():
        print(f"  {kind:8} {meaning}")
    failed = [cause for kind, cause in results.values() if kind == "failed"]
    numbers, unclear = (sum(cause.startswith(start) for cause in failed) for start in ("other numbers", "unclear"))
    print(f"Of the failed, {numbers} have other numbers than Keras's, and {unclear} an error not in minicnn's form.")
    for kind in ("apart", "failed"):
        print(f"\nCauses, {kind}:")
        causes = Counter(alike(cause) for found, cause in results.values() if found == kind)
        for cause, count in causes.most_common(30):
            print(f"  {count:5} {cause}")


def share(count: Counter) -> float:
    good = count["passed"] + count["words"]
    return good / max(good + count["failed"], 1)


def alike(cause: str) -> str:
    """The cause without names and numbers, so that equal causes are counted together."""
    return re.sub(r"'[^']*'", "'…'", re.sub(r"\d[\d.e+-]*", "N", cause))[:100]


if __name__ == "__main__":
    main()
