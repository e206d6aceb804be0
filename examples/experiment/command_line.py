"""The command line of every example. Errors are one sentence and an exit code, without a traceback."""

from __future__ import annotations

import argparse
import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from minicnn import BackendError, ModelFileError, NonFiniteError, use_backend, use_device
from minicnn.backends import DEVICES, MODULES
from minicnn.datasets import DataFileError
from minicnn.distributed import DataParallel

from .checkpoint import Checkpoint, RunError
from .console import end, program
from .options import folder, natural_number, positive_int, positive_number
from .report import Row

FORESEEN = (BackendError, DataFileError, ModelFileError, NonFiniteError, RunError, OSError)

EPILOG = """examples:
  python examples/{name}.py                               train as in {source}
  python examples/{name}.py --limit 6000 --epochs 3       have a first look
  python examples/{name}.py --resume                      resume after an interruption
  python examples/{name}.py --epochs 20 --overwrite       train again, for longer
  mpiexec -n 2 python examples/{name}.py --distributed    train on two processes

Exit code: 0 done, 2 the command cannot be executed, 130 interrupted,
141 nobody reads the output any more."""


def parse(row: Row, description: str | None) -> argparse.Namespace:
    """The given options, None for others. Ends the process with code 2 and an error message if one is wrong."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog=EPILOG.format(name=row.name, source=row.source),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add_machine(parser)
    add(
        "--epochs",
        type=positive_int,
        metavar="N",
        help=f"passes over the training images (default: {row.epochs}, as in {row.source})",
    )
    add("--batch-size", type=positive_int, metavar="N", help=f"images per step (default: {row.defaults['batch_size']})")
    add(
        "--lr",
        dest="learning_rate",
        type=positive_number,
        metavar="RATE",
        help=f"Adam's learning rate (default: {row.defaults['learning_rate']})",
    )
    add(
        "--seed",
        type=natural_number,
        metavar="N",
        help=f"of weights, dropout and shuffling; equal seeds give equal runs (default: {row.defaults['seed']})",
    )
    add("--limit", type=positive_int, metavar="N", help="use the first N training and N test images (default: all)")
    add(
        "--out",
        type=folder,
        default=Path("runs", row.name),
        metavar="DIR",
        help="folder for the results (default: %(default)s)",
    )
    earlier = parser.add_mutually_exclusive_group()
    earlier.add_argument(
        "--resume", action="store_true", help="resume the run in --out, with the options that it was started with"
    )
    earlier.add_argument("--overwrite", action="store_true", help="replace the run in --out")
    add(
        "--distributed",
        nargs="?",
        type=positive_int,
        const=4,
        dest="shards",
        metavar="SHARDS",
        help="train on all processes that mpiexec started: 1, 2, … or SHARDS of them give the same bits (default: 4)",
    )
    add(
        "--explore",
        action="store_true",
        help="record the training and write a page about it, explorer.html",
    )
    add("--quiet", action="store_true", help="print the results only")
    return checked(parser, parser.parse_args())


def add_machine(parser: argparse.ArgumentParser) -> None:
    """The options of every program here that trains: where to compute, and where the data set is."""
    parser.add_argument(
        "--device",
        choices=(*DEVICES, "auto"),
        help="device that computes; auto takes the GPU if one works (default: cpu, or the device of --backend)",
    )
    parser.add_argument(
        "--backend", choices=tuple(MODULES), help="implementation that computes (default: the fastest on --device)"
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of the four IDX files (default: search, else download)"
    )


def checked(parser: argparse.ArgumentParser, options: argparse.Namespace) -> argparse.Namespace:
    """The options. Ends the process with code 2 and an error message if the backend does not run on the device."""
    there = DEVICES.get(options.device)
    if there and options.backend and options.backend not in there:
        choice = " or ".join(there)
        parser.error(f"argument --backend: {options.backend} does not run on the {options.device}, choose {choice}")
    return options


def choose_backend(options: argparse.Namespace) -> None:
    """Choose the backend of the options. Raises BackendError if it cannot run on this machine."""
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


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Inside the block, an expected error ends the process with one sentence; warnings are one line, too."""
    warnings.formatwarning = lambda message, *_: f"{program()}: {message}\n"
    try:
        yield
    except BrokenPipeError:
        raise  # see console.py
    except FORESEEN as error:
        end(2, f"error: {error}")


@contextmanager
def processes(shards: int | None) -> Iterator[DataParallel | None]:
    """The processes that train together, None without --distributed. Inside, errors are sentences."""
    with errors_as_sentences():
        try:
            parallel = None if shards is None else DataParallel(shards)
        except (ImportError, ValueError) as error:  # no mpi4py, or a number of processes that does not fit
            end(2, f"error: {error}")
    with parallel or nullcontext(), errors_as_sentences():
        yield parallel


def again(checkpoint: Checkpoint) -> str:
    """The command that resumes the run, on one process."""
    shards = checkpoint.settings.get("shards")
    distributed = [] if shards is None else ["--distributed", str(shards)]
    return shlex.join(["python", sys.argv[0], "--resume", *distributed, "--out", str(checkpoint.folder)])
