"""Exercise 14: make the loop fast.

Both functions are right, but slow: Python interprets every multiplication anew. They are the convolution with
stride 1 and without a bias, and the gradient of its kernel:

    y[n, p, q, f]        = Σ_i Σ_j Σ_c  x[n, p + i, q + j, c] · kernel[i, j, c, f]
    dkernel[i, j, c, f]  = Σ_n Σ_p Σ_q  x[n, p + i, q + j, c] · dy[n, p, q, f]

    x (N, H, W, C),  kernel (KH, KW, C, F),  y, dy (N, OH, OW, F),  OH = H − KH + 1, OW = W − KW + 1,  float32

Numba compiles a function to machine code if @njit stands above it. Loops, numbers and arrays are what it is good
at, so nothing has to be rewritten. Then there is more to gain:

    @njit(parallel=True)    and prange in place of range for one loop: its rounds are shared among the processors
    @njit(fastmath=True)    permits the sums to be added in another order, which the processor's vector units need
    the order of loops      is best if the innermost one goes along the last axis of the arrays

With prange be careful: two threads must never add to the same entry. Which loops are safe in which function? A
result that is nearly right, and different each time, is what the mistake looks like.

YOUR TASK: compile both functions. The results have to stay equal; the check shows how much faster they are. It
needs Numba: pip install numba. Then run

    python -m minicnn.exercises check fast
"""

import numpy as np
from numba import njit, prange


def convolution(x, kernel):
    """x (N, H, W, C), kernel (KH, KW, C, F) -> y (N, OH, OW, F)."""
    N, H, W, C = x.shape
    KH, KW, C, F = kernel.shape
    OH, OW = H - KH + 1, W - KW + 1
    y = np.zeros((N, OH, OW, F), np.float32)
    for n in range(N):
        for p in range(OH):
            for q in range(OW):
                for f in range(F):
                    for i in range(KH):
                        for j in range(KW):
                            for c in range(C):
                                y[n, p, q, f] += x[n, p + i, q + j, c] * kernel[i, j, c, f]
    return y


def kernel_gradient(x, dy):
    """x (N, H, W, C), dy (N, OH, OW, F) -> dkernel (KH, KW, C, F)."""
    N, H, W, C = x.shape
    N, OH, OW, F = dy.shape
    KH, KW = H - OH + 1, W - OW + 1
    dkernel = np.zeros((KH, KW, C, F), np.float32)
    for n in range(N):
        for p in range(OH):
            for q in range(OW):
                for f in range(F):
                    for i in range(KH):
                        for j in range(KW):
                            for c in range(C):
                                dkernel[i, j, c, f] += x[n, p + i, q + j, c] * dy[n, p, q, f]
    return dkernel
