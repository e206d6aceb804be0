"""Make the embedded sample from the full data set: `python -m minicnn.datasets.make_sample`.

It takes the first 600 training and the first 100 test images of each class, in the order of the full files. Nothing is
random, so every run gives the same files.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from ..errors import explain
from ..files import atomic_writer
from . import idx
from .checksums import NAMES, SAMPLE_DIRECTORY
from .fashion_mnist import CLASS_NAMES, FashionMNIST, load_fashion_mnist

TRAIN_PER_CLASS = 600
TEST_PER_CLASS = 100


def sample_of(data: FashionMNIST) -> dict[str, bytes]:
    """The sample's four IDX files, by name."""
    arrays = (*first_of_each_class(*data.train, TRAIN_PER_CLASS), *first_of_each_class(*data.test, TEST_PER_CLASS))
    return {name: idx.encode(array) for name, array in zip(NAMES, arrays, strict=True)}


def first_of_each_class(images: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` images of each class with their labels, in the order given."""
    chosen = [np.flatnonzero(labels == number)[:count] for number in range(len(CLASS_NAMES))]
    index = np.sort(np.concatenate(chosen))
    return images[index], labels[index]


def write_sample(directory: Path) -> None:
    """Write the four files, gzipped without a date, each atomically. Raises FileNotFoundError without the full set."""
    data = load_fashion_mnist()
    if data.is_sample:
        remedy = "Install the full data set as the warning above says."
        raise FileNotFoundError(explain("make_sample", "the full data set", "the sample", remedy))
    for name, content in sample_of(data).items():
        with atomic_writer(directory / f"{name}.gz") as file:
            file.write(gzip.compress(content, mtime=0))


if __name__ == "__main__":
    write_sample(SAMPLE_DIRECTORY)
