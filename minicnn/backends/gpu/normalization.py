"""Batch normalisation: one launch computes the statistics of all channels, one normalises; the backward has two, too.

Mean and variance are computed in a single pass by Welford's method, which does not lose digits as E[x²] − mean² does.
"""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from ..contract import Array, Saved
from .activations import activate, activate_backward
from .kernels import FLOATS, LAST_TO_ARRIVE, THREADS, Source, check_size, counters, launch_each, multiprocessors

SOURCE = Source(
    "normalization",
    LAST_TO_ARRIVE,
    """
const int THREADS = 256;

// Count, mean and sum of squared distances from the mean (Welford, 1962; Chan et al., 1979).
struct Moments {
    real mean, squares;
    int count;

    __device__ void merge(const Moments& other)
    {
        if (other.count == 0) return;
        real share = (real)other.count / (count + other.count), distance = other.mean - mean;
        mean += share * distance;
        squares += other.squares + distance * distance * share * count;
        count += other.count;
    }
};

struct Gradients {
    real dgamma, dbeta;

    __device__ void merge(const Gradients& other) { dgamma += other.dgamma; dbeta += other.dbeta; }
};

// Merge the sums of a block's threads for the same channel (threadIdx.x), in a fixed order, into threadIdx.y = 0.
template <class Sums> __device__ void merge_in_block(Sums& mine)
{
    __shared__ __align__(16) char memory[THREADS * sizeof(Sums)];
    Sums* all = (Sums*)memory;
    int me = threadIdx.y * blockDim.x + threadIdx.x;
    all[me] = mine;
    for (int half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) all[me].merge(all[me + half * blockDim.x]);
    }
    mine = all[me];
    __syncthreads();
}

// Merge all blocks' sums for a channel into `mine`; true in the thread that has the result, one per channel.
template <class Sums> __device__ bool merge_all(Sums& mine, int c, int C, Sums* parts, int* arrived)
{
    merge_in_block(mine);
    if (threadIdx.y == 0 && c < C) parts[(size_t)blockIdx.y * C + c] = mine;
    if (!last_to_arrive(arrived + blockIdx.x, gridDim.y)) return false;
    mine = Sums{};
    if (c < C)
        for (int part = threadIdx.y; part < gridDim.y; part += blockDim.y) mine.merge(parts[(size_t)part * C + c]);
    merge_in_block(mine);
    return threadIdx.y == 0 && c < C;
}

// x (M, C): a thread takes every (gridDim.y · blockDim.y)-th row of a channel.
extern "C" __global__ void statistics(const real* x, real* mean, real* variance, const real* moving_mean,
                                      const real* moving_variance, real* new_moving_mean, real* new_moving_variance,
                                      real momentum, real rest, int M, int C, Moments* parts, int* arrived)
{
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    Moments mine = {};
    if (c < C)
        for (int m = blockIdx.y * blockDim.y + threadIdx.y; m < M; m += gridDim.y * blockDim.y) {
            real distance = x[(size_t)m * C + c] - mine.mean;
            mine.mean += distance / ++mine.count;
            mine.squares += distance * (x[(size_t)m * C + c] - mine.mean);
        }
    if (!merge_all(mine, c, C, parts, arrived)) return;
    mean[c] = mine.mean;
    variance[c] = mine.squares / M;
    new_moving_mean[c] = momentum * moving_mean[c] + rest * mine.mean;
    new_moving_variance[c] = momentum * moving_variance[c] + rest * variance[c];
}

extern "C" __global__ void batch_norm(const real* x, const real* gamma, const real* beta, const real* mean,
                                      const real* variance, real* y, real epsilon, int C, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x, c = at % C;
    if (at < count) y[at] = gamma[c] * ((x[at] - mean[c]) / sqrt(variance[c] + epsilon)) + beta[c];
}

extern "C" __global__ void batch_norm_backward_parameters(const real* dy, const real* x, const real* mean,
                                                          const real* variance, real* dgamma, real* dbeta,
                                                          real epsilon, int M, int C, Gradients* parts, int* arrived)
{
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    Gradients mine = {};
    if (c < C)
        for (int m = blockIdx.y * blockDim.y + threadIdx.y; m < M; m += gridDim.y * blockDim.y) {
            size_t at = (size_t)m * C + c;
            mine.dgamma += dy[at] * (x[at] - mean[c]);
            mine.dbeta += dy[at];
        }
    if (!merge_all(mine, c, C, parts, arrived)) return;
    dgamma[c] = mine.dgamma / sqrt(variance[c] + epsilon);
    dbeta[c] = mine.dbeta;
}

extern "C" __global__ void batch_norm_backward_x(const real* dy, const real* x, const real* gamma, const real* mean,
                                                 const real* variance, const real* dgamma, const real* dbeta, real* dx,
                                                 real epsilon, bool training, int M, int C, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x, c = at % C;
    if (at >= count) return;
    real inverse_std = 1 / sqrt(variance[c] + epsilon), normalized = (x[at] - mean[c]) * inverse_std;
    real centred = training ? dy[at] - dbeta[c] / M - normalized * dgamma[c] / M : dy[at];
    dx[at] = gamma[c] * inverse_std * centred;
}
""",
    real=FLOATS,
)


def batch_norm(
    x: Array,
    gamma: Array,
    beta: Array,
    moving_mean: Array,
    moving_variance: Array,
    momentum: float,
    epsilon: float,
    training: bool,
    activation: str,
) -> tuple[Array, Array, Array, Saved]:
    """y = activation(gamma · (x − mean) / √(variance + epsilon) + beta), for each channel (Ioffe & Szegedy, 2015).

    In training, mean and variance are the batch's (biased), and the moving statistics are updated; otherwise the moving
    statistics are used and stay unchanged.

    x (..., C), the others (C,) -> y (..., C), new moving mean (C,), new moving variance (C,)
    """
    C, number = x.shape[-1], x.dtype.type
    mean, variance = moving_mean, moving_variance
    if training:
        mean, variance, *moving = (cupy.empty(C, x.dtype) for _ in range(4))
        _launch_channels(
            "statistics", x, 3,
            x, mean, variance, moving_mean, moving_variance, *moving, number(momentum), number(1 - momentum),
        )  # fmt: skip
        moving_mean, moving_variance = moving
    y, epsilon = cupy.empty(x.shape, x.dtype), number(epsilon)
    kernel = SOURCE.kernel("batch_norm", x.dtype)
    launch_each(kernel, x.size, x, gamma, beta, mean, variance, y, epsilon, np.int32(C))
    y = activate(y, activation)
    return y, moving_mean, moving_variance, (x, gamma, mean, variance, epsilon, training, y, activation)


def batch_norm_backward(dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array]:
    """With dz = dy · activation′ and M samples and pixels that mean and variance were taken over, for each channel:

    dgamma = Σ dz·x̂     dbeta = Σ dz     dx = gamma / std · (dz − dbeta / M − x̂ · dgamma / M)

    dy (..., C) -> dx (..., C) or None, dgamma (C,), dbeta (C,)
    """
    x, gamma, mean, variance, epsilon, training, y, activation = saved
    dz, C = activate_backward(dy, y, activation), x.shape[-1]
    dgamma, dbeta = cupy.empty(C, x.dtype), cupy.empty(C, x.dtype)
    _launch_channels(
        "batch_norm_backward_parameters", x, 2, dz, x, mean, variance, dgamma, dbeta, epsilon
    )  # fmt: skip
    if not need_dx:
        return None, dgamma, dbeta
    dx = cupy.empty(x.shape, x.dtype)
    launch_each(
        SOURCE.kernel("batch_norm_backward_x", x.dtype), x.size,
        dz, x, gamma, mean, variance, dgamma, dbeta, dx, epsilon, np.bool_(training), *_sizes(x),
    )  # fmt: skip
    return dx, dgamma, dbeta


def _launch_channels(name: str, x: Array, sums: int, *arguments: Any) -> None:
    """Launch a kernel that reduces x (M, C) to `sums` numbers per channel.

    In a block, threadIdx.x runs over channels, so that a warp reads neighbouring addresses, and threadIdx.y over rows.
    """
    (M, C), across = map(int, _sizes(x)), 1
    check_size(x.size)
    while across < min(C, 32):
        across *= 2
    behind, channel_blocks = THREADS // across, -(-C // across)
    row_blocks = max(1, min(-(-M // (8 * behind)), 2 * multiprocessors() // channel_blocks))
    parts = cupy.empty(row_blocks * C * sums, x.dtype)  # an int in the structure is not larger than a float
    SOURCE.kernel(name, x.dtype)(
        (channel_blocks, row_blocks),
        (across, behind),
        (*arguments, np.int32(M), np.int32(C), parts, counters(channel_blocks)),
    )


def _sizes(x: Array) -> tuple[Any, Any]:
    """The number of rows M and of channels C."""
    C = x.shape[-1]
    return np.int32(x.size // C), np.int32(C)
