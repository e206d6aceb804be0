"""The common part of the examples: the command line, the run, and the comparison with the report.

console        output, and how a run ends early, also while the libraries are still being imported
command_line   parses the options, and prints errors as sentences
options        the options of a run: given, taken from the run to resume, or default
run            data, training, evaluation
checkpoint     saves the state after every epoch, so that an interrupted run can be resumed
results        metrics, tables, files and figures
report         the report's metrics
"""

from . import console  # noqa: F401  first, so that Ctrl-C during the other imports prints a sentence, too
from .run import run

__all__ = ["run"]
