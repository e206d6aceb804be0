"""Fashion-MNIST: 28 × 28 grey images of ten kinds of clothing, 60,000 to train on and 10,000 to test with.

Xiao, Rasul, Vollgraf: "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms" (2017),
https://arxiv.org/abs/1708.07747
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import arguments
from ..errors import explain
from . import idx, search_path
from .checksums import FULL, SAMPLE, SAMPLE_DIRECTORY, DataFile
from .download import fetch
from .idx import DataFileError

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

EXPECTED_SAMPLE_ACCURACY = "about 0.87 (Model 5, 10 epochs)"

Split = tuple[np.ndarray, np.ndarray]


class SampleDataWarning(UserWarning):
    """The full data set was not found: this run uses the small sample that ships with minicnn."""


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """The data and where they came from; unpacks as `(x_train, y_train), (x_test, y_test)`.

    Images are uint8 arrays of shape (N, 28, 28), labels uint8 arrays of shape (N,) with values 0 to 9.
    `source` is the directory that was read; `is_sample` tells the embedded sample from the full data set.
    """

    train: Split
    test: Split
    source: str
    is_sample: bool

    def __iter__(self) -> Iterator[Split]:
        return iter((self.train, self.test))


def load_data() -> tuple[Split, Split]:
    """`(x_train, y_train), (x_test, y_test)`, as `keras.datasets.fashion_mnist.load_data()` returns them."""
    data = load_fashion_mnist()
    return data.train, data.test


def load_fashion_mnist(
    data_dir: str | os.PathLike[str] | None = None, *, download: bool = True, quiet: bool = False
) -> FashionMNIST:
    """Find, check and load Fashion-MNIST.

    Searched in this order: `data_dir` (if given, nothing else is tried), $MINICNN_DATA (likewise), minicnn's cache,
    the directories where other tools leave the files (`minicnn.datasets.search_path.SEARCH_PATH`), the network (unless
    `download=False`), and last the embedded sample of 6,000 + 1,000 images, with a SampleDataWarning.
    `quiet` silences the download's progress, never a warning.

    A directory that was searched or downloaded and holds a damaged file is passed over, with a warning that names it.

    Raises FileNotFoundError if a directory that was named lacks a file, DataFileError (a ValueError) if a file there is
    truncated, of the wrong shape or has a wrong checksum.
    """
    download, quiet = arguments.flag("download", download), arguments.flag("quiet", quiet)
    directory = search_path.named(data_dir)
    if directory is not None:
        return _load(directory)
    for directory in search_path.found():
        try:
            return _load(directory)
        except DataFileError as error:
            warnings.warn(f"{error} The search goes on.", stacklevel=2)
    if download:
        try:
            return _load(fetch(quiet=quiet))
        except (OSError, DataFileError) as error:
            warnings.warn(f"Fashion-MNIST could not be downloaded: {error}", SampleDataWarning, stacklevel=2)
    return _load(SAMPLE_DIRECTORY)


def _load(directory: Path) -> FashionMNIST:
    """The four files of one directory, checked; with a SampleDataWarning if it is the sample's."""
    is_sample = directory.resolve() == SAMPLE_DIRECTORY.resolve()
    if is_sample:
        warnings.warn(_sample_notice(), SampleDataWarning, stacklevel=3)
    x_train, y_train, x_test, y_test = (_read(directory, file) for file in (SAMPLE if is_sample else FULL))
    return FashionMNIST((x_train, y_train), (x_test, y_test), str(directory), is_sample)


def _read(directory: Path, expected: DataFile) -> np.ndarray:
    """The items of one file, once its structure, shape and checksum are right."""
    path = search_path.file_in(directory, expected.name)
    if path is None:  # the search has seen to every directory but our own
        raise FileNotFoundError(
            explain("minicnn's sample", f"{expected.name}.gz in {directory}", "no such file", "Reinstall minicnn.")
        )
    content = idx.read_content(path, expected.shape)
    items = idx.decode(content, path)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != expected.sha256:
        raise DataFileError(path, f"SHA-256 {expected.sha256} of the unpacked file", sha256)
    return items


def _sample_notice() -> str:
    return (
        f"This is minicnn's embedded sample of Fashion-MNIST: {SAMPLE.train_labels.shape[0]:,} training and "
        f"{SAMPLE.test_labels.shape[0]:,} test images, not {FULL.train_labels.shape[0]:,} and "
        f"{FULL.test_labels.shape[0]:,}. Expect a test accuracy of {EXPECTED_SAMPLE_ACCURACY} from it. "
        "To get the rest: connect to the network and run again; or apt-get install dataset-fashion-mnist (Debian, "
        "Ubuntu); or name a directory that holds the four IDX files, with data_dir or $MINICNN_DATA."
    )
