"""Step 2: im2col. Each window becomes a row of a matrix, and one matrix product replaces six of the loops.

R[m, k] = x[n, p + i, q + j, c] for the window m = (n, p, q) and its element k = (i, j, c); y = R · kernel
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def convolution(x, kernel):
    """x (N, H, W, C), kernel (KH, KW, C, F) -> y (N, OH, OW, F), stride 1, no padding."""
    KH, KW, C, F = kernel.shape
    windows = sliding_window_view(x, (KH, KW), axis=(1, 2))  # (N, OH, OW, C, KH, KW), a view: nothing is copied
    N, OH, OW = windows.shape[:3]
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(N * OH * OW, KH * KW * C)  # the copy: KH · KW times x
    y = rows @ kernel.reshape(KH * KW * C, F)  # (N·OH·OW, KH·KW·C) · (KH·KW·C, F) -> (N·OH·OW, F)
    return y.reshape(N, OH, OW, F)


if __name__ == "__main__":
    y = convolution(np.arange(12.0).reshape(1, 3, 4, 1), np.ones((2, 2, 1, 1)))
    print(y[0, :, :, 0])  # the sums of all windows of 2 × 2
