"""How images are cut into tiles for Winograd's transforms, and where the factors of the products then lie."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..contract import Array
from .direct import Windows
from .runtime.compile import serial
from .tile import ROWS, width
from .transforms import KERNELS, OUTPUTS

TILES = 64
"""A thread takes about so many at a time, so that their points fit into its second-level cache; at least an image."""


class Tiling(NamedTuple):
    """How images are cut: N samples of H x W x C to OH x OW x F, in TH x TW tiles a sample, out of HP x WP cells.

    Channels and filters are filled up with zeros to CP and FP, whole tiles of products.
    """

    N: int
    H: int
    W: int
    C: int
    OH: int
    OW: int
    F: int
    KH: int
    KW: int
    top: int
    left: int
    form: int  # which of FORMS
    height: int  # of a tile of outputs
    points: int
    across: int  # points along the second axis
    TH: int
    TW: int
    HP: int
    WP: int
    CP: int
    FP: int


SIZES = len(Tiling._fields)


def tiling(w: Windows, itemsize: int) -> Tiling:
    """The tiles of a convolution whose windows these are."""
    height = OUTPUTS if w.KH > 1 else 1
    TH, TW = -(-w.OH // height), -(-w.OW // OUTPUTS)
    HP, WP = height * TH + w.KH - 1, OUTPUTS * TW + w.KW - 1
    across = OUTPUTS + w.KW - 1
    points = across * (height + w.KH - 1)
    CP, FP = (-(-channels // width(itemsize)) * width(itemsize) for channels in (w.C, w.F))
    form = KERNELS.index((w.KH, w.KW))
    return Tiling(
        w.N, w.H, w.W, w.C, w.OH, w.OW, w.F, w.KH, w.KW, w.top, w.left, form, height, points, across, TH, TW, HP, WP,
        CP, FP,
    )  # fmt: skip


@serial
def block_samples(t):
    """How many samples a thread takes at a time."""
    return max(1, min(t.N, TILES // (t.TH * t.TW)))


def block_tiles(t: Tiling) -> int:
    return int(block_samples.py_func(t)) * t.TH * t.TW


class Tables(NamedTuple):
    """Where the factors of the matrix products lie; see products.py."""

    channels: Array  # c, as many as there are channels, and some more to fill the last tile of products
    inputs: Array  # tile · C: V of one point is (tiles, C)
    outputs: Array  # tile · width: M̅ of one point is (panels, tiles, width)
    filters: Array  # where filter f of tile 0 lies in that


@lru_cache(maxsize=256)
def tables(t: Tiling, itemsize: int) -> Tables:
    """The tables of a block of samples."""
    tiles, W = np.arange(block_tiles(t)), width(itemsize)
    channels, filters = np.arange(t.CP), np.arange(t.FP)
    return Tables(
        np.pad(channels, (0, -t.CP % ROWS), mode="edge"),
        tiles * t.CP,
        tiles * W,
        filters // W * len(tiles) * W + filters % W,
    )
