"""One training step of a network in a browser, forward and backward, down to the products of each number.

    minicnn.explorer.show(model, x, y)                      # in a notebook
    minicnn.explorer.write("model.html", model, x, y)       # a file that needs nothing else, no network either

`description.py` writes down the step, operation by operation (`operations.py`) with their branches (`graph.py`); the
modules in `browser/` show it; `recording.py` records a training.
"""

from .page import write
from .recording import Recording, record
from .widget import show

__all__ = ["Recording", "record", "show", "write"]
