"""How good the doctor is: python tests/gradcheck/measure.py [PROGRAM …] prints what is not named, and the shares."""

from __future__ import annotations

import importlib
import re
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from programs import PROGRAMS

from minicnn.gradcheck import check_operation

for path in sorted(Path(__file__).parent.glob("*_programs.py")):
    importlib.import_module(path.stem)


def judged(program, mistake=None, change=lambda x: x):
    """What the doctor says of a program, and its report.

    "right" or "false alarm" for a right program; for a wrong one "named" if a true cause is among the diagnoses,
    "misleading" if only others are, "no cause" if none is, "silent" if nothing is found. `change` makes another x.
    """
    old, new, pattern = program.wrong[mistake] if mistake else ("", "", None)
    x, *others = program.arguments()
    report = check_operation(*program.functions(old, new), change(x), *others)
    if not mistake:
        return ("right" if report else "false alarm"), report
    if report:
        return "silent", report
    wrong = [found for found in report.findings if not found.ok]
    if pattern and any(re.search(pattern, f"{found.diagnosis} {found.causes}") for found in wrong):
        return "named", report
    return ("misleading" if any(found.causes for found in wrong) else "no cause"), report


def main(names):
    counts = Counter()
    for program in PROGRAMS:
        if names and not any(name in program.name for name in names):
            continue
        for mistake in (None, *program.wrong):
            outcome, report = judged(program, mistake)
            counts[outcome] += 1
            if outcome not in ("right", "named"):
                print(f"{outcome}: {program.name}, {mistake}\n    {report.diagnosis}")
    right = counts["right"] + counts["false alarm"]
    wrong = sum(counts.values()) - right
    print(f"{right} right programs: {counts['false alarm']} false alarms")
    print(
        f"{wrong} wrong programs: "
        + ", ".join(f"{counts[o]} {o}" for o in ("named", "no cause", "misleading", "silent"))
    )


if __name__ == "__main__":
    begin = time.perf_counter()
    main(sys.argv[1:])
    print(f"{time.perf_counter() - begin:.0f} s")
