"""The exercises in their order. Each is a folder with its check and hints, `stub.py` and `solution.py`."""

from __future__ import annotations

from . import (
    batch_norm,
    col2im,
    conv1d,
    convolution,
    dense,
    dropout,
    fast,
    find_the_bug,
    im2col,
    max_pooling,
    optimizers,
    own_layer,
    relu,
    softmax,
    training_loop,
)

COURSE = tuple(
    exercise.EXERCISE
    for exercise in (
        dense,
        relu,
        softmax,
        convolution,
        im2col,
        col2im,
        max_pooling,
        batch_norm,
        dropout,
        optimizers,
        training_loop,
        conv1d,
        find_the_bug,
        fast,
        own_layer,
    )
)
"""All exercises, in the order of learning. An exercise's number is its place here."""
