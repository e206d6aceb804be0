"""Arrays in files that appear complete or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minicnn.files import atomic_writer


def save_array(path: Path, array: np.ndarray) -> None:
    with atomic_writer(path) as file:
        np.save(file, array, allow_pickle=False)
