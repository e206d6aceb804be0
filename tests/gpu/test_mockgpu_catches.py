"""The pretend device catches planted bugs, and says where they are."""

from __future__ import annotations

import mockgpu
import numpy as np
import pytest

cp = pytest.importorskip("cupy")
pytestmark = pytest.mark.skipif(not mockgpu.is_installed(), reason="tests the pretend device, and this is a real one")


def launch(source, name, grid, block, *arguments, **options):
    cp.RawModule(code=source).get_function(name)(grid, block, arguments, **options)


def results_by_order(run):
    """The result of `run` with threads forward, reversed and shuffled."""
    results = []
    for order in range(3):
        with mockgpu.knobs(order=order):
            results.append(run().get())
    return results


def differ(results):
    return any(not np.array_equal(results[0], other, equal_nan=True) for other in results[1:])


SHIFT = r"""
extern "C" __global__ void shift(const float* x, float* y, int read, int write) {
    int i = threadIdx.x; // an unsigned i would never be below 0
    y[i + write] = x[i + read];
}
"""


@pytest.mark.parametrize(
    ("read", "write", "found"),
    [
        (1, 0, "illegal read .* 0 bytes behind the end of an allocation of 256 bytes"),
        (0, 1, "illegal write .* 0 bytes behind the end of an allocation of 256 bytes"),
        (5000, 0, "illegal read"),
        (0, -2, "wrote before the start of an allocation of 256 bytes"),
        (-5000, 0, "illegal read .* before the start of an allocation of 256 bytes"),
    ],
)
def test_a_touch_outside_of_an_array(guarded, order, read, write, found):
    x, y = cp.ones(64, np.float32), cp.ones(64, np.float32)
    with pytest.raises(mockgpu.PretendDeviceError, match=rf"kernel 'shift'.*{found}"):
        launch(SHIFT, "shift", (1,), (64,), x, y, np.int32(read), np.int32(write))


def test_a_write_into_the_few_bytes_before_the_guard_page(guarded):
    x, y = cp.ones(65, np.float32), cp.ones(61, np.float32)  # 61 floats leave 12 bytes up to a multiple of 16
    with pytest.raises(mockgpu.PretendDeviceError, match="kernel 'shift' wrote 0 bytes behind the end"):
        launch(SHIFT, "shift", (1,), (61,), x, y, np.int32(0), np.int32(1))


def test_the_message_names_the_thread(guarded):
    x, y = cp.ones(8, np.float32), cp.ones(16, np.float32)
    with pytest.raises(mockgpu.PretendDeviceError, match=r"thread \(8, 0, 0\) of block \(0, 0, 0\)"):
        launch(SHIFT, "shift", (1,), (16,), x, y, np.int32(0), np.int32(0))


def test_the_device_works_on_after_an_error(guarded):
    x = cp.ones(64, np.float32)
    for _ in range(3):
        with pytest.raises(mockgpu.PretendDeviceError):
            launch(SHIFT, "shift", (1,), (64,), x, x.copy(), np.int32(1), np.int32(0))
    np.testing.assert_array_equal((x + x).get(), np.full(64, 2, np.float32))


def test_a_lazy_error_is_raised_at_the_synchronisation(guarded, lazily):
    x, y = cp.ones(64, np.float32), cp.ones(64, np.float32)
    launch(SHIFT, "shift", (1,), (64,), x, y, np.int32(1), np.int32(0))
    with pytest.raises(mockgpu.PretendDeviceError, match="illegal read"):
        cp.cuda.Device().synchronize()


def test_a_lazy_error_is_not_lost_when_an_array_is_freed(guarded, lazily):
    x, y = cp.ones(64, np.float32), cp.ones(64, np.float32)
    launch(SHIFT, "shift", (1,), (64,), x, y, np.int32(1), np.int32(0))
    del x  # frees, which waits for the kernel, and cannot raise
    with pytest.raises(mockgpu.PretendDeviceError, match="illegal read"):
        y += 1


BEYOND_SHARED = r"""
extern "C" __global__ void beyond_shared(float* y) {
    extern __shared__ float part[];
    part[threadIdx.x] = 1;
    __syncthreads();
    y[threadIdx.x] = part[threadIdx.x + 1];
}
"""


def test_a_touch_outside_of_dynamic_shared_memory(order):
    with pytest.raises(mockgpu.PretendDeviceError, match="kernel 'beyond_shared'.*illegal read"):
        launch(BEYOND_SHARED, "beyond_shared", (1,), (64,), cp.empty(64, np.float32), shared_mem=256)


BEYOND_ARRAYS = r"""
extern "C" __global__ void beyond_arrays(float* y, int row, int at) {
    __shared__ float part[8][64];
    float own[4] = {};
    part[row][threadIdx.x] = 1;
    own[at] = 1;
    __syncthreads();
    y[threadIdx.x] = part[row][63 - threadIdx.x] + own[0];
}
"""


@pytest.mark.parametrize(("threads", "row", "at"), [(65, 0, 0), (64, 8, 0), (64, -1, 0), (64, 0, 4)])
def test_an_index_outside_of_an_array_that_the_kernel_declares(order, threads, row, at):
    with pytest.raises(mockgpu.PretendDeviceError, match="kernel 'beyond_arrays'.*outside of a __shared__ or local"):
        launch(BEYOND_ARRAYS, "beyond_arrays", (1,), (threads,), cp.empty(65, np.float32), np.int32(row), np.int32(at))


ASSERTION = r"""
extern "C" __global__ void asserts(const int* x) { assert(x[threadIdx.x] > 0); }
"""


def test_an_assertion():
    with pytest.raises(mockgpu.PretendDeviceError, match=r"kernel 'asserts'.*assertion x\[threadIdx.x\] > 0 in line 2"):
        launch(ASSERTION, "asserts", (1,), (4,), cp.zeros(4, np.int32))


REVERSE = r"""
extern "C" __global__ void reverse(const float* x, float* y) {
    __shared__ float part[64];
    part[threadIdx.x] = x[threadIdx.x];
    BARRIER
    y[threadIdx.x] = part[63 - threadIdx.x];
}
"""


def test_a_missing_barrier():
    x = cp.arange(1, 65, dtype=np.float32)

    def reversed_by(barrier):
        y = cp.empty(64, np.float32)
        launch(REVERSE.replace("BARRIER", barrier), "reverse", (1,), (64,), x, y)
        return y

    assert differ(results_by_order(lambda: reversed_by("")))
    assert not differ(results_by_order(lambda: reversed_by("__syncthreads();")))


def test_a_missing_barrier_reads_poison_between_guards(guarded):
    y = cp.empty(64, np.float32)
    launch(REVERSE.replace("BARRIER", ""), "reverse", (1,), (64,), cp.ones(64, np.float32), y)
    assert np.isnan(y.get()).any()


LAST_WRITER = r"""
extern "C" __global__ void last_writer(float* y) { y[threadIdx.x % 4] = threadIdx.x + 100 * blockIdx.x; }
"""


def test_a_race_between_writers():
    def run():
        y = cp.zeros(4, np.float32)
        launch(LAST_WRITER, "last_writer", (3,), (64,), y)
        return y

    assert differ(results_by_order(run))


ADD = r"""
extern "C" __global__ void add(float* sum) {
    float old = *sum;
    __syncthreads();
    *sum = old + (threadIdx.x + 1);
}
extern "C" __global__ void atomic_add(float* sum) {
    __syncthreads();
    atomicAdd(sum, threadIdx.x + 1);
}
"""


def test_adding_without_atomics():
    def run(name):
        total = cp.zeros(1, np.float32)
        launch(ADD, name, (1,), (64,), total)
        return total

    assert differ(results_by_order(lambda: run("add")))
    expected = 64 * 65 / 2
    assert [float(total[0]) for total in results_by_order(lambda: run("atomic_add"))] == [expected] * 3


COPY = r"""
extern "C" __global__ void copy(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }
"""


def test_an_uninitialised_array(guarded):
    y = cp.zeros(64, np.float32)
    launch(COPY, "copy", (1,), (64,), cp.empty(64, np.float32), y)
    assert np.isnan(y.get()).all()


STALE_SHARED = r"""
extern "C" __global__ void stale(float* y) {
    __shared__ float sum;
    extern __shared__ float part[];
    if (blockIdx.x == 0 && threadIdx.x == 0) sum = part[0] = 0;
    __syncthreads();
    if (threadIdx.x == 0) y[blockIdx.x] = STALE;
}
"""


@pytest.mark.parametrize("variable", ["sum", "part[0]"])
def test_uninitialised_shared_memory(guarded, order, variable):
    y = cp.zeros(3, np.float32)
    launch(STALE_SHARED.replace("STALE", variable), "stale", (3,), (32,), y, shared_mem=4)
    np.testing.assert_array_equal(y.get(), [0, np.nan, np.nan])


def test_a_host_pointer():
    x = np.ones(64, np.float32)
    found = "kernel 'copy', argument 1 'x': expected a pointer to the device's memory"
    with pytest.raises(mockgpu.PretendDeviceError, match=found):
        launch(COPY, "copy", (1,), (64,), np.intp(x.ctypes.data), cp.empty(64, np.float32))


@pytest.mark.filterwarnings("ignore")
def test_freed_memory(guarded):
    x, y = cp.ones(64, np.float32), cp.empty(64, np.float32)
    address = np.intp(x.data.ptr)
    del x
    with pytest.raises(mockgpu.PretendDeviceError, match="argument 1 'x'.*freed"):
        launch(COPY, "copy", (1,), (64,), address, y)


BARRIER_IN_BRANCH = r"""
extern "C" __global__ void some_wait(float* y) {
    if (threadIdx.x < 16) __syncthreads();
    y[threadIdx.x] = 1;
}
extern "C" __global__ void some_leave(float* y) {
    if (threadIdx.x >= 16) return;
    __syncthreads();
    y[threadIdx.x] = 1;
}
extern "C" __global__ void two_barriers(float* y) {
    if (threadIdx.x < 16)
        __syncthreads();
    else
        __syncthreads();
    y[threadIdx.x] = 1;
}
extern "C" __global__ void lonely_shuffle(int* y) {
    if (threadIdx.x < 16) y[threadIdx.x] = __shfl_xor_sync(0xffffffff, threadIdx.x, 16);
    else __syncthreads();
}
"""


@pytest.mark.parametrize("name", ["some_wait", "some_leave", "two_barriers", "lonely_shuffle"])
def test_a_divergent_barrier(order, name):
    with pytest.raises(mockgpu.PretendDeviceError, match=f"kernel '{name}'.*divergent barrier"):
        launch(BARRIER_IN_BRANCH, name, (1,), (64,), cp.zeros(64, np.float32))


SHUFFLES = r"""
extern "C" __global__ void outside_of_its_mask(int* y) {
    y[threadIdx.x] = __shfl_xor_sync(0x0000ffff, threadIdx.x, 1);
}
extern "C" __global__ void outside_of_its_vote(int* y) {
    y[threadIdx.x] = __ballot_sync(0x0000ffff, threadIdx.x);
}
extern "C" __global__ void outside_of_its_barrier(int* y) {
    __syncwarp(0x0000ffff);
    y[threadIdx.x] = 1;
}
extern "C" __global__ void others_have_left(int* y) {
    if (threadIdx.x % 32 >= 16) return;
    y[threadIdx.x] = __shfl_xor_sync(0xffffffff, threadIdx.x, 1);
}
extern "C" __global__ void others_in_a_branch(int* y) {
    if (threadIdx.x % 32 < 16) y[threadIdx.x] = __shfl_xor_sync(0xffffffff, threadIdx.x, 1);
}
extern "C" __global__ void from_outside_of_the_mask(int* y) {
    if (threadIdx.x % 32 < 16) y[threadIdx.x] = __shfl_down_sync(0x0000ffff, threadIdx.x, 8);
}
extern "C" __global__ void two_masks(int* y) {
    y[threadIdx.x] = __shfl_xor_sync(threadIdx.x % 2 ? 0xffffffff : 0x7fffffff, threadIdx.x, 1);
}
"""


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("outside_of_its_mask", r"lane (1[6-9]|[23]\d) is outside of the mask 0x0000ffff"),
        ("outside_of_its_vote", r"lane (1[6-9]|[23]\d) is outside of the mask 0x0000ffff"),
        ("outside_of_its_barrier", r"lane (1[6-9]|[23]\d) is outside of the mask 0x0000ffff"),
        ("others_have_left", r"mask 0xffffffff for lane 16, which has left the kernel"),
        ("others_in_a_branch", r"mask 0xffffffff for lane 16, which has left the kernel"),
        ("from_outside_of_the_mask", r"takes the value of lane (1[6-9]|2\d), which takes no part"),
        ("two_masks", r"lane 0 waits with the mask 0x7fffffff, lane 1 of it with 0xffffffff. All lanes in a mask must"),
    ],
)
def test_a_lane_outside_of_its_mask(order, name, found):
    with pytest.raises(mockgpu.PretendDeviceError, match=f"kernel '{name}'.*{found}"):
        launch(SHUFFLES, name, (1,), (64,), cp.zeros(64, np.int32))


def test_a_value_of_a_lane_that_the_block_does_not_have(order):
    source = SHUFFLES.replace("threadIdx.x % 32 < 16", "true").replace("0x0000ffff", "0xffffffff")
    with pytest.raises(mockgpu.PretendDeviceError, match=r"takes the value of lane (8|9|1[0-5]), which takes no part"):
        launch(source, "from_outside_of_the_mask", (1,), (40,), cp.zeros(40, np.int32))


DIVIDE = r"""
extern "C" __global__ void divide(const int* x, int* y) { y[threadIdx.x] = 100 / x[threadIdx.x]; }
"""


def test_a_division_of_integers_by_zero():
    with pytest.raises(mockgpu.PretendDeviceError, match="kernel 'divide'.*divided by zero"):
        launch(DIVIDE, "divide", (1,), (8,), cp.zeros(8, np.int32), cp.empty(8, np.int32))


@pytest.mark.parametrize(
    ("grid", "block", "found"),
    [
        ((1,), (1025,), "a block has at most 1024"),
        ((1,), (1, 1, 65), "and 64 in z"),
        ((1, 65536), (1,), "y and z go up to 65535"),
    ],
)
def test_a_launch_of_a_wrong_size(grid, block, found):
    with pytest.raises(mockgpu.PretendDeviceError, match=f"kernel 'copy'.*{found}"):
        launch(COPY, "copy", grid, block, cp.zeros(1, np.float32), cp.zeros(1, np.float32))


def test_a_pinned_buffer_that_is_used_again_too_early(lazily):
    stream = cp.cuda.Stream(non_blocking=True)
    pinned = np.frombuffer(cp.cuda.alloc_pinned_memory(4 * 8), np.float32, 8)
    pinned[:] = 1
    x = cp.empty(8, np.float32)
    x.set(pinned, stream=stream)
    pinned[:] = 2  # before the copy is done
    stream.synchronize()
    assert x.get()[0] == 2, "the copy was done at once, so the bug has no effect"


def test_a_result_that_is_read_too_early(lazily):
    pinned = np.frombuffer(cp.cuda.alloc_pinned_memory(4 * 8), np.float32, 8)
    pinned[:] = -1
    stream = cp.cuda.Stream(non_blocking=True)
    x = cp.ones(8, np.float32)
    x.get(stream=stream, out=pinned, blocking=False)
    assert pinned[0] == -1
    stream.synchronize()
    assert pinned[0] == 1


def test_a_copy_beyond_the_end(guarded):
    x = cp.empty(8, np.float32)
    with pytest.raises(mockgpu.PretendDeviceError, match="copy of 64 bytes"):
        x.data.copy_from_host(np.zeros(16, np.float32).ctypes.data, 64)


def test_a_syntax_error_is_a_compile_error():
    with pytest.raises(cp.cuda.compiler.CompileException, match="undeclared_name"):
        launch('extern "C" __global__ void k() { undeclared_name = 1; }', "k", (1,), (1,))


def test_a_kernel_without_c_name_is_not_found():
    with pytest.raises(mockgpu.PretendDeviceError, match="no kernel named 'k'.*extern \"C\""):
        launch("__global__ void k() {}", "k", (1,), (1,))


def test_a_source_that_is_not_ascii():
    with pytest.raises(mockgpu.PretendDeviceError, match=r"expected a source in ASCII, found 'Σ' in line 2"):
        launch('extern "C" __global__ void k() {}\n// Σ', "k", (1,), (1,))
