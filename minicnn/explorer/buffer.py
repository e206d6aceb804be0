"""One buffer with all arrays of a page."""

from __future__ import annotations

from typing import Any

import numpy as np

EXACT = 4096
"""Maximum size of a weight's gradient that is stored in float64; larger ones are float32, half the size."""


class Buffer:
    """Arrays one after another; in the description, an array is its number here."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.parts: list[bytes] = []
        self.size = 0
        self._known: dict[tuple[Any, ...], int] = {}

    def add(self, array: Any, dtype: Any = np.float64) -> int:
        """The number of the array, stored in `dtype`; equal arrays are stored once."""
        array = np.asarray(array, np.dtype(dtype).newbyteorder("<"), order="C")
        data = array.tobytes()
        key = (array.shape, array.dtype, data)
        if key not in self._known:
            self._known[key] = len(self.entries)
            kind = "float64" if array.itemsize == 8 else "float32"
            self.entries.append({"shape": list(array.shape), "at": self.size, "type": kind})
            padded = data + bytes(-len(data) % 8)  # JavaScript reads float64 at multiples of 8 bytes only
            self.parts.append(padded)
            self.size += len(padded)
        return self._known[key]

    def add_weight(self, array: np.ndarray) -> int:
        """Weights are float32 in nearly every model; then nothing is lost."""
        single = array.astype(np.float32)
        return self.add(array, np.float32 if np.array_equal(single, array, equal_nan=True) else np.float64)

    def add_gradient(self, array: np.ndarray) -> int:
        """The gradient with respect to a weight."""
        return self.add(array, np.float32 if array.size > EXACT else np.float64)
