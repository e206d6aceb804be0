"""Every backend against the textbook: one body of tests for all of them, on grids and on shapes that Hypothesis draws.

The numbers drawn have few digits (eighths), so that sums of products are exact in any order: a difference between two
backends is then a mistake, and both agree on which side of ReLU's kink a number is, and on max pooling's ties.
"""

from __future__ import annotations

import inspect
import threading
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minicnn.backends import active, textbook, use_backend
from minicnn.backends.contract import ACTIVATIONS, CURVES, MERGES, OPERATIONS, Backend
from minicnn.errors import BackendError

BACKENDS = ("numba",)  # all but the textbook; tests/gpu runs the same tests on the GPU

# Largest error, relative to the largest number of an array: where sums are not exact (exponentials, means), some
# hundred terms are each rounded to 6e-8 (float32) or 1e-16 (float64), and cancellation costs a digit or two.
TOLERANCES = {"complex128": 1e-10, "float32": 2e-5, "float64": 1e-11}

DTYPES = ("float32", "float64")

# All examples of a test share one fixture, the backend: this is intended.
given_on_each_backend = partial(
    settings, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(params=BACKENDS, scope="module")
def backend(request):
    try:
        with use_backend(request.param):
            yield active()
    except BackendError as missing:
        pytest.skip(str(missing))


def numbers(shape, dtype="float32", seed=0):
    """Eighths between −2 and 2; no two rows or channels are equal."""
    return (np.random.default_rng(seed).integers(-16, 17, shape) / 8).astype(dtype)


def gentle(kernel, activation):
    """A kernel that leaves the activation unsaturated: near y = 1, 1 − y has no digits to compare."""
    return kernel if activation in ("linear", "relu") else kernel / kernel.dtype.type(64)


def run(backend, operation, *arguments, upstream=True, **options):
    """An operation and its backward on host arrays -> all results of both, on the host."""

    def moved(argument):
        return backend.to_device(argument) if isinstance(argument, np.ndarray) else argument

    *results, saved = getattr(backend, operation)(*map(moved, arguments))
    dy = [moved(np.asarray(numbers(results[0].shape, str(results[0].dtype), seed=9)))] if upstream else []
    gradients = getattr(backend, operation + "_backward")(*dy, saved, **options)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    return [None if result is None else backend.to_host(result) for result in (*results, *gradients)]


def assert_alike(found, expected, last_is_bias=False):
    """None where None is expected; else the same shape, dtype and NaNs, and the same numbers within the tolerance.

    The tolerance is relative to an array's largest number. A bias's gradient is a sum that may cancel out, but its
    rounding error is that of its terms. Its tolerance is relative to the kernel's gradient before it, which sums the
    same terms times inputs around 1.
    """
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        if other is None:
            assert one is None
            continue
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        largest = np.abs(other[np.isfinite(other)]).max(initial=0)
        if last_is_bias and other is expected[-1]:
            largest = max(largest, np.abs(expected[-2]).max())
        np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCES[str(other.dtype)] * largest)


def assert_like_textbook(backend, operation, *arguments, **options):
    found, expected = (run(ops, operation, *arguments, **options) for ops in (backend, textbook))
    assert_alike(found, expected, last_is_bias=operation in ("conv2d", "dense"))


def assert_alike_exactly(found, expected):
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


# every operation with a backward, on one ordinary input: properties that all of them have


def conv_arguments(dtype="float32", N=3, activation="relu"):
    x, kernel, bias = numbers((N, 7, 6, 3), dtype), numbers((3, 2, 3, 5), dtype, 1), numbers(5, dtype, 2)
    return [x, kernel, bias, (2, 1), "same", activation]


def ordinary_calls(dtype="float32"):
    x = numbers((3, 6, 5, 4), dtype)
    scores, target = numbers((6, 4), dtype, 1), np.eye(4, dtype=dtype)[[0, 1, 2, 3, 1, 1]]
    return {
        "conv2d": conv_arguments(dtype),
        "dense": [numbers((9, 7), dtype), numbers((7, 5), dtype, 1), numbers(5, dtype, 2), "relu"],
        "max_pool2d": [x, (3, 2), (2, 2), "same"],
        "average_pool2d": [x, (3, 2), (2, 2), "same"],
        "batch_norm": [x, *(np.abs(numbers(4, dtype, seed)) + 1 for seed in range(4)), 0.9, 1e-3, True, "relu"],
        "dropout": [x, 0.25, 2**40 + 5, 3],
        "random_flip": [x, True, False, 2**40 + 5, 3],
        "random_translation": [x, (-0.5, 0.5), (-0.25, 0.5), "reflect", "bilinear", 0.0, 2**40 + 5, 3],
        "random_erasing": [x, (0.5, 1.0), (0.125, 0.5), None, (-1.0, 1.0), 2**40 + 5, 3],
        "activation": [x, "relu"],
        "general_relu": [x, 0.25, 1.5, 0.5],
        "merge": [x, numbers(x.shape, dtype, 1), "maximum"],
        "concatenate": [x, numbers((3, 6, 5, 2), dtype, 1)],
        "curve": [x, "gelu", 0.0],
        "grouped_conv2d": [x, numbers((3, 2, 2, 6), dtype, 1), numbers(6, dtype, 2), (2, 1), "same", (1, 2), 2],
        "pad2d": [x, (1, -2), (-1, 3)],
        "upsample2d": [x, (2, 3), "bilinear"],
        "group_norm": [x, numbers(4, dtype, 1), numbers(4, dtype, 2), 2, 1e-3],
        "shared_dropout": [x, 0.25, (1, 3), 2**40 + 5, 3],
        "gaussian_noise": [x, 0.5, 2**40 + 5, 3],
        "softmax_crossentropy": [scores, target],
        "crossentropy": [np.abs(scores) + 0.125, target],
        "mean_squared_error": [scores, target],
        "squared_errors": [scores, target],
        "absolute_errors": [scores, target],
        "huber_errors": [scores, target, 0.5],
        "softmax_crossentropies": [scores, target],
        "crossentropies": [np.abs(scores) + 0.125, target],
        "sigmoid_crossentropies": [scores, target],
        "binary_crossentropies": [np.abs(scores) / 16 + 0.125, target],
    }


PAIRS = tuple(ordinary_calls())
LOSSES = ("softmax_crossentropy", "crossentropy", "mean_squared_error")


def call(backend, operation, arguments, **options):
    return run(backend, operation, *arguments, upstream=operation not in LOSSES, **options)


# the contract


@pytest.mark.parametrize("operation", OPERATIONS)
def test_signatures_are_the_contract_s(backend, operation):
    for operations in (textbook, backend):
        found = inspect.signature(getattr(operations, operation))
        _, *expected = inspect.signature(getattr(Backend, operation)).parameters.values()
        assert [(p.name, p.kind, p.default) for p in found.parameters.values()] == [
            (p.name, p.kind, p.default) for p in expected
        ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", PAIRS)
def test_like_the_textbook(backend, operation, dtype):
    arguments = ordinary_calls(dtype)[operation]
    assert_alike(call(backend, operation, arguments), call(textbook, operation, arguments))


@pytest.mark.parametrize("operation", PAIRS)
def test_arguments_are_not_overwritten(backend, operation):
    arguments, untouched = ordinary_calls()[operation], ordinary_calls()[operation]
    call(backend, operation, arguments)
    for argument, before in zip(arguments, untouched, strict=True):
        np.testing.assert_array_equal(argument, before)


@pytest.mark.parametrize("operation", PAIRS)
def test_read_only_and_strided_inputs(backend, operation):
    arguments = ordinary_calls()[operation]
    assert_alike(call(backend, operation, map_arrays(strided, arguments)), call(textbook, operation, arguments))


def strided(array):
    """The same numbers, every second one of a larger array, and read-only."""
    wide = np.repeat(array, 2, axis=-1)
    wide.flags.writeable = False
    return wide[..., ::2]


@pytest.mark.parametrize("operation", ["conv2d", "dense", "max_pool2d", "batch_norm", "dropout"])
def test_read_only_and_strided_upstream(backend, operation):
    arguments = ordinary_calls()[operation]
    *results, saved = getattr(backend, operation)(*map_arrays(backend.to_device, arguments))
    dy = numbers(results[0].shape, seed=9)
    backward = getattr(backend, operation + "_backward")
    found = backward(backend.to_device(strided(dy)), saved)
    expected = backward(backend.to_device(dy), saved)
    for one, other in zip(as_tuple(found), as_tuple(expected), strict=True):
        np.testing.assert_array_equal(backend.to_host(one), backend.to_host(other))


def map_arrays(function, arguments):
    return [function(argument) if isinstance(argument, np.ndarray) else argument for argument in arguments]


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("operation", PAIRS)
def test_results_share_no_memory_with_later_calls(backend, operation):
    """A later call does not change earlier results, and a backward can be repeated."""
    arguments = map_arrays(backend.to_device, ordinary_calls()[operation])
    *results, saved = getattr(backend, operation)(*arguments)
    dy = [] if operation in LOSSES else [backend.to_device(numbers(results[0].shape, seed=9))]
    backward = getattr(backend, operation + "_backward")
    first = as_tuple(backward(*dy, saved))
    kept = [np.array(backend.to_host(result)) for result in (*results, *first)]
    call(backend, operation, map_arrays(lambda array: array * 2, ordinary_calls()[operation]))
    again = as_tuple(backward(*dy, saved))
    for result, before in zip((*results, *first), kept, strict=True):
        np.testing.assert_array_equal(backend.to_host(result), before)
    for result, before in zip(again, kept[len(results) :], strict=True):
        np.testing.assert_array_equal(backend.to_host(result), before)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy in the textbook, about NaN
@pytest.mark.parametrize(
    "operation", ["conv2d", "dense", "max_pool2d", "batch_norm", "group_norm", "dropout", "activation"]
)
def test_nan_spreads_as_in_the_textbook(backend, operation):
    arguments = ordinary_calls()[operation]
    arguments[0].reshape(-1)[17] = np.nan
    found, expected = call(backend, operation, arguments), call(textbook, operation, arguments)
    assert np.isnan(found[0]).any()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))


@pytest.mark.parametrize("operation", ["conv2d", "grouped_conv2d", "dense", "batch_norm"])
def test_dx_only_where_needed(backend, operation):
    arguments = ordinary_calls()[operation]
    with_dx, without = call(backend, operation, arguments), call(backend, operation, arguments, need_dx=False)
    parameters = 3 if operation == "batch_norm" else 1  # how many results the forward has
    assert without[parameters] is None
    assert_alike(without[:parameters] + without[parameters + 1 :], with_dx[:parameters] + with_dx[parameters + 1 :])


@pytest.mark.parametrize("operation", PAIRS)
def test_the_same_call_gives_the_same_bits(backend, operation):
    arguments = ordinary_calls()[operation]
    for one, other in zip(call(backend, operation, arguments), call(backend, operation, arguments), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("operation", PAIRS)
def test_one_thread_or_two(operation):
    numba = pytest.importorskip("numba")
    available = numba.get_num_threads()
    if available < 2:
        pytest.skip("one core only")
    with use_backend("numba"):
        try:
            results = []
            for threads in (1, 2):
                numba.set_num_threads(threads)
                results.append(call(active(), operation, ordinary_calls()[operation]))
                assert numba.get_num_threads() == threads
        finally:
            numba.set_num_threads(available)
    for one, other in pairwise(results):
        assert_alike(one, other)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_bits_for_any_number_of_threads(dtype):
    """One thread computes a row, and sums over rows have a fixed order; noise is a function of the index."""
    pytest.importorskip("numba")
    x, scores, target = numbers((37, 29, 31, 3), dtype), numbers((999, 37), dtype), np.abs(numbers((999, 37), dtype, 1))
    calls = [("activation", [x / x.dtype.type(3), activation]) for activation in ACTIVATIONS]
    calls += [("general_relu", [x, 0.1, 1.0, 0.2])]
    calls += [("batch_norm", [x, *(np.abs(numbers(3, dtype, seed)) + 1 for seed in range(4)), 0.9, 1e-3, True, "relu"])]
    calls += [("group_norm", [x, x[0, 0, 0], None, 3, 1e-3]), ("group_norm", [scores, scores[0], scores[1], 1, 1e-3])]
    calls += [("dropout", [x, 0.25, 2**40 + 5, 3]), ("gaussian_noise", [x, 0.5, 2**40 + 5, 3])]
    calls += [(loss, [np.abs(scores) if loss == "crossentropy" else scores, target]) for loss in LOSSES]
    for operation, arguments in calls:
        results = []
        for threads in (1, 2, 3):
            with use_backend("numba", threads=threads):
                results.append(call(active(), operation, arguments))
        for one, other in pairwise(results):
            for array, same in zip(one, other, strict=True):
                np.testing.assert_array_equal(array, same)


def test_calls_from_several_python_threads(backend):
    arguments = conv_arguments(N=5)
    expected = run(backend, "conv2d", *arguments)
    found = []
    callers = [threading.Thread(target=lambda: found.append(run(backend, "conv2d", *arguments))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == len(callers)
    for results in found:
        assert_alike(results, expected)


def test_other_dtypes_are_computed_too(backend):
    """No backend is fast in half precision and with integers, but the results have to be right."""
    x = numbers((2, 5, 5, 2), "float16")
    found, _ = backend.max_pool2d(backend.to_device(x), (2, 2), (2, 2), "valid")
    expected, _ = textbook.max_pool2d(x, (2, 2), (2, 2), "valid")
    np.testing.assert_array_equal(backend.to_host(found), expected)


# convolution and dense


@st.composite
def windows(draw, channels):
    """An image's shape, a window that fits into it, strides and padding."""
    shape = tuple(draw(st.integers(1, most)) for most in (5, 11, 9)) + (draw(channels),)
    padding = draw(st.sampled_from(["valid", "same"]))
    window = tuple(draw(st.integers(1, 4 if padding == "same" else min(side, 4))) for side in shape[1:3])
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    return shape, window, strides, padding


@given(
    case=windows(channels=st.one_of(st.integers(1, 5), st.sampled_from([16, 33]))),
    filters=st.one_of(st.integers(1, 5), st.sampled_from([10, 16, 33, 40])),
    activation=st.sampled_from(ACTIVATIONS),
    use_bias=st.booleans(),
    need_dx=st.booleans(),
    dtype=st.sampled_from(DTYPES),
)
@given_on_each_backend(max_examples=100)
def test_conv2d_on_any_shape(backend, case, filters, activation, use_bias, need_dx, dtype):
    shape, window, strides, padding = case
    kernel = gentle(numbers((*window, shape[-1], filters), dtype, 1), activation)
    bias = numbers(filters, dtype, 2) if use_bias else None
    assert_like_textbook(
        backend, "conv2d", numbers(shape, dtype), kernel, bias, strides, padding, activation, need_dx=need_dx
    )


@pytest.mark.parametrize(
    ("x", "kernel", "padding"),
    [
        ((9, 28, 28, 1), (3, 3, 1, 32), "same"),
        ((9, 14, 14, 32), (3, 3, 32, 64), "same"),
        ((33, 7, 7, 64), (3, 3, 64, 128), "same"),
        ((1, 14, 14, 32), (3, 3, 32, 64), "same"),
        ((20, 1, 28, 28), (1, 2, 28, 236), "valid"),
        ((20, 1, 13, 236), (1, 2, 236, 128), "valid"),
        ((2, 40, 36, 3), (5, 5, 3, 8), "valid"),
    ],
)
def test_conv2d_on_layers_of_the_report(backend, x, kernel, padding):
    bias = numbers(kernel[-1], seed=2) + np.float32(
        1 / 128
    )  # products are multiples of 1/64: no sum is near relu's kink
    arguments = [numbers(x), numbers(kernel, seed=1), bias, (1, 1), padding, "relu"]
    assert_like_textbook(backend, "conv2d", *arguments)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "linear"])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("N", "H", "W"), [(1, 3, 3), (130, 3, 3), (45, 4, 9), (33, 8, 5), (70, 6, 6)])
def test_conv2d_of_three_by_three_with_many_channels(backend, dtype, activation, padding, N, H, W):
    """Winograd computes tiles of 4 x 4 outputs: images are smaller, larger, and no multiple of that."""
    x, kernel = numbers((N, H, W, 32), dtype), numbers((3, 3, 32, 64), dtype, seed=1)
    bias = numbers(64, dtype, seed=2) + x.dtype.type(1 / 128) if activation == "relu" else None  # away from relu's kink
    assert_like_textbook(backend, "conv2d", x, kernel, bias, (1, 1), padding, activation)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("C", "F"), [(16, 32), (28, 36), (33, 17)])
@pytest.mark.parametrize("taps", [2, 3])
@pytest.mark.parametrize(("N", "H", "W"), [(5, 1, 28), (25, 1, 28), (150, 1, 3), (40, 2, 6)])
def test_conv2d_along_one_axis_with_many_channels(backend, dtype, padding, C, F, taps, N, H, W):
    """Winograd computes tiles of 4 outputs of a 1 x 3 or 1 x 2 kernel, and may pad channels to whole vectors."""
    x, weights = numbers((N, H, W, C), dtype), numbers((1, taps, C, F), dtype, seed=1)
    bias = numbers(F, dtype, seed=2) + x.dtype.type(1 / 128)  # away from relu's kink
    assert_like_textbook(backend, "conv2d", x, weights, bias, (1, 1), padding, "relu")


@pytest.mark.parametrize(
    ("kernel", "shape"),
    [((3, 3), (2, 9, 10, 32)), ((3, 3), (15, 9, 10, 32)), ((1, 3), (20, 1, 28, 32)), ((1, 2), (20, 1, 28, 32))],
)
def test_conv2d_of_zeros_passes_no_gradient_through_relu(backend, kernel, shape):
    """Without a bias, a window of zeros gives exactly 0, whose gradient is 0; rounding must not make it positive."""
    x = np.zeros(shape, np.float32)
    x[:, :4, 2:5] = np.random.default_rng(0).random((shape[0], min(4, shape[1]), 3, 32), np.float32)
    weights = np.random.default_rng(1).normal(size=(*kernel, 32, 32)).astype(np.float32)
    assert_like_textbook(backend, "conv2d", x, weights, np.zeros(32, np.float32), (1, 1), "same", "relu")


@pytest.mark.parametrize(("side", "channels"), [(300, 3), (220, 32)])
def test_gradient_of_a_bias_from_many_equal_terms(backend, side, channels):
    """A plain float32 sum would round every term the same way, and its fourth digit would be wrong."""
    x, kernel = np.zeros((1, side, side, channels), np.float32), np.zeros((3, 3, channels, channels), np.float32)
    _, saved = backend.conv2d(
        backend.to_device(x), backend.to_device(kernel), backend.to_device(x[0, 0, 0]), (1, 1), "same", "linear"
    )
    dy = np.full_like(x, 0.1)
    *_, dbias = backend.conv2d_backward(backend.to_device(dy), saved, need_dx=False)
    np.testing.assert_allclose(backend.to_host(dbias), dy.sum(axis=(0, 1, 2), dtype=np.float64), rtol=2e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("F", [1, 9, 16, 17, 32, 40, 70])
def test_conv2d_of_a_few_windows(backend, F, dtype):
    """Tiles of several heights and widths, and the remainders at the ends of the arrays."""
    for M in (*range(1, 27), 49, 62):
        x, weights = numbers((1, M, 1, 3), dtype), numbers((1, 1, 3, F), dtype, seed=1)
        bias = numbers(F, dtype, seed=2) + x.dtype.type(1 / 128)  # away from relu's kink
        assert_like_textbook(backend, "conv2d", x, weights, bias, (1, 1), "valid", "relu")


@given(
    case=windows(channels=st.one_of(st.integers(1, 6), st.sampled_from([16, 33]))),
    outputs=st.integers(1, 3),
    dilation_rate=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    use_bias=st.booleans(),
    need_dx=st.booleans(),
    dtype=st.sampled_from(DTYPES),
    data=st.data(),
)
@given_on_each_backend(max_examples=100)
def test_grouped_conv2d_on_any_shape(backend, case, outputs, dilation_rate, use_bias, need_dx, dtype, data):
    """Groups of all channels, of several, and of one channel each, with one or more outputs; gaps along each axis."""
    (N, H, W, C), window, strides, padding = case
    groups = data.draw(st.sampled_from([G for G in range(1, C + 1) if C % G == 0]))
    extents = [(length - 1) * gap + 1 for length, gap in zip(window, dilation_rate, strict=True)]
    x = numbers((N, max(H, extents[0]), max(W, extents[1]), C), dtype)
    kernel, bias = numbers((*window, C // groups, groups * outputs), dtype, 1), numbers(groups * outputs, dtype, 2)
    options = strides, padding, dilation_rate, groups
    assert_like_textbook(backend, "grouped_conv2d", x, kernel, bias if use_bias else None, *options, need_dx=need_dx)


def test_a_depthwise_convolution_that_is_shared_by_threads(backend):
    x, kernel, bias = numbers((20, 14, 13, 40)), numbers((3, 3, 1, 40), seed=1), numbers(40, seed=2)
    assert_like_textbook(backend, "grouped_conv2d", x, kernel, bias, (1, 1), "same", (1, 1), 40)


def test_conv2d_of_dtypes_that_no_kernel_takes(backend):
    """The textbook computes complex numbers, which the complex step needs, in forward and backward."""
    x, kernel, bias = (
        numbers(shape, "complex128", seed) for seed, shape in enumerate([(2, 5, 6, 3), (3, 3, 3, 4), (4,)])
    )
    assert_like_textbook(backend, "conv2d", x, kernel, bias, (1, 1), "same", "linear")


def test_conv2d_of_no_samples(backend):
    y, _, dkernel, _ = run(backend, "conv2d", *conv_arguments(N=0))
    assert y.shape == (0, 4, 6, 5)
    assert not dkernel.any()


@given(
    leading=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    activation=st.sampled_from(ACTIVATIONS),
    use_bias=st.booleans(),
    need_dx=st.booleans(),
    dtype=st.sampled_from(DTYPES),
)
@given_on_each_backend(max_examples=50)
def test_dense_on_any_shape(backend, leading, sizes, activation, use_bias, need_dx, dtype):
    x, kernel = numbers((*leading, sizes[0]), dtype), gentle(numbers(sizes, dtype, 1), activation)
    bias = numbers(sizes[1], dtype, 2) if use_bias else None
    assert_like_textbook(backend, "dense", x, kernel, bias, activation, need_dx=need_dx)


# pooling


@pytest.mark.parametrize("operation", ["max_pool2d", "average_pool2d"])
@given(case=windows(channels=st.one_of(st.integers(1, 5), st.sampled_from([16, 33]))), dtype=st.sampled_from(DTYPES))
@given_on_each_backend(max_examples=60)
def test_pooling_on_any_shape(backend, operation, case, dtype):
    shape, window, strides, padding = case
    assert_like_textbook(backend, operation, numbers(shape, dtype), window, strides, padding)


def test_max_pool2d_the_first_of_equals_wins(backend):
    """By hand: overlapping windows over 1 2 2 1 have their maxima at 1, 1, 2, never at the second 2 of a tie."""
    x = np.array([1, 2, 2, 1], "float32").reshape(1, 1, 4, 1)
    y, saved = backend.max_pool2d(backend.to_device(x), (1, 2), (1, 1), "valid")
    dy = np.array([1, 10, 100], "float32").reshape(1, 1, 3, 1)
    dx = backend.max_pool2d_backward(backend.to_device(dy), saved)
    np.testing.assert_array_equal(backend.to_host(y).reshape(-1), [2, 2, 2])
    np.testing.assert_array_equal(backend.to_host(dx).reshape(-1), [0, 11, 100, 0])


def test_max_pool2d_of_a_large_window(backend):
    assert_like_textbook(backend, "max_pool2d", numbers((2, 20, 18, 3)), (17, 17), (1, 1), "valid")


# normalisation and dropout


@given(
    shape=st.lists(st.integers(1, 6), max_size=3),
    channels=st.integers(1, 40),
    training=st.booleans(),
    activation=st.sampled_from(ACTIVATIONS),
    need_dx=st.booleans(),
    dtype=st.sampled_from(DTYPES),
)
@given_on_each_backend(max_examples=80)
def test_batch_norm_on_any_shape(backend, shape, channels, training, activation, need_dx, dtype):
    x = numbers((*shape, channels), dtype)
    statistics = [np.abs(numbers(channels, dtype, seed)) + 1 for seed in range(4)]
    statistics[1] -= x.dtype.type(1 / 128)  # away from relu's kink
    assert_like_textbook(backend, "batch_norm", x, *statistics, 0.9, 0.25, training, activation, need_dx=need_dx)


def test_batch_norm_far_from_zero(backend):
    """A mean a thousand times the deviation: E[x²] − mean² would have no digits left."""
    rng = np.random.default_rng(0)
    x = (1000 + rng.standard_normal((64, 5, 5, 3))).astype("float32")
    ones, zeros = np.ones(3, "float32"), np.zeros(3, "float32")
    arrays = (x, ones, zeros, zeros, ones)
    y, *_ = run(backend, "batch_norm", *arrays, 0.9, 1e-3, True, "linear")
    exact, *_ = run(textbook, "batch_norm", *(array.astype("float64") for array in arrays), 0.9, 1e-3, True, "linear")
    np.testing.assert_allclose(y, exact, atol=2e-4)  # x itself is rounded to 3e-5


def test_batch_norm_with_a_distant_first_row(backend):
    x = np.random.default_rng(0).standard_normal((64, 5, 5, 3))
    x[0, 0, 0] = 1e6
    arguments = x, *np.ones((4, 3)), 0.9, 1e-3, True, "linear"
    results = [run(ops, "batch_norm", *arguments)[:3] for ops in (backend, textbook)]
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@given(
    shape=st.tuples(st.integers(1, 5), st.lists(st.integers(1, 20), max_size=2)),
    groups=st.integers(1, 6),
    width=st.one_of(st.integers(1, 7), st.sampled_from([16, 33])),
    scale=st.booleans(),
    center=st.booleans(),
    dtype=st.sampled_from(DTYPES),
)
@given_on_each_backend(max_examples=80)
def test_group_norm_on_any_shape(backend, shape, groups, width, scale, center, dtype):
    N, positions = shape
    x, gamma, beta = (
        numbers((*axes, groups * width), dtype, seed) for seed, axes in enumerate([(N, *positions), (), ()])
    )
    assert_like_textbook(backend, "group_norm", x, gamma if scale else None, beta if center else None, groups, 0.25)


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("positions", [(), (37, 29)])
def test_group_norm_far_from_zero(backend, positions, groups):
    """A mean a thousand times the deviation: E[x²] − mean² would have no digits left."""
    x = (1000 + np.random.default_rng(0).standard_normal((5, *positions, 24))).astype("float32")
    y, *_ = run(backend, "group_norm", x, None, None, groups, 1e-3)
    exact, *_ = run(textbook, "group_norm", x.astype("float64"), None, None, groups, 1e-3)
    np.testing.assert_allclose(y, exact, atol=2e-3)  # x is rounded to 3e-5; a mean in float32, the textbook's, to 1e-3


@pytest.mark.parametrize("positions", [(), (19, 23)])
def test_group_norm_with_a_distant_first_number(backend, positions):
    x = np.random.default_rng(0).standard_normal((3, *positions, 12))
    x.reshape(3, -1)[:, 0] = 1e6
    found, expected = (run(ops, "group_norm", x, None, None, 2, 1e-3) for ops in (backend, textbook))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.999])
@pytest.mark.parametrize("seed_and_call", [(0, 0), (1, 0), (2**63 - 1, 2**32 - 1)])
def test_dropout_has_the_textbook_s_mask_bit_for_bit(backend, rate, seed_and_call):
    x = np.ones((7, 11, 13), "float32")
    for found, expected in zip(
        run(backend, "dropout", x, rate, *seed_and_call), run(textbook, "dropout", x, rate, *seed_and_call), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (7, 11, 13), (70_001,)])
@pytest.mark.parametrize("seed_and_call", [(0, 0), (2**63 - 1, 2**32 - 1)])
def test_gaussian_noise_has_the_textbook_s_numbers(backend, seed_and_call, shape, dtype):
    arguments = np.array(numbers(shape, dtype)), 0.5, *seed_and_call
    assert_alike(run(backend, "gaussian_noise", *arguments), run(textbook, "gaussian_noise", *arguments))


def test_logarithm_and_cosine_of_noise_to_the_last_digits():
    """At the smallest and the largest numbers that 32 random bits make, and around √½, where the exponent changes."""
    pytest.importorskip("numba")
    from minicnn.backends.cpu import noise

    ends = [2.0**-32, 2.0**-31, 0.5, np.sqrt(0.5), np.nextafter(np.sqrt(0.5), 0), 1 - 2.0**-32]
    some = np.random.default_rng(0).integers(1, 2**32, 1000) / 2**32
    for x in (*ends, *some):
        np.testing.assert_allclose(noise._log.py_func(x), np.log(x), rtol=5e-16)
        np.testing.assert_allclose(noise._cos.py_func(x), np.cos(2 * np.pi * x), atol=1e-15)
    assert noise._log.py_func(1.0) == 0
    assert noise._cos.py_func(0.0) == 1


# activations


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation(backend, activation, dtype):
    assert_like_textbook(backend, "activation", numbers((4, 3, 17), dtype), activation)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy in the textbook, about 0 · ∞
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", MERGES)
def test_merge(backend, rule, dtype):
    """Many entries are equal, and some are not finite."""
    a, b = numbers((4, 3, 17), dtype), numbers((4, 3, 17), dtype, 1)
    a[0, 0, :4] = b[0, 1, :4] = np.nan, np.inf, -np.inf, 1e30
    assert_like_textbook(backend, "merge", a, b, rule)


@given_on_each_backend(max_examples=15)
@given(st.lists(st.integers(1, 4), max_size=2), st.integers(1, 40), st.integers(1, 40), st.sampled_from(DTYPES))
def test_concatenate(backend, leading, A, B, dtype):
    a, b = numbers((3, *leading, A), dtype), numbers((3, *leading, B), dtype, 1)
    for one, other in zip(run(backend, "concatenate", a, b), run(textbook, "concatenate", a, b), strict=True):
        np.testing.assert_array_equal(one, other)


NOT_FINITE = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30, 1e-30, -1e-30, -88.0, 88.0, -750.0, 0.25)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy in the textbook, about NaN
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("operation", "options"),
    [("activation", (activation,)) for activation in ACTIVATIONS]
    + [("curve", (function, 0.25)) for function in CURVES]
    + [("general_relu", pieces) for pieces in [(0.0, None, 0.0), (0.25, None, 0.5), (0.0, 6.0, 0.5), (0.25, 1.5, 0.0)]],
)
def test_numbers_that_are_not_finite_or_large_or_small(backend, operation, options, dtype):
    """Each is in its own row, as softmax spreads NaN over a row; rows are no multiple of a vector."""
    x = numbers((len(NOT_FINITE), 37), dtype)
    x[:, 20] = NOT_FINITE
    found, expected = (run(ops, operation, x, *options) for ops in (backend, textbook))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


@pytest.mark.parametrize(("dtype", "digits"), [("float32", 5e-7), ("float64", 1e-15)])
@pytest.mark.parametrize("activation", ["tanh", "softmax"])
def test_activations_to_the_last_digits(backend, activation, dtype, digits):
    """Relative to each number: close to 0, tanh x is x, and no digit may be lost."""
    x = np.concatenate([np.geomspace(1e-20, 20, 999), -np.geomspace(1e-20, 20, 999)]).astype(dtype)
    x = np.stack([x, np.zeros_like(x)], axis=1)
    y, _ = backend.activation(backend.to_device(x), activation)
    expected, _ = textbook.activation(x.astype("float64"), activation)
    np.testing.assert_allclose(backend.to_host(y), expected, rtol=digits)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy in the textbook, about numbers that underflow
@pytest.mark.parametrize(("dtype", "digits"), [("float32", 5e-7), ("float64", 2e-15)])
@pytest.mark.parametrize("function", CURVES)
def test_curves_to_the_last_digits(backend, function, dtype, digits):
    """Relative to the number, or to 1 if it is smaller."""
    x = np.linspace(-40, 40, 2001).astype(dtype)
    y, saved = backend.curve(backend.to_device(x), function, 0.25)
    slope = backend.curve_backward(backend.to_device(np.ones_like(x)), saved)
    exact, of_exact = textbook.curve(x.astype("float64"), function, 0.25)
    np.testing.assert_allclose(backend.to_host(y), exact, rtol=digits, atol=5 * digits)
    np.testing.assert_allclose(
        backend.to_host(slope), textbook.curve_backward(np.ones(2001), of_exact), rtol=digits, atol=5 * digits
    )


def test_activation_of_an_array_that_is_shared_by_threads(backend):
    x = numbers((130, 33, 31, 7), seed=3)
    for activation in ("relu", "tanh", "softmax"):
        assert_like_textbook(backend, "activation", x, activation)
    assert_like_textbook(backend, "general_relu", x, 0.25, 1.5, 0.5)


# losses, and memory


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1,), (5,), (1, 1), (130, 33), (7, 5, 11), (40, 30, 20)])
@pytest.mark.parametrize("operation", LOSSES)
def test_losses_on_any_shape(backend, operation, shape, dtype):
    """Targets of any weight; probabilities that are clipped at both ends, and rows that do not sum to 1."""
    scores, target = numbers(shape, dtype), np.abs(numbers(shape, dtype, 1))
    if operation == "crossentropy":
        scores = np.where(scores < -1, 0, np.abs(scores) ** 3 + scores.dtype.type(1e-9))
        scores[..., 0] += 1
    found, expected = (run(ops, operation, scores, target, upstream=False) for ops in (backend, textbook))
    assert_alike(found, expected)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy in the textbook, about NaN
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 1e30, -1e30])
@pytest.mark.parametrize("operation", LOSSES)
def test_losses_of_numbers_that_are_not_finite_or_large(backend, operation, special, dtype):
    scores, target = numbers((6, 5), dtype), np.eye(5, dtype=dtype)[[0, 1, 2, 3, 4, 0]]
    scores[2, 3] = special
    if operation == "crossentropy":
        scores = np.abs(scores)
    found, expected = (run(ops, operation, scores, target, upstream=False) for ops in (backend, textbook))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_smooth_labels(backend, dtype):
    target = np.eye(4, dtype=dtype)[[0, 3, 1]]
    found = backend.to_host(backend.smooth_labels(backend.to_device(target), 0.4))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.where(target > 0, 0.7, 0.1), rtol=TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [7, 70_000])
def test_penalties(backend, size, dtype):
    loss, value, grad = np.array(0.5, dtype), numbers(size, dtype), numbers(size, dtype, 1)
    for name, first in {"add_penalty": loss, "add_penalty_gradient": grad}.items():
        found = getattr(backend, name)(backend.to_device(first), backend.to_device(value), 0.25, 0.125)
        expected = getattr(textbook, name)(first, value, 0.25, 0.125)
        np.testing.assert_allclose(backend.to_host(found), expected, rtol=10 * TOLERANCES[dtype])
        assert found.dtype == dtype


def test_one_hot_count_and_take(backend):
    labels, scores = np.array([2, 0, 1, 1]), numbers((4, 3))
    for name, arguments in {
        "one_hot": [labels, 3, "float32"],
        "count_correct": [scores, labels],
        "take": [scores, np.array([3, 3, 0])],
        "accumulate": [np.array(0.5), np.array(0.25, "float32"), 3],
    }.items():
        found = backend.to_host(getattr(backend, name)(*map_arrays(backend.to_device, arguments)))
        np.testing.assert_array_equal(found, getattr(textbook, name)(*arguments))


@pytest.mark.parametrize("dtype", [None, "float32", "float64"])
@pytest.mark.parametrize("kind", ["uint8", "int64", "float32", "float64", "bool", "int16"])
def test_take_converts(backend, kind, dtype):
    array, indices = numbers((5, 3, 2)).astype(kind), np.array([4, 0, 0])
    found = backend.take(backend.to_device(array), backend.to_device(indices), dtype)
    assert_alike_exactly(backend.to_host(found), textbook.take(array, indices, dtype))


@pytest.mark.parametrize("kind", ["uint8", "int16", "int64", "float32", "float64", "bool"])
def test_count_correct_takes_labels_and_one_hot_targets(backend, kind):
    scores = numbers((300, 4))  # with ties
    labels = np.random.default_rng(1).integers(2 if kind == "bool" else 4, size=300)
    one_hot = np.eye(4)[labels]
    for target in (one_hot, labels) if "float" not in kind else (one_hot,):
        found = backend.count_correct(backend.to_device(scores), backend.to_device(target.astype(kind)))
        assert backend.to_host(found) == textbook.count_correct(scores, target.astype(kind))


def test_accumulate_keeps_a_running_sum(backend):
    total = 0.0
    for value in (numbers((), seed=1), numbers((), "float64", seed=2), np.array(7)):
        total = backend.accumulate(total, backend.to_device(value), 64)
    assert backend.to_host(total) == 64 * (numbers((), seed=1) + numbers((), "float64", seed=2) + 7)


def test_owns_knows_the_backend_s_arrays(backend):
    assert backend.owns(backend.to_device(numbers(3)))
    assert not backend.owns([1.0])


@pytest.mark.parametrize("dtype", [None, "float64"])
def test_a_copy_shares_no_memory(backend, dtype):
    for ops in (backend, textbook):
        array = numbers((3, 5))
        moved = ops.to_device(array)
        originals = [array, array[:, ::2], array[0, 0], array.tolist(), moved]
        expected = [np.array(original, dtype) for original in (*originals[:-1], array)]
        copies = [ops.to_device(original, dtype, copy=True) for original in originals]
        array[...] = 0
        moved *= 0
        for copy, before in zip(copies, expected, strict=True):
            found = ops.to_host(copy)
            assert (ops.owns(copy), found.shape, found.dtype) == (True, before.shape, before.dtype)
            np.testing.assert_array_equal(found, before)


# optimiser steps

SIZES = ((3, 5), (7,), (150, 200))
COUNTING = ("adam_step", "adamax_step", "nadam_step")


def stepped(backend, operation, slots, dtype, **options):
    """Values and slots after three steps, on the host."""
    values = [numbers(size, dtype, seed) for seed, size in enumerate(SIZES)]
    state = [[backend.to_device(value * (slot == 0)) for value in values] for slot in range(slots + 1)]
    for step in (1, 2, 3):
        grads = [backend.to_device(numbers(size, dtype, 10 * step + i)) for i, size in enumerate(SIZES)]
        getattr(backend, operation)(
            state[0], grads, *state[1:], **({"step": step} if operation in COUNTING else {}), **options
        )
    return [backend.to_host(array) for arrays in state for array in arrays]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(("momentum", "weight_decay"), [(0.0, 0.0), (0.9, 0.01)])
def test_sgd_step(backend, momentum, weight_decay, nesterov, dtype):
    options = {"learning_rate": 0.1, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
    assert_alike(stepped(backend, "sgd_step", 1, dtype, **options), stepped(textbook, "sgd_step", 1, dtype, **options))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_adam_step(backend, weight_decay, dtype):
    options = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "weight_decay": weight_decay}
    assert_alike(
        stepped(backend, "adam_step", 2, dtype, **options), stepped(textbook, "adam_step", 2, dtype, **options)
    )


OTHER_STEPS = [
    ("rmsprop_step", 3, {"rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False}),
    ("rmsprop_step", 3, {"rho": 0.5, "momentum": 0.5, "epsilon": 1e-3, "centered": True}),
    ("adadelta_step", 2, {"rho": 0.95, "epsilon": 1e-7}),
    ("adagrad_step", 1, {"epsilon": 1e-7}),
    ("adamax_step", 2, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}),
    ("nadam_step", 2, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}),
]
STEPS = [
    ("sgd_step", 1, {"momentum": 0.9, "nesterov": True}),
    ("adam_step", 2, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}),
    *OTHER_STEPS,
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("operation", "slots", "options"), OTHER_STEPS)
def test_other_steps(backend, operation, slots, options, dtype):
    options = {**options, "learning_rate": 0.01, "weight_decay": 0.01}
    found, expected = (stepped(ops, operation, slots, dtype, **options) for ops in (backend, textbook))
    assert_alike(found, expected)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy in the textbook, about NaN
@pytest.mark.parametrize("damaged", [0, 1, 2])
@pytest.mark.parametrize(("operation", "slots", "options"), STEPS)
def test_nan_stays_in_a_step(backend, operation, slots, options, damaged):
    """In the gradient or in a slot: every array has NaN where the textbook's has it."""
    results = []
    for ops in (backend, textbook):
        lists = [[ops.to_device(np.abs(numbers(40, seed=seed)) + 1)] for seed in range(2 + slots)]
        lists[min(damaged + 1, slots + 1)][0][17] = np.nan
        counted = {"step": 3} if operation in COUNTING else {}
        getattr(ops, operation)(*lists, **counted, learning_rate=0.01, weight_decay=0.01, **options)
        results.append([ops.to_host(array) for (array,) in lists])
    assert np.isnan(results[0][0][17])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))


@pytest.mark.parametrize("dtype", DTYPES)
def test_clipping(backend, dtype):
    grad, squares = numbers((7, 5), dtype), np.array(9.0, dtype)
    for operation, arguments in (("clip_by_value", (0.25,)), ("clip_by_norm", (squares, 1.5))):
        moved = [backend.to_device(one) if isinstance(one, np.ndarray) else one for one in (grad, *arguments)]
        found, expected = getattr(backend, operation)(*moved), getattr(textbook, operation)(grad, *arguments)
        assert_alike([backend.to_host(found)], [expected])


@pytest.mark.parametrize("size", [10, 50_000])
def test_adam_step_leaves_no_denormal_numbers(backend, size):
    """A dead unit gets no gradient; its moments shrink, and must become 0 below the smallest normal number."""
    value, grad, mean, variance = (backend.to_device(np.full(size, v, "float32")) for v in (1, 0, 1e-37, 1e-37))
    for step in range(1, 31):
        backend.adam_step([value], [grad], [mean], [variance], step, 0.001, 0.9, 0.999, 1e-7, 0.0)
    assert not backend.to_host(mean).any()
    assert not backend.to_host(variance).any()
    np.testing.assert_array_equal(backend.to_host(value), 1)


@pytest.mark.parametrize(
    ("operation", "slots", "options"), [step for step in STEPS if step[0] not in ("adadelta_step", "adagrad_step")]
)
def test_compiled_steps_leave_no_denormal_numbers(operation, slots, options):
    pytest.importorskip("numba")
    with use_backend("numba"):
        value, grad, *state = (np.full(1000, v, "float32") for v in (1.0, 0.0, *[1e-37] * slots))
        for step in range(1, 61):
            counted = {"step": step} if operation in COUNTING else {}
            lists = ([array] for array in (value, grad, *state))
            getattr(active(), operation)(*lists, **counted, learning_rate=0.001, weight_decay=0.0, **options)
    for slot in state:
        assert not slot.any()
    np.testing.assert_array_equal(value, 1)
