"""Turned, moved, slanted and magnified images: each pixel of the new image comes from a place in the old one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..backends.textbook.augmentation import FILL_MODES

NEUTRAL = {"theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1}
"""The parts of a change that move pixels, and their values when nothing moves."""


def transformation(theta: float, tx: float, ty: float, shear: float, zx: float, zy: float) -> np.ndarray:
    """The matrix (3, 3) from a pixel's place (row, column, 1) in the new image to its place in the old one."""
    turn, slant = np.deg2rad([theta, shear])
    rotation = [[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    shift = [[1, 0, tx], [0, 1, ty], [0, 0, 1]]
    shearing = [[np.cos(slant), 0, 0], [-np.sin(slant), 1, 0], [0, 0, 1]]
    return np.array(rotation) @ shift @ shearing @ np.diag([zy, zx, 1])


def about_the_middle(matrix: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The transformation (3, 3) with the middle of an image (H, W, C) as its origin, instead of its first pixel."""
    row, column = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    from_middle = np.array([[1, 0, row], [0, 1, column], [0, 0, 1]])
    return from_middle @ matrix @ np.linalg.inv(from_middle)


def moved(image: np.ndarray, matrix: np.ndarray, fill_mode: str, cval: float) -> np.ndarray:
    """y[i, j] = x[the place of (i, j)], interpolated linearly between four pixels: (H, W, C) -> (H, W, C)."""
    H, W, _ = image.shape
    i, j = np.indices((H, W))
    places = np.tensordot(matrix[:2], np.stack([i, j, np.ones_like(i)]), 1)  # (2, H, W)
    corners = np.floor(places).astype(int)
    weights = places - corners
    filled = FILL_MODES["nearest" if fill_mode == "constant" else fill_mode]
    y = np.zeros(image.shape)
    for down in (0, 1):
        for right in (0, 1):
            rows, columns = filled(corners[0] + down, H), filled(corners[1] + right, W)
            weight = np.abs(1 - down - weights[0]) * np.abs(1 - right - weights[1])  # (H, W)
            y += weight[..., None] * image[rows, columns]
    if fill_mode == "constant":
        y[(places < 0).any(axis=0) | (places[0] > H - 1) | (places[1] > W - 1)] = cval
    return y.astype(image.dtype)
