"""Correct kernels give correct results on the pretend device: in every order, between guards, and lazily."""

from __future__ import annotations

import mockgpu
import numpy as np
import pytest

cp = pytest.importorskip("cupy")
pytestmark = pytest.mark.skipif(not mockgpu.is_installed(), reason="tests the pretend device, and this is a real one")


@pytest.fixture(params=("plain", "guarded", "lazily"), autouse=True)
def mode(request, order):
    """Runs each test in all orders, each plainly, between guards and lazily."""
    if request.param != "plain":
        request.getfixturevalue(request.param)


def normal(*shape, dtype=np.float32):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def module(source, **options):
    return cp.RawModule(code=source, **options)


def test_elementwise_arithmetic_and_broadcasting():
    x, y = normal(5, 7), normal(7)
    result = cp.maximum(cp.asarray(x) * 2 + cp.asarray(y), 0)
    np.testing.assert_array_equal(result.get(), np.maximum(x * 2 + y, 0))


def test_elementwise_kernel():
    squared = cp.ElementwiseKernel("T x, T y", "T z", "z = (x - y) * (x - y)", "squared_difference")
    x, y = normal(5, 7), normal(5, 7)
    np.testing.assert_array_equal(squared(cp.asarray(x), cp.asarray(y)).get(), (x - y) * (x - y))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_cupys_reductions(axis):
    x = normal(37, 600)
    device = cp.asarray(x)
    np.testing.assert_allclose(device.sum(axis).get(), x.sum(axis), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(device.max(axis).get(), x.max(axis))
    np.testing.assert_array_equal(device.argmax(axis).get(), x.argmax(axis))


def test_indexing():
    x, rows = normal(6, 5), np.array([3, 0, 3])
    device = cp.asarray(x)
    np.testing.assert_array_equal(device[cp.asarray(rows)].get(), x[rows])
    np.testing.assert_array_equal(device[1:, ::2].T.get(), x[1:, ::2].T)
    np.testing.assert_array_equal(device[device > 0].get(), x[x > 0])


BLOCK_SUM = r"""
extern "C" __global__ void block_sum(const float* x, float* sums, int n) {
    extern __shared__ float part[];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    part[threadIdx.x] = i < n ? x[i] : 0.0f;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (threadIdx.x == 0) sums[blockIdx.x] = part[0];
}
"""


def test_reduction_with_barriers_in_dynamic_shared_memory():
    x = np.arange(1000, dtype=np.float32)
    sums = cp.empty(8, np.float32)
    module(BLOCK_SUM).get_function("block_sum")((8,), (128,), (cp.asarray(x), sums, np.int32(x.size)), shared_mem=512)
    padded = np.concatenate([x, np.zeros(24, np.float32)])
    np.testing.assert_array_equal(sums.get(), padded.reshape(8, 128).sum(1))


WARP = r"""
extern "C" __global__ void warp(const int* x, int* total, int* up, int* down, int* first, unsigned* odd) {
    int i = threadIdx.x, sum = x[i];
    for (int by = 16; by > 0; by /= 2) sum += __shfl_xor_sync(0xffffffff, sum, by);
    total[i] = sum;
    up[i] = __shfl_up_sync(0xffffffff, x[i], 1);
    down[i] = __shfl_down_sync(0xffffffff, x[i], 2, 8);
    first[i] = __shfl_sync(0xffffffff, x[i], 0, 16);
    odd[i] = __ballot_sync(0xffffffff, x[i] & 1);
}
"""


def test_shuffles_and_votes():
    x = np.arange(64, dtype=np.int32) ** 2
    results = [cp.empty(64, np.int32) for _ in range(4)] + [cp.empty(64, np.uint32)]
    module(WARP).get_function("warp")((1,), (64,), (cp.asarray(x), *results))
    total, up, down, first, odd = (result.get() for result in results)
    lane = np.arange(64)
    np.testing.assert_array_equal(total, np.repeat(x.reshape(2, 32).sum(1), 32))
    np.testing.assert_array_equal(up, np.where(lane % 32 == 0, x, np.roll(x, 1)))
    np.testing.assert_array_equal(down, np.where(lane % 8 >= 6, x, np.roll(x, -2)))
    np.testing.assert_array_equal(first, x[lane // 16 * 16])
    np.testing.assert_array_equal(odd, np.full(64, 0xAAAAAAAA))


HALF_WARP = r"""
extern "C" __global__ void half_warp(int* y) {
    int i = threadIdx.x;
    y[i] = -1;
    if (i < 16) y[i] = __shfl_xor_sync(0x0000ffff, i, 1);
    __syncwarp();
}
"""


def test_a_shuffle_among_the_lanes_of_its_mask():
    y = cp.empty(32, np.int32)
    module(HALF_WARP).get_function("half_warp")((1,), (32,), (y,))
    expected = np.where(np.arange(32) < 16, np.arange(32) ^ 1, -1)
    np.testing.assert_array_equal(y.get(), expected)


ATOMICS = r"""
extern "C" __global__ void atomics(const int* bins, int* counts, float* sums, double* doubles, unsigned* most, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    atomicAdd(&counts[bins[i]], 1);
    atomicAdd(&sums[bins[i]], 0.5f);
    atomicAdd(&doubles[bins[i]], 0.25);
    atomicMax(&most[bins[i]], (unsigned)i);
    __threadfence();
}
"""


def test_atomics():
    bins = (np.arange(1000) * 7 % 13).astype(np.int32)
    results = [cp.zeros(13, dtype) for dtype in (np.int32, np.float32, np.float64, np.uint32)]
    module(ATOMICS).get_function("atomics")((8,), (128,), (cp.asarray(bins), *results, np.int32(1000)))
    counts, sums, doubles, most = (result.get() for result in results)
    expected = np.bincount(bins)
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(sums, 0.5 * expected)
    np.testing.assert_array_equal(doubles, 0.25 * expected)
    np.testing.assert_array_equal(most, [np.flatnonzero(bins == b).max() for b in range(13)])


TILED_PRODUCT = r"""
#define TILE 64
#define DEPTH 16
extern "C" __global__ void __launch_bounds__(256)
tiled_product(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int m, int n, int k) {
    __shared__ float left[DEPTH][TILE + 4], right[DEPTH][TILE];
    int x = threadIdx.x % 16, y = threadIdx.x / 16, row = blockIdx.y * TILE, column = blockIdx.x * TILE;
    float sum[4][4] = {};
    for (int start = 0; start < k; start += DEPTH) {
        for (int i = threadIdx.x; i < TILE * DEPTH; i += 256) {
            int r = row + i / DEPTH, d = start + i % DEPTH;
            left[i % DEPTH][i / DEPTH] = r < m && d < k ? a[r * k + d] : 0.0f;
        }
        for (int i = threadIdx.x; i < TILE * DEPTH; i += 256) {
            int d = start + i / TILE, r = column + i % TILE;
            right[i / TILE][i % TILE] = d < k && r < n ? b[d * n + r] : 0.0f;
        }
        __syncthreads();
        #pragma unroll
        for (int d = 0; d < DEPTH; d++)
            #pragma unroll
            for (int i = 0; i < 4; i++)
                #pragma unroll
                for (int j = 0; j < 4; j++) sum[i][j] += left[d][4 * y + i] * right[d][4 * x + j];
        __syncthreads();
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            int r = row + 4 * y + i, s = column + 4 * x + j;
            if (r < m && s < n) c[r * n + s] = sum[i][j];
        }
}
"""


def test_tiled_matrix_product():
    a, b = normal(70, 40), normal(40, 90)
    c = cp.empty((70, 90), np.float32)
    sizes = [np.int32(size) for size in (70, 90, 40)]
    module(TILED_PRODUCT).get_function("tiled_product")((2, 2), (256,), (cp.asarray(a), cp.asarray(b), c, *sizes))
    np.testing.assert_allclose(c.get(), a @ b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cublas_matrix_products(dtype):
    a, b, c = normal(3, 4, 5, dtype=dtype), normal(3, 5, 6, dtype=dtype), normal(4, 5, dtype=dtype)
    da, db, dc = (cp.asarray(x) for x in (a, b, c))
    for result, expected in (
        (dc @ db[0], c @ b[0]),
        (dc.T @ da[0], c.T @ a[0]),
        (da @ dc.T, a @ c.T),
        (da @ db, a @ b),
        (dc @ db[0, :, 0], c @ b[0, :, 0]),
        (dc[::2] @ db[1], c[::2] @ b[1]),
        (da.transpose(0, 2, 1) @ da, a.transpose(0, 2, 1) @ a),
        (cp.tensordot(da, dc, ((1, 2), (0, 1))), np.tensordot(a, c, ((1, 2), (0, 1)))),
    ):
        np.testing.assert_allclose(result.get(), expected, rtol=1e-4, atol=1e-5)


STRUCT = r"""
struct Line { float slope; int shift; double offset; };
extern "C" __global__ void line(const float* x, double* y, Line l) {
    y[threadIdx.x] = l.slope * x[threadIdx.x + l.shift] + l.offset;
}
"""


def test_a_structure_by_value():
    line = np.zeros((), np.dtype([("slope", "f4"), ("shift", "i4"), ("offset", "f8")]))
    line["slope"], line["shift"], line["offset"] = 2, 3, 0.5
    x, y = np.arange(11, dtype=np.float32), cp.empty(8, np.float64)
    module(STRUCT).get_function("line")((1,), (8,), (cp.asarray(x), y, line))
    np.testing.assert_array_equal(y.get(), 2 * x[3:] + 0.5)


TEMPLATE = r"""
template <typename T, int factor>
__global__ void scaled(const T* x, T* y, int n) {
    __shared__ T buffer[64];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    buffer[threadIdx.x] = i < n ? x[i] : T(0);
    __syncthreads();
    if (i < n) y[i] = factor * buffer[threadIdx.x];
}
"""


@pytest.mark.parametrize(("c_type", "dtype"), [("float", np.float32), ("double", np.float64), ("int", np.int32)])
def test_templates_by_name_expressions(c_type, dtype):
    names = [f"scaled<{c_type}, 3>", f"scaled<{c_type}, 5>"]
    kernels = module(TEMPLATE, options=("--std=c++17",), name_expressions=names)
    x = np.arange(100).astype(dtype)
    for name, factor in zip(names, (3, 5), strict=True):
        y = cp.empty(100, dtype)
        kernels.get_function(name)((2,), (64,), (cp.asarray(x), y, np.int32(100)))
        np.testing.assert_array_equal(y.get(), factor * x)


VECTORS = r"""
extern "C" {
__global__ void vectors(const float4* x, float2* y, int* bits, float* roots) {
    float4 v = x[threadIdx.x];
    y[threadIdx.x] = make_float2(v.x + v.y, v.z + v.w);
    bits[threadIdx.x] = __float_as_int(v.x);
    roots[threadIdx.x] = rsqrtf(__int_as_float(bits[threadIdx.x]));
}
}
"""


def test_vector_types_and_intrinsics():
    x = np.abs(normal(8, 4)) + 1
    y, bits, roots = cp.empty((8, 2), np.float32), cp.empty(8, np.int32), cp.empty(8, np.float32)
    cp.RawKernel(VECTORS, "vectors")((1,), (8,), (cp.asarray(x), y, bits, roots))
    np.testing.assert_array_equal(y.get(), x.reshape(8, 2, 2).sum(2))
    np.testing.assert_array_equal(bits.get(), x[:, 0].view(np.int32))
    np.testing.assert_allclose(roots.get(), 1 / np.sqrt(x[:, 0]), rtol=1e-6)


THREE_DIMENSIONS = r"""
extern "C" __global__ void where(int* place) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    int z = blockIdx.z * blockDim.z + threadIdx.z, width = gridDim.x * blockDim.x, height = gridDim.y * blockDim.y;
    place[(z * height + y) * width + x] = 10000 * z + 100 * y + x;
}
"""


def test_three_dimensions():
    place = cp.empty((4, 6, 10), np.int32)
    module(THREE_DIMENSIONS).get_function("where")((2, 3, 4), (5, 2, 1), (place,))
    z, y, x = np.indices((4, 6, 10))
    np.testing.assert_array_equal(place.get(), 10000 * z + 100 * y + x)


def test_more_dynamic_shared_memory_on_demand():
    kernel = module(BLOCK_SUM).get_function("block_sum")
    arguments = (cp.ones(128, np.float32), cp.empty(1, np.float32), np.int32(128))
    with pytest.raises(mockgpu.PretendDeviceError, match="max_dynamic_shared_size_bytes"):
        kernel((1,), (128,), arguments, shared_mem=64 * 1024)
    kernel.max_dynamic_shared_size_bytes = 64 * 1024
    kernel((1,), (128,), arguments, shared_mem=64 * 1024)
    kernel.max_dynamic_shared_size_bytes = 48 * 1024
    assert arguments[1].get() == 128


SCALE = r"""
extern "C" __global__ void scale(const float* x, float* y, float factor) { y[threadIdx.x] = x[threadIdx.x] * factor; }
"""


def test_numbers_below_the_normal_ones_become_0():
    """CuPy compiles with -ftz=true."""
    x, y = cp.asarray(np.array([1e-30, 1e-39, 1], np.float32)), cp.empty(3, np.float32)
    module(SCALE).get_function("scale")((1,), (3,), (x, y, np.float32(1e-10)))
    np.testing.assert_array_equal(y.get(), np.array([0, 0, 1e-10], np.float32))
    assert np.float32(1e-30) * np.float32(1e-10) > 0  # the host keeps its own rule
