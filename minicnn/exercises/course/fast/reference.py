"""The results that the fast functions have to have, by NumPy."""

from __future__ import annotations

import numpy as np


def windows(x: np.ndarray, KH: int, KW: int) -> np.ndarray:
    """x (N, H, W, C) -> (N, OH, OW, C, KH, KW)."""
    return np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(1, 2))


def convolution(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """x (N, H, W, C), kernel (KH, KW, C, F) -> y (N, OH, OW, F)."""
    return np.ascontiguousarray(np.einsum("npqcij,ijcf->npqf", windows(x, *kernel.shape[:2]), kernel))


def kernel_gradient(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """x (N, H, W, C), dy (N, OH, OW, F) -> dkernel (KH, KW, C, F)."""
    KH, KW = x.shape[1] - dy.shape[1] + 1, x.shape[2] - dy.shape[2] + 1
    return np.einsum("npqcij,npqf->ijcf", windows(x, KH, KW), dy)
