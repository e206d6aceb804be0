"""Shapes and checksums of the four files, for the full data set and for the sample that is part of minicnn.

The SHA-256 are those of the unpacked IDX files: they are valid for plain files and for any gzip compression. (Debian's
package is compressed differently from the original download, but its content is the same to the bit.)
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class DataFile(NamedTuple):
    """One IDX file: its name (without .gz), the shape of its items, the SHA-256 of its unpacked content."""

    name: str
    shape: tuple[int, ...]
    sha256: str


class DataFiles(NamedTuple):
    """The four files of the full data set or of the sample."""

    train_images: DataFile
    train_labels: DataFile
    test_images: DataFile
    test_labels: DataFile


NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

FULL = DataFiles(
    DataFile(NAMES[0], (60_000, 28, 28), "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    DataFile(NAMES[1], (60_000,), "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    DataFile(NAMES[2], (10_000, 28, 28), "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    DataFile(NAMES[3], (10_000,), "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
)

SAMPLE_DIRECTORY = Path(__file__).parent / "sample"
SAMPLE = DataFiles(
    DataFile(NAMES[0], (6_000, 28, 28), "cf313073c7eb485392848071d5c433571d7166043e971e3345b095cc30518084"),
    DataFile(NAMES[1], (6_000,), "097b93fbcf9bd5bc648b1a457ddc55c9e4ab49afb33f9ecae8ce068399a75e3a"),
    DataFile(NAMES[2], (1_000, 28, 28), "7cee33c3c6414b1b86c25e665a6c4f41584269de3b7cc9768b1d351922845eef"),
    DataFile(NAMES[3], (1_000,), "3128d790775889812b73c4f13923559c8b9e281d112c6ea7862acf60a206a909"),
)
