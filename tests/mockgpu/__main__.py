"""Runs a script on the pretend device: python -m tests.mockgpu SCRIPT ARGUMENTS, like python SCRIPT ARGUMENTS."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from .errors import PretendDeviceError
from .installing import install

USAGE = "usage: python -m tests.mockgpu SCRIPT [ARGUMENTS...]"


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(USAGE)
    script = Path(sys.argv[1])
    if not script.is_file():
        sys.exit(f"{USAGE}\nthere is no file {script}")
    try:
        install()
    except PretendDeviceError as error:
        sys.exit(str(error))
    sys.argv = sys.argv[1:]
    sys.path[0] = str(script.resolve().parent)  # was the folder in which python -m ran
    runpy.run_path(str(script), run_name="__main__")


main()
