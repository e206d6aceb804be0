"""Class numbers to one-hot rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .. import arguments
from ..errors import explain

WHERE = "to_categorical"


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> np.ndarray:
    """One-hot rows: float32, of shape `x.shape + (num_classes,)`, with a 1 at each label and 0 elsewhere.

    `x` holds integers from 0 to num_classes - 1; a last axis of length 1 is dropped, as in Keras, so a column of
    labels gives the same rows as a vector. The default of `num_classes` is the largest label + 1.

    Raises TypeError for labels that are not integers; ValueError for labels out of range, for no labels without
    num_classes, and for a num_classes that is not a positive integer.
    """
    labels = arguments.array(WHERE, "labels", x)
    if labels.dtype.kind not in "iu":
        raise TypeError(explain(WHERE, "integer labels", f"dtype {labels.dtype}", "Convert them, with .astype(int)."))
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        if labels.size == 0:
            raise ValueError(explain(WHERE, "at least one label", "none", "Give num_classes."))
        num_classes = max(int(labels.max()), 0) + 1
    num_classes = arguments.whole(f"{WHERE} num_classes", num_classes)
    wrong = (labels < 0) | (labels >= num_classes)
    if wrong.any():
        expected = f"labels from 0 to {num_classes - 1} (num_classes={num_classes})"
        found = f"{labels[wrong][0]} ({wrong.sum():,} of {labels.size:,} labels are out of range)"
        raise ValueError(explain(WHERE, expected, found, "Number the classes from 0, or raise num_classes."))
    return np.eye(num_classes, dtype=np.float32)[labels]
