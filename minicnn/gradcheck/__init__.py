"""Gradient checks: is the backward the derivative of the forward? If not, why not?

    report = check_layer(MyLayer(), (3, 6, 5, 2))
    print(report)               # a table: every gradient, its largest error, the verdict, and the diagnosis
    report.raise_if_wrong()     # in a test

Each gradient is compared with a numerical gradient, in float64 and with a random upstream gradient. `numerical.py`
differentiates numerically, `protocol.py` has the rules for every backward, `known/` the operations that are recognised,
`mistakes/` the catalogue, `diagnosis.py` finds the cause of a wrong gradient in it.
"""

from . import mistakes
from .checks import check_layer, check_loss, check_model, check_operation
from .optimizers import check_optimizer
from .report import GradientError, Report

__all__ = [
    "GradientError",
    "Report",
    "check_layer",
    "check_loss",
    "check_model",
    "check_operation",
    "check_optimizer",
    "mistakes",
]
