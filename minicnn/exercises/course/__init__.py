"""The exercises in their order. Each is a folder with its check and hints, `stub.py` and `solution.py`."""

from __future__ import annotations

from . import convolution, dense, relu, softmax

COURSE = tuple(exercise.EXERCISE for exercise in (dense, relu, softmax, convolution))
"""All exercises, in the order of learning. An exercise's number is its place here."""
