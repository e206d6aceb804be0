"""IDX files are read and written to the published format, and damaged ones are refused with a reason."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from minicnn.datasets import DataFileError, idx


@pytest.mark.parametrize("shape", [(5,), (0, 28, 28), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_idx_round_trip(shape, pack, tmp_path):
    items = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    path = tmp_path / "items"
    path.write_bytes(pack(idx.encode(items)))
    found = idx.decode(idx.read_content(path, shape), path)
    np.testing.assert_array_equal(found, items, strict=True)
    assert found.flags.writeable


def test_idx_header_is_the_published_one():
    assert idx.encode(np.array([[1, 2, 3]], np.uint8)) == bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3])


WELL_FORMED = idx.encode(np.arange(12, dtype=np.uint8).reshape(3, 4))


@pytest.mark.parametrize(
    ("content", "expected", "finding"),
    [
        (b"", "magic number 00 00 08", "an empty file"),
        (b"<html>Not found</html>", "magic number 00 00 08", "3c 68 74 6d"),
        (b"\x00\x00\x0d" + WELL_FORMED[3:], "magic number 00 00 08", "00 00 0d 02"),
        (WELL_FORMED[:7], "a header of 12 bytes for 2 axes", "7 bytes"),
        (WELL_FORMED[:-1], r"24 bytes, .* items of shape \(3, 4\)", "23: the file is truncated"),
        (WELL_FORMED + b"\x00", r"24 bytes, .* items of shape \(3, 4\)", "25: there are bytes after"),
    ],
    ids=["empty", "web page", "floats", "short header", "truncated", "trailing"],
)
def test_damaged_idx(content, expected, finding):
    with pytest.raises(
        DataFileError, match=f"some-file: expected .*{expected}.*, found .*{finding}.* Replace or delete"
    ):
        idx.decode(content, "some-file")


def test_idx_holds_unsigned_bytes_only():
    with pytest.raises(TypeError, match="expected an array of dtype uint8, found float32"):
        idx.encode(np.zeros(3, np.float32))
