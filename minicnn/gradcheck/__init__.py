"""Gradient checks: is the backward the derivative of the forward, and if not, why not?

    report = check_layer(MyLayer(), (3, 6, 5, 2))
    print(report)               # a table: every gradient, its largest error, the verdict, and the diagnosis
    report.raise_if_wrong()     # in a test

Each gradient is compared with a numerical one, in float64 and under a random upstream gradient. `numerical.py` is how
to differentiate without knowing how, `protocol.py` what a backward must not do, `causes.py` how a wrong gradient
betrays its cause.
"""

from .checks import check_layer, check_loss, check_model, check_operation
from .report import GradientError, Report

__all__ = ["GradientError", "Report", "check_layer", "check_loss", "check_model", "check_operation"]
