"""Step 1: the formula as seven loops in Python. Nothing is easier to read, and nothing is slower.

y[n, p, q, f] = Σ_ijc x[n, p + i, q + j, c] · kernel[i, j, c, f]
"""

import numpy as np


def convolution(x, kernel):
    """x (N, H, W, C), kernel (KH, KW, C, F) -> y (N, OH, OW, F), stride 1, no padding."""
    (N, H, W, C), (KH, KW, _, F) = x.shape, kernel.shape
    OH, OW = H - KH + 1, W - KW + 1
    y = np.zeros((N, OH, OW, F), x.dtype)
    for n in range(N):
        for p in range(OH):
            for q in range(OW):
                for f in range(F):
                    for i in range(KH):
                        for j in range(KW):
                            for c in range(C):
                                y[n, p, q, f] += x[n, p + i, q + j, c] * kernel[i, j, c, f]
    return y


if __name__ == "__main__":
    y = convolution(np.arange(12.0).reshape(1, 3, 4, 1), np.ones((2, 2, 1, 1)))
    print(y[0, :, :, 0])  # the sums of all windows of 2 × 2
