"""Files of a training: arrays that appear complete or not at all, and errors that say which file is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from experiment.checkpoint import DAMAGED, RunError

from minicnn.files import atomic_writer


def save_array(path: Path, array: np.ndarray) -> None:
    with atomic_writer(path) as file:
        np.save(file, array, allow_pickle=False)


def load_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The array in the file. Raises RunError if it is damaged or has another shape."""
    with readable(path):
        array = np.load(path, allow_pickle=False)
        if array.shape != shape:
            raise ValueError(f"expected shape {shape}, found {array.shape}")
        return array


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Inside the block, what a damaged file may cause is a RunError that names the file."""
    try:
        yield
    except (EOFError, *DAMAGED) as error:
        raise RunError(f"{path} is damaged: {error}; delete its folder to train this again") from error
