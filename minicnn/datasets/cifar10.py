"""CIFAR-10: 32 × 32 colour images of ten kinds of things, 50,000 for training and 10,000 for testing.

Krizhevsky: "Learning Multiple Layers of Features from Tiny Images" (2009), https://www.cs.toronto.edu/~kriz/cifar.html

The file is the authors' binary version: unlike the Python version, it is read without running a pickle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .download import Archive, fetch
from .fashion_mnist import Split
from .idx import DataFileError

if TYPE_CHECKING:
    import tarfile

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)

ARCHIVE = Archive(
    "cifar-10-binary.tar.gz", 170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
)

TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"


def load_data() -> tuple[Split, Split]:
    """`(x_train, y_train), (x_test, y_test)`, as `keras.datasets.cifar10.load_data()` returns them.

    Images are uint8 arrays of shape (N, 32, 32, 3), labels uint8 arrays of shape (N, 1). They come from minicnn's cache
    or from the network (170 MB), with the checksum verified. Raises OSError if they cannot be downloaded.
    """
    import tarfile

    path = fetch("cifar-10", MIRRORS, (ARCHIVE,)) / ARCHIVE.name
    with tarfile.open(path, "r|gz") as archive:  # a stream: each file is read once, in the archive's order
        contents = {member.name.rpartition("/")[2]: _content(archive, member) for member in archive}
    missing = {*TRAIN_FILES, TEST_FILE} - contents.keys()
    if missing:
        raise DataFileError(path, "the six files of the binary version", f"no {', '.join(sorted(missing))}")
    return decode(b"".join(contents[name] for name in TRAIN_FILES)), decode(contents[TEST_FILE])


def decode(content: bytes) -> Split:
    """Images and labels of records, each a label (1 byte) and three planes, red, green and blue (3 · 32 · 32 bytes)."""
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)
    return np.ascontiguousarray(images), records[:, :1].copy()


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """The bytes of a file in the archive; b"" for a directory."""
    file = archive.extractfile(member)
    return b"" if file is None else file.read()
