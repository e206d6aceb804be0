"""The command line of the reproduction."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiment.command_line import add_machine, checked
from experiment.options import DEFAULTS, folder, natural_number, positive_int

from .plan import PARTS

DESCRIPTION = """Train the report's seven models with several seeds, their ensembles, support vector machines and
variants, and write the whole report again: a page with all tables and figures, from one JSON file.

It may be stopped at any time, also by kill -9: the same command goes on from there."""

EPILOG = """examples:
  python -m examples.reproduce                                        everything
  python -m examples.reproduce --models model5 model6 --seeds 2       two models, two seeds
  python -m examples.reproduce --limit 600 --epochs 1 --out runs/try  have a first look
  python -m examples.reproduce --report-only                          the page from what is trained so far

Exit code: 0 done, 2 the command cannot be executed, 130 interrupted."""


def parse() -> argparse.Namespace:
    """The options. Ends the process with code 2 and an error message if one is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.reproduce",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--models",
        nargs="+",
        choices=PARTS,
        default=list(PARTS),
        metavar="NAME",
        help=f"{', '.join(PARTS)} (default: all)",
    )
    add("--seeds", type=positive_int, default=3, metavar="N", help="number of seeds (default: 3)")
    add("--first-seed", type=natural_number, default=0, metavar="N", help="of these seeds the first (default: 0)")
    add(
        "--sensitivity-seeds",
        type=positive_int,
        default=1,
        metavar="N",
        help="how many of the seeds the variants are trained with (default: 1)",
    )
    add("--epochs", type=positive_int, metavar="N", help="for all models (default: as in the report)")
    add("--limit", type=positive_int, metavar="N", help="use the first N training and N test images (default: all)")
    add_machine(parser)
    add(
        "--out",
        type=folder,
        default=Path("runs", "reproduction"),
        metavar="DIR",
        help="folder for the results (default: %(default)s)",
    )
    add(
        "--docs",
        type=folder,
        metavar="DIR",
        help="folder for reproduction.md and its figures (default: docs for the whole reproduction, else --out)",
    )
    add("--report-only", action="store_true", help="train nothing, write the page from what is trained so far")
    add("--overwrite", action="store_true", help="replace the runs in --out")
    add("--quiet", action="store_true", help="print no epochs")
    options = parser.parse_args(namespace=argparse.Namespace(**DEFAULTS))
    if "svm" in options.models and "model5" not in options.models:
        parser.error("argument --models: svm learns from Model 5's features, so name model5, too")
    return checked(parser, options)


def is_whole(options: argparse.Namespace) -> bool:
    """Whether these options ask for everything: all models, three seeds or more, all images."""
    return set(options.models) == set(PARTS) and options.seeds >= 3 and options.limit is None and options.epochs is None
