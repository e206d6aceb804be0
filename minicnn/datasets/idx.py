"""IDX, the file format of MNIST and Fashion-MNIST: a short header, then the numbers one after another.

    4 bytes             magic number: 0, 0, item type (8 = unsigned byte), number of axes
    4 bytes an axis     its length, the most significant byte first
    the rest            the items, last axis fastest

Both data sets hold unsigned bytes only, so that is the one item type read and written here.
Source: http://yann.lecun.com/exdb/mnist/, "The IDX file format".
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np

from ..errors import explain

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTES = b"\x00\x00\x08"


class DataFileError(ValueError):
    """A data file that is damaged, or is not what its name says."""

    def __init__(self, path: str | os.PathLike[str], expected: str, found: str) -> None:
        super().__init__(explain(str(path), expected, found, "Replace or delete this file, then load again."))


def read_content(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file, unpacked if it is gzipped (its first bytes say so, whatever its name).

    Raises DataFileError if the gzip stream is cut short or damaged.
    """
    content = Path(path).read_bytes()
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        finding = f"{len(content):,} bytes that do not unpack ({error})"
        raise DataFileError(path, "a complete gzip file", finding) from error


def decode(content: bytes, path: str | os.PathLike[str]) -> np.ndarray:
    """The uint8 array that the unpacked bytes of an IDX file describe. `path` is only named in errors.

    Raises DataFileError for a wrong magic number, a truncated header or truncated items, and for trailing bytes.
    """
    if len(content) < 4 or content[:3] != UNSIGNED_BYTES:
        expected = "an IDX file of unsigned bytes (magic number 00 00 08 and the number of axes)"
        raise DataFileError(path, expected, content[:4].hex(" ") or "an empty file")
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise DataFileError(path, f"a header of {header} bytes for {content[3]} axes", f"{len(content)} bytes")
    shape = tuple(int(length) for length in np.frombuffer(content[4:header], ">u4"))
    size = header + math.prod(shape)
    if len(content) != size:
        defect = "the file is truncated" if len(content) < size else "bytes trail behind the items"
        expected = f"{size:,} bytes, as its header says for items of shape {shape}"
        raise DataFileError(path, expected, f"{len(content):,}: {defect}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()  # a copy, so that it can be written to


def encode(items: np.ndarray) -> bytes:
    """The bytes of the IDX file that holds this uint8 array: what `decode` turns back into it."""
    if items.dtype != np.uint8:
        raise TypeError(explain("idx.encode", "an array of dtype uint8", items.dtype, "Convert it first."))
    return UNSIGNED_BYTES + bytes([items.ndim]) + np.array(items.shape, ">u4").tobytes() + items.tobytes()
