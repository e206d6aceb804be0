"""Fashion-MNIST: 28 × 28 grey images of ten kinds of clothing, 60,000 for training and 10,000 for testing.

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
from .checksums import FULL, NAMES, SAMPLE, SAMPLE_DIRECTORY, DataFile
from .download import Archive, fetch
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

MIRRORS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)

ARCHIVES = (
    Archive(f"{NAMES[0]}.gz", 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    Archive(f"{NAMES[1]}.gz", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    Archive(f"{NAMES[2]}.gz", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    Archive(f"{NAMES[3]}.gz", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
)

EXPECTED_SAMPLE_ACCURACY = "about 0.87 (Model 5, 10 epochs)"

Split = tuple[np.ndarray, np.ndarray]


class SampleDataWarning(UserWarning):
    """The full data set was not found, so the small sample of minicnn is used."""


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """The data and their source; unpacks as `(x_train, y_train), (x_test, y_test)`.

    Images are uint8 arrays of shape (N, 28, 28), labels uint8 arrays of shape (N,) with values 0 to 9.
    `source` is the directory of the files; `is_sample` is True for the embedded sample, False for the full data set.
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

    The search order: `data_dir` (if given, nothing else is tried), $MINICNN_DATA (likewise), minicnn's cache, the
    directories where other tools keep the files (`minicnn.datasets.search_path.SEARCH_PATH`), the network (unless
    `download=False`), and finally the embedded sample of 6,000 + 1,000 images, with a SampleDataWarning.
    `quiet` hides the download's progress bar, but no warnings.

    A found or downloaded directory with a damaged file is skipped, with a warning that names the file.

    Raises FileNotFoundError if `data_dir` or $MINICNN_DATA lacks a file, DataFileError (a ValueError) if a file there
    is truncated or has a wrong shape or checksum.
    """
    download, quiet = arguments.flag("download", download), arguments.flag("quiet", quiet)
    directory = search_path.named(data_dir)
    if directory is not None:
        return _load(directory)
    for directory in search_path.found():
        try:
            return _load(directory)
        except DataFileError as error:
            warnings.warn(f"{error} The search continues.", stacklevel=2)
    if download:
        try:
            return _load(fetch("fashion-mnist", MIRRORS, ARCHIVES, quiet=quiet))
        except (OSError, DataFileError) as error:
            warnings.warn(f"Fashion-MNIST could not be downloaded: {error}", SampleDataWarning, stacklevel=2)
    return _load(SAMPLE_DIRECTORY)


def _load(directory: Path) -> FashionMNIST:
    """The checked data of one directory; with a SampleDataWarning if it is the sample's."""
    is_sample = directory.resolve() == SAMPLE_DIRECTORY.resolve()
    if is_sample:
        warnings.warn(_sample_notice(), SampleDataWarning, stacklevel=3)
    x_train, y_train, x_test, y_test = (_read(directory, file) for file in (SAMPLE if is_sample else FULL))
    return FashionMNIST((x_train, y_train), (x_test, y_test), str(directory), is_sample)


def _read(directory: Path, expected: DataFile) -> np.ndarray:
    """The items of one file, after a check of its structure, shape and checksum."""
    path = search_path.file_in(directory, expected.name)
    if path is None:  # only possible for the sample's directory: the search has checked all others
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
        "To get the full data set: connect to the network and run again; or apt-get install dataset-fashion-mnist "
        "(Debian, Ubuntu); or give a directory with the four IDX files, in data_dir or $MINICNN_DATA."
    )
