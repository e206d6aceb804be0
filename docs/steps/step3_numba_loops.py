"""Step 3: the loops of step 1, compiled by Numba. Two changes make them fast.

The loop over the filters f is the innermost: neighbouring filters are neighbours in memory, so the compiler multiplies
a whole vector of them at once. And `prange` divides the rows of outputs among the processor's cores.
"""

import numpy as np
from numba import njit, prange


@njit(parallel=True, fastmath=True, error_model="numpy")
def convolution(x, kernel):
    """x (N, H, W, C), kernel (KH, KW, C, F) -> y (N, OH, OW, F), stride 1, no padding."""
    (N, H, W, C), (KH, KW, _, F) = x.shape, kernel.shape
    OH, OW = H - KH + 1, W - KW + 1
    y = np.zeros((N, OH, OW, F), x.dtype)
    for row in prange(N * OH):  # each row of outputs belongs to one thread: two threads never write one number
        n, p = row // OH, row % OH
        for q in range(OW):
            sums = y[n, p, q]  # (F,), a view: they are in the first-level cache, but not in registers
            for i in range(KH):
                for j in range(KW):
                    for c in range(C):
                        factor = x[n, p + i, q + j, c]
                        weights = kernel[i, j, c]  # (F,)
                        for f in range(F):
                            sums[f] += factor * weights[f]
    return y


if __name__ == "__main__":
    y = convolution(np.arange(12.0).reshape(1, 3, 4, 1), np.ones((2, 2, 1, 1)))
    print(y[0, :, :, 0])  # the sums of all windows of 2 × 2
