"""The catalogue of usual mistakes in a backward: one family a file, one function an entry.

An entry's code computes the wrong gradient from the forward's inputs, its docstring says in a sentence what was done.
The doctor compares a wrong gradient with those of all entries; the tests plant every entry into the textbook and must
notice; exercises draw from it.
"""

from . import activations, convolution, dense, dropout, losses, moving, normalization, pooling, shapes, softmax, stacked
from .catalogue import CATALOGUE, Case, Mistake, entries, of_case, of_operation

__all__ = ["CATALOGUE", "FAMILIES", "Case", "Mistake", "entries", "of_case", "of_operation"]

FAMILIES = (dense, stacked, activations, softmax, losses, convolution, pooling, normalization, dropout, moving, shapes)
