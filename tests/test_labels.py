"""Class numbers become one-hot rows, as with Keras's to_categorical, and wrong ones are refused."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn.datasets import to_categorical


@pytest.mark.parametrize("shape", [(7,), (7, 1), (2, 3), (0,)])
def test_to_categorical(shape):
    labels = np.random.default_rng(1).integers(0, 4, shape)
    rows = to_categorical(labels, 4)
    assert rows.dtype == np.float32
    assert rows.shape == (*((7,) if shape == (7, 1) else shape), 4)
    np.testing.assert_array_equal(rows.argmax(-1).ravel(), labels.ravel())
    np.testing.assert_array_equal(np.sort(rows, -1), np.broadcast_to([0, 0, 0, 1], rows.shape))


def test_to_categorical_counts_the_classes_itself():
    np.testing.assert_array_equal(to_categorical([2, 0]), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize(
    ("labels", "num_classes", "error", "message"),
    [
        ([0, 3, 10], 10, ValueError, r"labels from 0 to 9 .* found 10 \(1 of 3"),
        ([0, -1], 10, ValueError, "labels from 0 to 9 .* found -1"),
        ([0.0, 1.0], 10, TypeError, "expected integer labels, found dtype float64"),
        (["boot"], 10, TypeError, "expected labels of numbers, found list of dtype <U4"),
        ([-3], None, ValueError, "labels from 0 .* found -3"),
        (np.zeros(0, int), None, ValueError, "expected at least one label, found none"),
        ([0], 0, ValueError, "num_classes: expected a positive whole number, found 0"),
        ([0], 10.0, ValueError, r"num_classes: expected a positive whole number, found 10\.0"),
    ],
)
def test_to_categorical_refuses(labels, num_classes, error, message):
    with pytest.raises(error, match=f"to_categorical.*{message}"):
        to_categorical(labels, num_classes)
