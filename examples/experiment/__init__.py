"""The common part of the examples: the command line, the run, and the comparison with the report.

console        output, and how a run ends early, also while the libraries are still being imported
command_line   how options are typed, and errors as sentences
options        what decides a run: typed, remembered or default
run            data, training, evaluation
checkpoint     after every epoch, the state that an interrupted run goes on from
results        metrics, tables, files and figures
report         the report's metrics
"""

from . import console  # noqa: F401  first, so that Ctrl-C during the other imports is a sentence, too
from .run import run

__all__ = ["run"]
