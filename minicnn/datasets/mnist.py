"""MNIST: 28 × 28 grey images of handwritten digits, 60,000 for training and 10,000 for testing.

LeCun, Bottou, Bengio, Haffner: "Gradient-Based Learning Applied to Document Recognition" (1998),
http://yann.lecun.com/exdb/mnist/
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from .. import arguments
from . import idx
from .checksums import FULL, NAMES
from .download import Archive, fetch
from .fashion_mnist import Split
from .search_path import expand

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)

ARCHIVES = (
    Archive(f"{NAMES[0]}.gz", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    Archive(f"{NAMES[1]}.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    Archive(f"{NAMES[2]}.gz", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    Archive(f"{NAMES[3]}.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)

SHAPES = tuple(file.shape for file in FULL)  # Fashion-MNIST was made to replace MNIST: same files, same shapes

KERAS_FILE = Archive("mnist.npz", 11_490_434, "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1")


def load_data(path: str = "mnist.npz") -> tuple[Split, Split]:
    """`(x_train, y_train), (x_test, y_test)`, as `keras.datasets.mnist.load_data()` returns them.

    Images are uint8 arrays of shape (N, 28, 28), labels uint8 arrays of shape (N,). They come from the file that Keras
    has downloaded on this machine, from minicnn's cache or from the network, with their checksums verified.
    Raises OSError if the files are nowhere and cannot be downloaded.
    """
    arguments.choice("mnist.load_data path", path, (KERAS_FILE.name,), "the name of Keras's file")
    of_keras = _file_of_keras()
    if of_keras is not None:
        with np.load(of_keras, allow_pickle=False) as arrays:
            return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
    directory = fetch("mnist", MIRRORS, ARCHIVES)
    x_train, y_train, x_test, y_test = (
        idx.decode(idx.read_content(directory / archive.name, shape), directory / archive.name)
        for archive, shape in zip(ARCHIVES, SHAPES, strict=True)
    )
    return (x_train, y_train), (x_test, y_test)


def _file_of_keras() -> Path | None:
    """Keras's file on this machine, if it is there and intact."""
    for home in ("$KERAS_HOME", "~/.keras"):
        path = expand(home) / "datasets" / KERAS_FILE.name
        if os.path.isfile(path) and hashlib.sha256(path.read_bytes()).hexdigest() == KERAS_FILE.sha256:
            return path
    return None
