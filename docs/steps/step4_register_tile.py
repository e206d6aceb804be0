"""Step 4: a tile of sums in registers. Step 3 loads and stores a sum for each product; this does it once per sum.

A tile is 4 windows × 2 vectors of filters: 8 vectors of sums. For each element of the window, it loads 2 vectors of
weights and 4 numbers of x and makes 8 vectors of products: each weight is used 4 times, each number of x for 2 vectors.
"""

import numpy as np
from numba import njit, prange
from numba.extending import intrinsic

from minicnn.backends.cpu.runtime.vectors import VECTOR_BYTES, broadcast, load, store, zeros


@intrinsic
def multiply_add(typingctx, factor, vector, total):
    """total + factor · vector: one instruction, which Numba's own language cannot ask for."""

    def codegen(context, builder, signature, args):
        factor = context.cast(builder, args[0], signature.args[0], vector.dtype)
        product = builder.fmul(broadcast(builder, factor, vector.lanes), args[1], flags=["contract"])
        return builder.fadd(product, args[2], flags=["contract"])

    return total(factor, vector, total), codegen


@njit(error_model="numpy")
def tile(x, starts, offsets, kernel, F, y, first, end):
    """y[m, f] = Σ_k x[starts[m] + offsets[k]] · kernel[k, f] for up to 4 windows m from first to end; flat arrays."""
    K, lanes = len(offsets), VECTOR_BYTES // x.itemsize
    m0, m1, m2, m3 = first, min(first + 1, end - 1), min(first + 2, end - 1), min(first + 3, end - 1)
    x0, x1, x2, x3 = starts[m0], starts[m1], starts[m2], starts[m3]  # with fewer than 4, the last is computed again
    for f in range(0, F, 2 * lanes):
        g, left = f + lanes, F - f  # `load` and `store` touch only as many filters as are left
        a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zeros(x)
        for k in range(K):
            a, b, at = load(kernel, k * F + f, left), load(kernel, k * F + g, left - lanes), offsets[k]
            a0, b0 = multiply_add(x[x0 + at], a, a0), multiply_add(x[x0 + at], b, b0)
            a1, b1 = multiply_add(x[x1 + at], a, a1), multiply_add(x[x1 + at], b, b1)
            a2, b2 = multiply_add(x[x2 + at], a, a2), multiply_add(x[x2 + at], b, b2)
            a3, b3 = multiply_add(x[x3 + at], a, a3), multiply_add(x[x3 + at], b, b3)
        for m, a, b in ((m0, a0, b0), (m1, a1, b1), (m2, a2, b2), (m3, a3, b3)):
            store(y, m * F + f, left, a)
            store(y, m * F + g, left - lanes, b)


@njit(parallel=True, error_model="numpy")
def all_tiles(x, starts, offsets, kernel, F, y):
    for number in prange((len(starts) + 3) // 4):
        tile(x, starts, offsets, kernel, F, y, 4 * number, len(starts))


def convolution(x, kernel):
    """x (N, H, W, C), kernel (KH, KW, C, F) -> y (N, OH, OW, F), stride 1, no padding."""
    (N, H, W, C), (KH, KW, _, F) = x.shape, kernel.shape
    OH, OW = H - KH + 1, W - KW + 1
    places = np.arange(N * H * W).reshape(N, H, W) * C  # where each pixel is in the flat x
    starts = places[:, :OH, :OW].ravel()  # of each window
    offsets = (places[0, :KH, :KW, None] + np.arange(C)).ravel()  # of each element of a window, from its start
    y = np.empty((N, OH, OW, F), x.dtype)
    all_tiles(x.ravel(), starts, offsets, kernel.ravel(), F, y.reshape(-1))
    return y


if __name__ == "__main__":
    y = convolution(np.arange(12.0).reshape(1, 3, 4, 1), np.ones((2, 2, 1, 1)))
    print(y[0, :, :, 0])  # the sums of all windows of 2 × 2
