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

import numpy as np

from ..errors import explain

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTES = b"\x00\x00\x08"


class DataFileError(ValueError):
    """A data file that is damaged, or is not what its name says."""

    def __init__(self, path: str | os.PathLike[str], expected: str, found: str) -> None:
        super().__init__(explain(str(path), expected, found, "Replace or delete this file, then load again."))


def read_content(path: str | os.PathLike[str], shape: tuple[int, ...]) -> bytes:
    """The bytes of an IDX file with items of this shape, unpacked if it is gzipped (whatever its name).

    Reads the header, no more items than `shape` has, and one byte to notice a surplus: a small file that unpacks to
    gigabytes takes no more memory than the right one. Raises DataFileError if the file cannot be read or unpacked, or
    its header names another shape.
    """
    try:
        with open(path, "rb") as file:
            unpacked = gzip.GzipFile(fileobj=file) if file.peek(2).startswith(GZIP_MAGIC) else file
            header = unpacked.read(4)
            header += unpacked.read(4 * sum(header[3:4]))  # byte 3: the number of axes
            found = decode_shape(header, path)
            if found != shape:
                raise DataFileError(path, f"items of shape {shape}", f"{found}")
            return header + unpacked.read(math.prod(shape) + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        finding = f"{os.path.getsize(path):,} bytes that do not unpack ({error})"
        raise DataFileError(path, "a complete gzip file", finding) from error
    except OSError as error:
        raise DataFileError(path, "a file that can be read", str(error)) from error


def decode_shape(header: bytes, path: str | os.PathLike[str]) -> tuple[int, ...]:
    """The shape that the first bytes of an IDX file announce. `path` is only named in errors.

    Raises DataFileError for a wrong magic number and for a truncated header.
    """
    if len(header) < 4 or header[:3] != UNSIGNED_BYTES:
        expected = "an IDX file of unsigned bytes (magic number 00 00 08 and the number of axes)"
        raise DataFileError(path, expected, header[:4].hex(" ") or "an empty file")
    size = 4 + 4 * header[3]
    if len(header) < size:
        raise DataFileError(path, f"a header of {size} bytes for {header[3]} axes", f"{len(header)} bytes")
    return tuple(int(length) for length in np.frombuffer(header[4:size], ">u4"))


def decode(content: bytes, path: str | os.PathLike[str]) -> np.ndarray:
    """The uint8 array that the unpacked bytes of an IDX file describe. `path` is only named in errors.

    Raises DataFileError for a wrong header, for truncated items and for trailing bytes.
    """
    shape = decode_shape(content, path)
    header = 4 + 4 * len(shape)
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
