"""Step 5: Winograd's convolution for kernels of 3 × 3. 36 products give 4 × 4 outputs, which take 144 directly.

y = Aᵀ · [ (G · kernel · Gᵀ) ⊙ (Bᵀ · x · B) ] · A for each tile x of 6 × 6 pixels, where ⊙ multiplies elements.
With channels and filters, each of the 36 elements is a matrix product, tiles × C times C × F: step 4 computes it.
"""

import numpy as np
from numba import njit, prange
from step4_register_tile import multiply_add, tile

from minicnn.backends.cpu.runtime.vectors import VECTOR_BYTES, add, load, store

G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24


@njit(error_model="numpy")
def from_six(x, at, step, left, out, to, out_step, outputs):
    """Bᵀ · (6 vectors of x), or with 4 outputs Aᵀ · (6 vectors); they begin at `at`, `at + step`, …, in flat arrays."""
    x0, x1, x2 = load(x, at, left), load(x, at + step, left), load(x, at + 2 * step, left)
    x3, x4, x5 = load(x, at + 3 * step, left), load(x, at + 4 * step, left), load(x, at + 5 * step, left)
    if outputs == 6:
        odd, even = multiply_add(-4, x1, x3), multiply_add(-4, x2, x4)
        store(out, to, left, multiply_add(4, x0, multiply_add(-5, x2, x4)))
        store(out, to + out_step, left, add(even, odd))
        store(out, to + 2 * out_step, left, multiply_add(-1, odd, even))
        odd, even = multiply_add(-1, x1, x3), multiply_add(-1, x2, x4)
        store(out, to + 3 * out_step, left, multiply_add(2, odd, even))
        store(out, to + 4 * out_step, left, multiply_add(-2, odd, even))
        store(out, to + 5 * out_step, left, multiply_add(4, x1, multiply_add(-5, x3, x5)))
    else:
        even, odd, even2, odd2 = add(x1, x2), multiply_add(-1, x2, x1), add(x3, x4), multiply_add(-1, x4, x3)
        store(out, to, left, add(x0, add(even, even2)))
        store(out, to + out_step, left, multiply_add(2, odd2, odd))
        store(out, to + 2 * out_step, left, multiply_add(4, even2, even))
        store(out, to + 3 * out_step, left, multiply_add(8, odd2, add(odd, x5)))


@njit(error_model="numpy")
def both_axes(x, at, row, column, channels, out, to, out_row, out_column, outputs, half):
    """Transform a tile along its rows and along its columns, a vector of channels at a time; flat arrays."""
    lanes = VECTOR_BYTES // x.itemsize
    for c in range(0, channels, lanes):
        left = channels - c
        for j in range(6):
            from_six(x, at + j * column + c, row, left, half, j * lanes, 6 * lanes, outputs)
        for i in range(outputs):
            from_six(half, 6 * i * lanes, lanes, left, out, to + i * out_row + c, out_column, outputs)


@njit(parallel=True, error_model="numpy")
def all_images(x, weights, y):
    """x (N, H, W, C), weights (36, C · F) -> y (N, H − 2, W − 2, F)."""
    (N, H, W, C), (OH, OW, F) = x.shape, y.shape[1:]
    TH, TW = (OH + 3) // 4, (OW + 3) // 4
    PH, PW, T, starts, offsets = 4 * TH + 2, 4 * TW + 2, TH * TW, np.arange(TH * TW) * C, np.arange(C)
    # One cache line more: at distances of a power of two, all 36 rows of a tile fall into one set of the cache.
    TC, TF = T * C + 16, T * F + 16
    for n in prange(N):
        padded, image = np.zeros((PH, PW, C), x.dtype), np.empty((4 * TH, 4 * TW, F), x.dtype)
        tiles, products = np.empty((36, TC), x.dtype), np.empty((36, TF), x.dtype)
        half = np.empty(36 * VECTOR_BYTES // x.itemsize, x.dtype)
        padded[:H, :W] = x[n]  # zeros fill the last tiles
        pixels, points, sums, outputs = padded.reshape(-1), tiles.reshape(-1), products.reshape(-1), image.reshape(-1)
        for t in range(T):
            at = (4 * (t // TW) * PW + 4 * (t % TW)) * C  # the tile's first pixel
            both_axes(pixels, at, PW * C, C, C, points, t * C, 6 * TC, TC, 6, half)
        for point in range(36):
            for first in range(0, T, 4):
                tile(tiles[point], starts, offsets, weights[point], F, products[point], first, T)
        for t in range(T):
            at = (4 * (t // TW) * 4 * TW + 4 * (t % TW)) * F
            both_axes(sums, t * F, 6 * TF, TF, F, outputs, at, 4 * TW * F, F, 4, half)
        y[n] = image[:OH, :OW]


def convolution(x, kernel):
    """x (N, H, W, C), kernel (3, 3, C, F) -> y (N, H − 2, W − 2, F), stride 1, no padding."""
    (N, H, W, _), (_, _, C, F) = x.shape, kernel.shape
    rows = np.einsum("ai,ijcf->ajcf", G.astype(x.dtype), kernel)  # G · kernel, (6, 3, C, F)
    weights = np.einsum("bj,ajcf->abcf", G.astype(x.dtype), rows)  # (6, 6, C, F)
    y = np.empty((N, H - 2, W - 2, F), x.dtype)
    all_images(x, weights.reshape(36, C * F), y)
    return y


if __name__ == "__main__":
    y = convolution(np.arange(20.0).reshape(1, 4, 5, 1), np.ones((3, 3, 1, 1)))
    print(y[0, :, :, 0].round(9))  # the sums of all windows of 3 × 3
