"""Losses: one launch computes the loss and the first gradient of backpropagation, without a transfer to the host."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from ..contract import Array, Saved
from ..textbook.losses import EPSILON
from .activations import WARPS
from .kernels import FLOATS, LAST_TO_ARRIVE, THREADS, WARP, Source, check_size, counters, launch_each

BLOCK_SUMS = (
    LAST_TO_ARRIVE
    + """
const int THREADS = 256;

template <class Number> __device__ Number block_sum(Number value)  // over a block's threads, in a fixed order
{
    __shared__ Number values[THREADS];
    values[threadIdx.x] = value;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) values[threadIdx.x] += values[threadIdx.x + half];
    }
    __syncthreads();
    Number sum = values[0];
    __syncthreads();
    return sum;
}

// The sum over the threads of all blocks, in a fixed order; true in the one thread that gets it.
template <class Number> __device__ bool grid_sum(Number& value, Number* parts, int* arrived)
{
    Number sum = block_sum(value);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
    if (!last_to_arrive(arrived, gridDim.x)) return false;
    sum = 0;
    for (int part = threadIdx.x; part < gridDim.x; part += THREADS) sum += parts[part];
    value = block_sum(sum);
    return threadIdx.x == 0;
}
"""
)

SOURCE = Source(
    "losses",
    WARPS,
    BLOCK_SUMS,
    f"const real EPSILON = {EPSILON};\n"
    + """
// One warp per sample of K classes; each thread takes every 32nd class.
extern "C" __global__ void softmax_crossentropy(const real* logits, const real* target, real* loss, real* dlogits,
                                                int samples, int K, real* parts, int* arrived)
{
    int sample = (blockIdx.x * THREADS + threadIdx.x) / 32, lane = threadIdx.x % 32;
    real term = 0;
    if (sample < samples) {  // the whole warp
        size_t row = (size_t)sample * K;
        real top = logits[row], sum = 0, weight = 0, dot = 0;
        for (int k = lane; k < K; k += 32) top = logits[row + k] > top ? logits[row + k] : top;
        top = warp_max(top);
        for (int k = lane; k < K; k += 32) sum += exp(logits[row + k] - top);
        sum = warp_sum(sum);
        real log_sum = log(sum);
        for (int k = lane; k < K; k += 32) {
            dot += target[row + k] * (logits[row + k] - top - log_sum);
            weight += target[row + k];
        }
        dot = warp_sum(dot);
        weight = warp_sum(weight);
        for (int k = lane; k < K; k += 32)
            dlogits[row + k] = (exp(logits[row + k] - top) / sum * weight - target[row + k]) / samples;
        if (lane == 0) term = -dot;
    }
    if (grid_sum(term, parts, arrived)) *loss = term / samples;
}

extern "C" __global__ void crossentropy(const real* probabilities, const real* target, real* loss, real* dprobabilities,
                                        int samples, int K, real* parts, int* arrived)
{
    int sample = (blockIdx.x * THREADS + threadIdx.x) / 32, lane = threadIdx.x % 32;
    real term = 0;
    if (sample < samples) {
        size_t row = (size_t)sample * K;
        real total = 0, dot = 0, through_total = 0;
        for (int k = lane; k < K; k += 32) total += probabilities[row + k];
        total = warp_sum(total);
        for (int k = lane; k < K; k += 32) {
            real q = probabilities[row + k] / total, inside = q >= EPSILON && q <= 1 - EPSILON;
            q = q < EPSILON ? EPSILON : q > 1 - EPSILON ? 1 - EPSILON : q;  // NaN stays NaN
            dot += target[row + k] * log(q);
            dprobabilities[row + k] = -target[row + k] / q * inside / samples;  // dq for now
            through_total += dprobabilities[row + k] * q;
        }
        dot = warp_sum(dot);
        through_total = warp_sum(through_total);
        for (int k = lane; k < K; k += 32) dprobabilities[row + k] = (dprobabilities[row + k] - through_total) / total;
        if (lane == 0) term = -dot;
    }
    if (grid_sum(term, parts, arrived)) *loss = term / samples;
}

extern "C" __global__ void mean_squared_error(const real* prediction, const real* target, real* loss,
                                              real* dprediction, int count, real* parts, int* arrived)
{
    real sum = 0;
    for (int at = blockIdx.x * THREADS + threadIdx.x; at < count; at += gridDim.x * THREADS) {
        real error = prediction[at] - target[at];
        sum += error * error;
        dprediction[at] = 2 * error / count;
    }
    if (grid_sum(sum, parts, arrived)) *loss = sum / count;
}
""",
    real=FLOATS,
)

LABELS = ("uint8", "int32", "int64")

ONE_HOT = Source(
    "one_hot",
    """
extern "C" __global__ void one_hot(const label* labels, real* rows, int K, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    long long wanted = labels[at / K];
    rows[at] = wanted < 0 || wanted >= K ? (real)nan("") : wanted == at % K;  // NaN shows a wrong label
}
""",
    real=FLOATS,
    label=LABELS,
)

SMOOTH_LABELS = Source(
    "smooth_labels",
    """
extern "C" __global__ void smooth_labels(const real* target, real* smoothed, real kept, real spread, int count)
{
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count) smoothed[at] = kept * target[at] + spread;
}
""",
    real=FLOATS,
)

COUNT_CORRECT = Source(
    "count_correct",
    BLOCK_SUMS,
    """
template <class Number> __device__ int argmax(const Number* row, int K)  // first of equals; NaN is largest
{
    int best = 0;
    for (int k = 1; k < K; ++k)
        if (!(row[k] <= row[best]) && row[best] == row[best]) best = k;
    return best;
}

extern "C" __global__ void count_correct(const real* scores, const label* target, long long* correct, bool one_hot,
                                         int samples, int K, long long* parts, int* arrived)
{
    long long right = 0;
    for (int n = blockIdx.x * THREADS + threadIdx.x; n < samples; n += gridDim.x * THREADS) {
        long long wanted = one_hot ? argmax(target + (size_t)n * K, K) : (long long)target[n];
        right += argmax(scores + (size_t)n * K, K) == wanted;
    }
    if (grid_sum(right, parts, arrived)) *correct = right;
}
""",
    real=FLOATS,
    label=(*LABELS, *FLOATS),
)

ADD_UP = Source(
    "accumulate",
    """
extern "C" __global__ void accumulate(const double* total, const number* value, double weight, double* sum)
{
    *sum = (total ? *total : 0) + weight * *value;
}
""",
    number=("int64", *FLOATS),
)

MOST_BLOCKS = 256
"""Maximum blocks of a sum over a whole array: the last block to arrive adds up one number per block."""


def one_hot(labels: Array, classes: int, dtype: Any) -> Array:
    """labels (...) -> (..., K), 1 at the label and 0 elsewhere; NaN for a label outside 0 … K − 1."""
    labels = _known(labels, LABELS)
    rows = cupy.empty((*labels.shape, classes), dtype)
    if rows.dtype.name not in FLOATS:
        return one_hot(labels, classes, np.float64).astype(dtype)
    launch_each(ONE_HOT.kernel("one_hot", dtype, labels.dtype), rows.size, labels, rows, np.int32(classes))
    return rows


def smooth_labels(target: Array, label_smoothing: float) -> Array:
    """y = (1 − ε) · target + ε / K, with ε = label_smoothing; target (..., K) -> (..., K)."""
    smoothed, number = cupy.empty(target.shape, target.dtype), target.dtype.type
    factors = number(1 - label_smoothing), number(label_smoothing / target.shape[-1])
    launch_each(SMOOTH_LABELS.kernel("smooth_labels", target.dtype), target.size, target, smoothed, *factors)
    return smoothed


def softmax_crossentropy(logits: Array, target: Array) -> tuple[Array, Saved]:
    """Cross-entropy on logits, softmax fused in: loss = −1/N Σ target · log softmax(logits).

    logits (..., K), target (..., K) -> loss ()
    """
    return _of_samples("softmax_crossentropy", logits, target)


def softmax_crossentropy_backward(saved: Saved) -> Array:
    """dlogits = (softmax(logits) · Σ target − target) / N, from the forward's launch."""
    return saved


def crossentropy(probabilities: Array, target: Array) -> tuple[Array, Saved]:
    """Cross-entropy on probabilities p, which are normalised and clipped first, as in Keras.

    q = clip(p / Σ p)        loss = −1/N Σ target · log q
    probabilities (..., K), target (..., K) -> loss ()
    """
    return _of_samples("crossentropy", probabilities, target)


def crossentropy_backward(saved: Saved) -> Array:
    """dq = −target / q / N where q was not clipped, else 0; dp = (dq − Σ dq·q) / Σ p, from the forward's launch."""
    return saved


def mean_squared_error(prediction: Array, target: Array) -> tuple[Array, Saved]:
    """loss = mean (prediction − target)², over all elements; both of one shape -> loss ()."""
    count = prediction.size
    check_size(count)
    loss, dprediction = cupy.empty((), prediction.dtype), cupy.empty(prediction.shape, prediction.dtype)
    launch_sum(
        SOURCE.kernel("mean_squared_error", prediction.dtype), min(-(-count // THREADS), MOST_BLOCKS), prediction.dtype,
        prediction, target, loss, dprediction, np.int32(count),
    )  # fmt: skip
    return loss, dprediction


def mean_squared_error_backward(saved: Saved) -> Array:
    """dprediction = 2 · (prediction − target) / number of elements, from the forward's launch."""
    return saved


def count_correct(scores: Array, target: Array) -> Array:
    """How many samples have their largest score where it should be: at their label, or at the target's largest entry.

    scores (..., K), target labels (...) or one-hot (..., K) -> ()
    """
    scores, K = _known(scores, FLOATS), scores.shape[-1]
    one_hot = target.ndim == scores.ndim
    target = _known(target, (*LABELS, *FLOATS))
    samples = scores.size // K
    blocks = max(1, min(-(-samples // THREADS), MOST_BLOCKS))
    correct = cupy.empty((), np.int64)
    launch_sum(
        COUNT_CORRECT.kernel("count_correct", scores.dtype, target.dtype), blocks, np.int64,
        scores, target, correct, np.bool_(one_hot), np.int32(samples), np.int32(K),
    )  # fmt: skip
    return correct


def accumulate(total: Array, value: Array, weight: float) -> Array:
    """total + weight · value, added on the device: the running sum of an epoch, in float64."""
    sum_ = cupy.empty((), np.float64)
    before = None if isinstance(total, float) and total == 0 else cupy.asarray(total, np.float64)
    value = _known(value, ("int64", *FLOATS))
    ADD_UP.kernel("accumulate", value.dtype)((1,), (1,), (before, value, np.float64(weight), sum_))
    return sum_


def _of_samples(name: str, scores: Array, target: Array) -> tuple[Array, Array]:
    """A loss that is a mean over samples, and its gradient with respect to scores (..., K)."""
    K = scores.shape[-1]
    samples = scores.size // K
    check_size(samples * WARP)
    loss, gradient = cupy.empty((), scores.dtype), cupy.empty(scores.shape, scores.dtype)
    launch_sum(
        SOURCE.kernel(name, scores.dtype), -(-samples // (THREADS // WARP)), scores.dtype,
        scores, target, loss, gradient, np.int32(samples), np.int32(K),
    )  # fmt: skip
    return loss, gradient


def launch_sum(kernel: Any, blocks: int, dtype: Any, *arguments: Any) -> None:
    """Launch a kernel that ends with `grid_sum`: its last parameters are the blocks' sums and their counter."""
    kernel((blocks,), (THREADS,), (*arguments, cupy.empty(blocks, dtype), counters(1)))


def _known(array: Array, names: tuple[str, ...]) -> Array:
    """The array, converted to the last of these dtypes unless it already has one of them."""
    return array if array.dtype.name in names else array.astype(names[-1])
