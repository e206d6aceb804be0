"""Statistics of images before anything is trained on them: missing values, mean, spread, quartiles, skew."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import arguments
from ..errors import explain


class PixelStatistics(NamedTuple):
    """Statistics of the pixels that are not NaN, and the number of NaNs."""

    images: int
    pixels: int
    """All pixels, also NaN ones."""
    missing: int
    """Pixels that are NaN."""
    infinite: int
    mean: float
    std: float
    """Standard deviation, √(mean of (x − mean)²)."""
    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float
    skew: float
    """Mean of ((x − mean) / std)³: positive if the tail of bright pixels is the longer one; NaN if all are equal."""


def pixel_statistics(images: Any) -> PixelStatistics:
    """The statistics of images of any shape (N, …) and any real dtype.

    Raises TypeError for anything but numbers, ValueError if none of them is finite.
    """
    images = arguments.array("pixel_statistics", "images", images)
    finite = images[np.isfinite(images)]
    if images.ndim == 0 or finite.size == 0:
        found = f"shape {images.shape} with {finite.size} finite pixels"
        raise ValueError(explain("pixel_statistics", "images with finite pixels", found, "Give at least one image."))
    # 47 million pixels have only a few distinct values: computing with these needs little memory.
    values, counts = np.unique(finite, return_counts=True)
    values = values.astype("float64")
    share = counts / finite.size
    mean = float(share @ values)
    std = float(np.sqrt(share @ (values - mean) ** 2))
    skew = float(share @ ((values - mean) / std) ** 3) if std > 0 else np.nan
    missing = int(np.isnan(images).sum())
    infinite = images.size - finite.size - missing
    least, lower, median, upper, most = (float(value) for value in np.percentile(finite, [0, 25, 50, 75, 100]))
    return PixelStatistics(
        len(images), images.size, missing, infinite, mean, std, least, lower, median, upper, most, skew
    )
