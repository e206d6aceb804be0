"""The command line of every example, and its errors: a sentence and an exit code, never a traceback."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from minicnn import BackendError, ModelFileError, NonFiniteError, use_backend, use_device
from minicnn.arguments import LARGEST, LARGEST_INT
from minicnn.backends import DEVICES, MODULES
from minicnn.datasets import DataFileError

from .checkpoint import ResumeError
from .report import Row

FORESEEN = (BackendError, DataFileError, ModelFileError, NonFiniteError, ResumeError, OSError)
REPORT_PACKAGES = {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}

EPILOG = """examples:
  python examples/{name}.py                               train as the report does
  python examples/{name}.py --limit 6000 --epochs 3       have a first look
  python examples/{name}.py --resume                      go on after an interruption

Exit code: 0 done, 2 the run cannot be done as asked, 130 interrupted."""


def parse(row: Row, description: str | None) -> argparse.Namespace:
    """The options of this process, checked; ends it with code 2 and a sentence if one is wrong."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog=EPILOG.format(name=row.name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--device",
        choices=(*DEVICES, "auto"),
        help="where to compute; auto takes the GPU if one works (default: cpu, or where --backend runs)",
    )
    add("--backend", choices=tuple(MODULES), help="what computes (default: the fastest that --device has)")
    add(
        "--epochs",
        type=positive_int,
        default=row.epochs,
        metavar="N",
        help="how often to see all images (default: %(default)s, as in the report)",
    )
    add("--batch-size", type=positive_int, default=64, metavar="N", help="images a step (default: %(default)s)")
    add("--lr", type=positive_number, default=0.001, metavar="RATE", help="Adam's learning rate (default: %(default)s)")
    add(
        "--seed",
        type=natural_number,
        default=0,
        metavar="N",
        help="of weights, dropout and order: the same seed, the same run (default: %(default)s)",
    )
    add("--limit", type=positive_int, metavar="N", help="use the first N training and N test images (default: all)")
    add("--data-dir", metavar="DIR", help="folder of the four IDX files (default: search, else download)")
    add(
        "--out",
        type=folder,
        default=Path("runs", row.name),
        metavar="DIR",
        help="folder for the results (default: %(default)s)",
    )
    add("--resume", action="store_true", help="go on with the interrupted run in --out; all else as it was begun")
    add("--quiet", action="store_true", help="print the results only")
    options = parser.parse_args()
    there = DEVICES.get(options.device)
    if there and options.backend and options.backend not in there:
        choice = " or ".join(there)
        parser.error(f"argument --backend: {options.backend} does not run on the {options.device}, choose {choice}")
    return options


def choose_backend(options: argparse.Namespace) -> None:
    """Compute where the options say. Raises BackendError if this machine cannot."""
    if options.backend:
        use_backend(options.backend)
    elif options.device == "auto":
        try:
            use_device("gpu")
        except BackendError as missing:
            use_device("cpu")
            print(f"{program()}: computing on the CPU. {missing}", file=sys.stderr)
    else:
        use_device(options.device or "cpu")


def require_packages() -> None:
    """End the process with a sentence if what measures and draws is missing: before training, not after it."""
    if missing := [package for module, package in REPORT_PACKAGES.items() if find_spec(module) is None]:
        end(2, f"error: measuring and drawing need {' and '.join(missing)}: pip install {' '.join(missing)}")


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Inside, a foreseen error or Ctrl-C ends the process with a sentence; warnings are sentences too."""
    warnings.formatwarning = lambda message, *_: f"{program()}: {message}\n"
    try:
        yield
    except FORESEEN as error:
        end(2, f"error: {error}")
    except KeyboardInterrupt as interrupt:
        end(130, str(interrupt) or "interrupted")


def end(code: int, message: str) -> NoReturn:
    print(f"{program()}: {message}", file=sys.stderr)
    sys.exit(code)


def program() -> str:
    return Path(sys.argv[0]).name


def positive_int(text: str) -> int:
    return _number(int, text, lambda number: number >= 1, LARGEST_INT, "a whole number of at least 1")


def natural_number(text: str) -> int:
    return _number(int, text, lambda number: number >= 0, LARGEST_INT, "a whole number of at least 0")


def positive_number(text: str) -> float:
    return _number(float, text, lambda number: number > 0, LARGEST, "a number above 0")


def folder(text: str) -> Path:
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"expected a folder, found a file: {text!r}")
    return path


def _number(kind: type, text: str, fits: Callable[[Any], bool], most: float, expected: str) -> Any:
    with suppress(ValueError):
        if fits(number := kind(text)):
            if number <= most:
                return number
            expected += f", at most {most:g}"
    raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}")
