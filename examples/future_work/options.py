"""The command line of the study."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiment.command_line import add_machine, checked
from experiment.options import folder, positive_int

LIMIT, EPOCHS, SEEDS, TRIALS = 5000, 8, 3, 12
"""Of the published page: training images, epochs, seeds, and trials of the Bayesian search."""

DESCRIPTION = """Measure what the report's future work brings to Model 5: penalties, dropout, learning-rate schedules,
data augmentation, label smoothing, grid search, Bayesian search, transfer learning.

It may be stopped at any time, also by kill -9: the same command goes on from there."""

EPILOG = """examples:
  python -m examples.future_work                                          the published page
  python -m examples.future_work --limit 60000 --out runs/future-whole    on all training images
  python -m examples.future_work --limit 600 --epochs 1 --seeds 1 --trials 2 --out runs/try
  python -m examples.future_work --report-only                            the page from what is measured so far

Exit code: 0 done, 2 the command cannot be executed, 130 interrupted."""


def parse() -> argparse.Namespace:
    """The options. Ends the process with code 2 and an error message if one is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.future_work",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--limit", type=positive_int, default=LIMIT, metavar="N", help="training images (default: %(default)s)")
    add("--epochs", type=positive_int, default=EPOCHS, metavar="N", help="epochs (default: %(default)s)")
    add("--seeds", type=positive_int, default=SEEDS, metavar="N", help="number of seeds (default: %(default)s)")
    add("--trials", type=positive_int, default=TRIALS, metavar="N", help="of Optuna's search (default: %(default)s)")
    add_machine(parser)
    out = Path("runs", "future-work")
    add("--out", type=folder, default=out, metavar="DIR", help="folder for the results (default: %(default)s)")
    add("--report-only", action="store_true", help="measure nothing, write the page from what is measured so far")
    return checked(parser, parser.parse_args())


def are_published(options: argparse.Namespace) -> bool:
    """Whether these are the options of the published page."""
    return (options.limit, options.epochs, options.seeds, options.trials) == (LIMIT, EPOCHS, SEEDS, TRIALS)
