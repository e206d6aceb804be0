"""Geometry of sliding windows, shared by layers and backends: output length and padding, as in TensorFlow."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

Pair = tuple[int, int]


def output_length(length: int, window: int, stride: int, padding: str) -> int:
    """How many windows fit along an axis.

    valid: floor((length − window) / stride) + 1        same: ceil(length / stride)
    """
    if padding == "same":
        return -(-length // stride)
    return (length - window) // stride + 1


def pad_amounts(length: int, window: int, stride: int, padding: str) -> tuple[int, int]:
    """How many elements to pad before and after an axis; "same" puts an odd one at the end, as TensorFlow does."""
    if padding == "valid":
        return 0, 0
    windows = output_length(length, window, stride, padding)
    total = max((windows - 1) * stride + window - length, 0)
    return total // 2, total - total // 2


class Windows(NamedTuple):
    """The geometry of a convolution or pooling, in the contract's letters, as a kernel needs it.

    N images of H x W x C, padded to HP x WP; windows of KH x KW, SH and SW apart; outputs of OH x OW x F.
    """

    N: int
    H: int
    W: int
    C: int
    KH: int
    KW: int
    F: int
    SH: int
    SW: int
    OH: int
    OW: int
    top: int
    left: int
    HP: int
    WP: int


@lru_cache(maxsize=256)
def windows(shape: tuple[int, ...], window: Pair, F: int, strides: Pair, padding: str) -> Windows:
    """The windows on images of this shape, (N, H, W, C), for F outputs each."""
    N, H, W, C = shape
    (KH, KW), (SH, SW) = window, strides
    (top, bottom), (left, right) = pad_amounts(H, KH, SH, padding), pad_amounts(W, KW, SW, padding)
    OH, OW = output_length(H, KH, SH, padding), output_length(W, KW, SW, padding)
    return Windows(N, H, W, C, KH, KW, F, SH, SW, OH, OW, top, left, top + H + bottom, left + W + right)


def transposed(w: Windows) -> Windows:
    """The windows of the convolution that computes dx from dz, whose pixels are spread by the strides among zeros.

    dx = conv2d(dz, the kernel turned by 180°): output pixel (h, w) is the sum over all windows that contain it.
    """
    HP, WP = w.H + w.KH - 1, w.W + w.KW - 1
    top, left = w.KH - 1 - w.top, w.KW - 1 - w.left
    return Windows(w.N, w.OH, w.OW, w.F, w.KH, w.KW, w.C, 1, 1, w.H, w.W, top, left, HP, WP)
