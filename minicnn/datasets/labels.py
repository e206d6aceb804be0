"""Class numbers to one-hot rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> np.ndarray:
    """One-hot rows: float32, of shape `x.shape + (num_classes,)`, with a 1 at each label and 0 elsewhere.

    `x` holds integers from 0 to num_classes - 1; a last axis of length 1 is dropped, as Keras does, so a column of
    labels gives the same rows as a vector. Without `num_classes`, the largest label decides.

    Raises TypeError for labels that are not integers, ValueError for labels out of range, none to count
    from, or a num_classes that is not a positive integer.
    """
    labels = np.asarray(x)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"to_categorical: expected integer labels, found dtype {labels.dtype}; convert, .astype(int).")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        if labels.size == 0:
            raise ValueError("to_categorical: expected at least one label, found none; give num_classes.")
        num_classes = int(labels.max()) + 1
    if not isinstance(num_classes, (int, np.integer)) or num_classes < 1:
        raise ValueError(f"to_categorical: expected num_classes to be a positive integer, found {num_classes!r}.")
    wrong = (labels < 0) | (labels >= num_classes)
    if wrong.any():
        raise ValueError(
            f"to_categorical: expected labels from 0 to {num_classes - 1} (num_classes={num_classes}), "
            f"found {labels[wrong][0]} ({wrong.sum():,} of {labels.size:,} labels are out of range). "
            "Number the classes from 0, or raise num_classes."
        )
    return np.eye(num_classes, dtype=np.float32)[labels]
