"""IDX, the file format of MNIST and Fashion-MNIST: a short header, then the numbers.

    4 bytes             magic number: 0, 0, item type (8 = unsigned byte), number of axes
    4 bytes per axis    its length, the most significant byte first
    the rest            the items, the last axis varies fastest

Both data sets contain unsigned bytes only, so this is the only item type that is read and written here.
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
    """A data file is damaged, or its content does not match its name."""

    def __init__(self, path: str | os.PathLike[str], expected: str, found: str) -> None:
        super().__init__(explain(str(path), expected, found, "Replace or delete this file, then load again."))


def read_content(path: str | os.PathLike[str], shape: tuple[int, ...]) -> bytes:
    """The bytes of an IDX file with items of this shape, unpacked if it is gzipped (with any name).

    It reads the header, the items of `shape`, and one more byte to detect a file that is too long: a small file that
    unpacks to gigabytes needs no more memory than the right one. Raises DataFileError if the file cannot be read or
    unpacked, or if its header has another shape.
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
    """The shape in the first bytes of an IDX file. `path` is only for error messages.

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
    """The uint8 array in the unpacked bytes of an IDX file. `path` is only for error messages.

    Raises DataFileError for a wrong header, for truncated items and for trailing bytes.
    """
    shape = decode_shape(content, path)
    header = 4 + 4 * len(shape)
    size = header + math.prod(shape)
    if len(content) != size:
        defect = "the file is truncated" if len(content) < size else "there are bytes after the items"
        expected = f"{size:,} bytes, from its header, for items of shape {shape}"
        raise DataFileError(path, expected, f"{len(content):,}: {defect}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()  # a copy is writeable


def encode(items: np.ndarray) -> bytes:
    """The bytes of an IDX file with this uint8 array: the inverse of `decode`."""
    if items.dtype != np.uint8:
        raise TypeError(
            explain("idx.encode", "an array of dtype uint8", items.dtype, "Convert it, with .astype(numpy.uint8).")
        )
    return UNSIGNED_BYTES + bytes([items.ndim]) + np.array(items.shape, ">u4").tobytes() + items.tobytes()
