"""The command line: parses the options, prints the findings, returns an exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..backends import DEVICES
from ..errors import BackendError
from ..interrupts import reader_ended
from .examination import examine
from .report import write_report
from .text import as_text

PROGRAM = "python -m minicnn.doctor"
DESCRIPTION = """Checks what works on this machine: versions, devices and backends; compares every operation of every
backend with the textbook's, and measures its time."""
EPILOG = f"""examples:
  {PROGRAM}                        check everything
  {PROGRAM} --device gpu           check only the GPU
  {PROGRAM} --report doctor.json   time the seven models, too; attach the file to a bug report

Exit code: 0 everything works, 1 something does not, 2 the command cannot be executed, 130 interrupted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code. Raises SystemExit for --help and for options that do not exist."""
    options = _parse(arguments)
    try:
        findings = examine(options.device, models=bool(options.report), progress=_progress)
        print(as_text(findings), flush=True)
        if options.report:
            write_report(findings, options.report)
            _progress(f"the report is in {options.report}")
    except BrokenPipeError:
        return reader_ended()
    except (BackendError, OSError) as error:
        print(f"doctor: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("doctor: interrupted", file=sys.stderr)
        return 130
    return 1 if findings["failures"] else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        PROGRAM, description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=tuple(DEVICES), help="examine the backends of this device only")
    parser.add_argument(
        "--report",
        type=_file,
        metavar="FILE",
        help="write the findings to FILE as JSON, with times of the report's seven models",
    )
    return parser.parse_args(arguments)


def _file(text: str) -> Path:
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"expected a file, found a folder: {text!r}")
    return path


def _progress(what: str) -> None:
    print(f"doctor: {what}", file=sys.stderr, flush=True)
