"""Wrong and unusual arguments of operations: one test body for every operation, argument, mistake and backend.

Either an error names the operation and the argument, or the result is the textbook's on clean copies. No operation
reads or writes outside of an array: `test_guard_pages.py` makes the same calls with arrays beside pages that fault.
"""

from __future__ import annotations

import inspect
import re
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_backends import LOSSES, numbers, ordinary_calls

from minicnn.backends import active, textbook, use_backend
from minicnn.backends.contract import OPERATIONS, Backend
from minicnn.errors import BackendError

CHECKED = tuple(name for name in OPERATIONS if hasattr(getattr(Backend, name), "shapes"))


@pytest.fixture(params=["numpy", "numba"], scope="module")
def backend(request):
    try:
        with use_backend(request.param):
            yield active()
    except BackendError as missing:
        pytest.skip(str(missing))


def calls(dtype):
    """The arguments of a correct call of each operation that has no dy."""
    lists = [[np.array(numbers(shape, dtype, seed)) for shape in ((3, 5), (7,), ())] for seed in range(5)]
    lists[2:] = [[np.array(np.abs(array)) for array in arrays] for arrays in lists[2:]]  # slots: some are variances
    return ordinary_calls(dtype) | {
        "take": [numbers((5, 3, 2), dtype), np.array([3, 3, 0]), "float32"],
        "one_hot": [np.array([2, 0, 1, 1]), 3, dtype],
        "smooth_labels": [numbers((6, 4), dtype), 0.25],
        "weighted_sum": [numbers((6, 4), dtype), numbers((6, 4), dtype, 1)],
        "add_penalty": [np.array(0.5, dtype), numbers((6, 4), dtype), 0.25, 0.125],
        "add_penalty_gradient": [numbers((6, 4), dtype, 1), numbers((6, 4), dtype), 0.25, 0.125],
        "count_correct": [numbers((6, 4), dtype), np.array([2, 0, 1, 1, 3, 0])],
        "accumulate": [np.array(0.5), np.array(numbers((), dtype, 1)), 3.0],
        "sgd_step": [*lists[:3], 0.125, 0.5, True, 0.25],
        "rmsprop_step": [*lists, 0.125, 0.5, 0.75, 1.0, False, 0.25],
        "adam_step": [*lists[:4], 2, 0.125, 0.5, 0.75, 1e-7, 0.25],
        "adadelta_step": [*lists[:4], 0.125, 0.5, 1e-7, 0.25],
        "adagrad_step": [*lists[:3], 0.125, 1e-7, 0.25],
        "adamax_step": [*lists[:4], 2, 0.125, 0.5, 0.75, 1e-7, 0.25],
        "nadam_step": [*lists[:4], 2, 0.125, 0.5, 0.75, 1e-7, 0.25],
        "clip_by_value": [numbers((6, 4), dtype), 0.25],
        "clip_by_norm": [numbers((6, 4), dtype), np.array(6.25, dtype), 0.5],
    }


def right_arguments(ops, operation, dtype):
    """The arguments of a correct call, on the device; those of a backward come from its forward."""
    forward = operation.removesuffix("_backward")
    arguments = [moved(ops, argument) for argument in calls(dtype)[forward]]
    if forward == operation:
        return arguments
    y, *_, saved = getattr(ops, forward)(*arguments)
    if forward in LOSSES:
        return [saved]
    need_dx = [True] if "need_dx" in names_of(operation) else []
    return [ops.to_device(numbers(y.shape, dtype, seed=9)), saved, *need_dx]


def names_of(operation):
    return list(inspect.signature(getattr(Backend, operation)).parameters)[1:]


def moved(ops, argument):
    if isinstance(argument, list):
        return [moved(ops, one) for one in argument]
    return ops.to_device(argument) if isinstance(argument, np.ndarray) else argument


def on_host(ops, argument):
    """A clean copy on the host of an argument or a result: contiguous, aligned, writeable, of native byte order."""
    if isinstance(argument, (list, tuple)):
        return [on_host(ops, one) for one in argument]
    if not ops.owns(argument) or isinstance(argument, np.generic):
        return argument
    array = ops.to_host(argument)
    return np.array(array, array.dtype.newbyteorder("="), order="C", subok=False)


def outcome(ops, operation, arguments):
    """The results on the host, and the arrays that an optimiser step changed; or the error."""
    try:
        results = getattr(ops, operation)(*arguments)
    except (TypeError, ValueError) as error:
        return named(error, operation)
    results = list(results) if isinstance(results, tuple) else [results]
    if f"{operation}_backward" in OPERATIONS:
        results.pop()  # saved
    if operation.endswith("_step"):
        results = [argument for argument in arguments if isinstance(argument, (list, tuple))]
    return on_host(ops, results)


def named(error, operation):
    """The error, which has to name the operation and the argument."""
    assert operation in str(error)
    assert re.search(rf"\b({'|'.join(names_of(operation))})\b", str(error))
    return error


def assert_same(found, expected):
    """Both are errors, or both are the same arrays up to rounding."""
    if "in 0 …" in str(expected) and isinstance(found, list):  # the GPU does not check indices: that would synchronise
        assert all(np.isnan(array).any() or not array.all() for array in found)
        return
    if isinstance(expected, Exception) or isinstance(found, Exception):
        assert type(found) is type(expected), (found, expected)
        return
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
        return
    if expected is None:
        assert found is None
        return
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    precision = 200 * np.finfo(expected.dtype).eps if expected.dtype.kind in "fc" else 0
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=precision * scale)


# mistakes: each makes a wrong or unusual argument of an array on the device


def wider(ops, array, axis):
    host = ops.to_host(array)
    return ops.to_device(np.concatenate([host, np.take(host, [0], axis)], axis))


def misaligned(ops, array):
    host = ops.to_host(array)
    memory = np.zeros(host.nbytes + 1, np.uint8)
    moved = memory[1:].view(host.dtype).reshape(host.shape)
    moved[...] = host
    return moved


def read_only(ops, array):
    array = ops.to_host(array).copy()
    array.flags.writeable = False
    return array


SHAPES = {
    "one more": lambda ops, array: wider(ops, array, -1),
    "one sample more": lambda ops, array: wider(ops, array, 0),
    "one less": lambda ops, array: array[..., :-1],
    "a sample less": lambda ops, array: array[1:],
    "no samples": lambda ops, array: array[:0],
    "no channels": lambda ops, array: array[..., :0],
    "an axis more": lambda ops, array: array[None],
    "an axis at the end": lambda ops, array: array[..., None],
    "an axis less": lambda ops, array: array[0],
    "flat": lambda ops, array: array.reshape(-1),
    "a scalar": lambda ops, array: array.reshape(-1)[0],
}
DTYPES = {
    f"of {dtype}": lambda ops, array, dtype=dtype: ops.to_device(ops.to_host(array).astype(dtype))
    for dtype in ("float16", "float32", "float64", "int8", "int64", "uint16", "bool")
}
LAYOUTS = {
    "every second": lambda ops, array: ops.to_device(np.repeat(ops.to_host(array), 2, axis=-1))[..., ::2],
    "backward": lambda ops, array: array[..., ::-1],
    "transposed": lambda ops, array: array.T,
    "in Fortran's order": lambda ops, array: ops.to_device(ops.to_host(array).T).T,
}
NO_ARRAYS = {
    "None": lambda ops, array: None,
    "a list": lambda ops, array: ops.to_host(array).tolist(),
    "a word": lambda ops, array: "array",
    "a number": lambda ops, array: 0.5,
    "a list of arrays": lambda ops, array: [array],
}
ON_THE_HOST = {  # for a GPU, these are also in the wrong memory
    "of the host": lambda ops, array: ops.to_host(array),
    "misaligned": misaligned,
    "read-only": read_only,
    "of the other byte order": lambda ops, array: (a := ops.to_host(array)).astype(a.dtype.newbyteorder()),
    "of zero strides": lambda ops, array: np.broadcast_to(ops.to_host(array)[:1], array.shape),
    "masked": lambda ops, array: np.ma.masked_less(ops.to_host(array), 0),
    "of objects": lambda ops, array: ops.to_host(array).astype(object),
    "of strings": lambda ops, array: ops.to_host(array).astype(str),
    "of complex numbers": lambda ops, array: ops.to_host(array).astype("complex64"),
    "of dates": lambda ops, array: ops.to_host(array).astype("int64").astype("datetime64[s]"),
}
MISTAKES = SHAPES | DTYPES | LAYOUTS | NO_ARRAYS | ON_THE_HOST

WRONG_OPTIONS = (
    *(None, True, False, 0, 1, 2, -1, 0.5, 1.0, 1.5, -0.5, float("nan"), float("inf"), 1j, "same", "valid", "relu"),
    *("softmax", "gelu", "float32", "object", (1, 1), [2, 1], (0, 1), (-1, 2), (1.0, 1.0), (2, 2, 2), (10**12, 10**12)),
    *(np.float32(0.5), np.int64(2), np.ones(2), np.bool_(True), object, b"same", {}, 2**70),
)


def applied(mistake, ops, argument):
    """The mistake, if it can be made with this argument."""
    try:
        return mistake(ops, argument)
    except (IndexError, ValueError, TypeError, AttributeError):  # a scalar has no axis to remove
        return argument


@pytest.mark.parametrize("operation", CHECKED)
@given(data=st.data())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_a_wrong_argument_is_named_or_computed_as_in_the_textbook(backend, operation, data):
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    arguments = right_arguments(backend, operation, dtype)
    at = data.draw(st.integers(0, len(arguments) - 1))
    mistakes = st.sampled_from(sorted(MISTAKES))
    if backend.owns(arguments[at]):
        arguments[at] = applied(MISTAKES[data.draw(mistakes)], backend, arguments[at])
    elif isinstance(arguments[at], list) and data.draw(st.booleans()):
        number = data.draw(st.integers(0, len(arguments[at]) - 1))
        arguments[at][number] = applied(MISTAKES[data.draw(mistakes)], backend, arguments[at][number])
    elif isinstance(arguments[at], list):
        arguments[at] = data.draw(
            st.sampled_from([arguments[at][:-1], arguments[at] * 2, [], None, tuple(arguments[at])])
        )
    else:
        arguments[at] = data.draw(st.sampled_from(WRONG_OPTIONS))
    if not any(isinstance(argument, np.ma.MaskedArray) for argument in arguments):
        clean = [on_host(backend, argument) for argument in arguments]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of NumPy, about numbers
        found = outcome(backend, operation, arguments)
        if operation.endswith("_backward") or isinstance(found, Exception):
            return  # the textbook cannot read what another backend saved; see below
        assert_same(found, outcome(textbook, operation, clean))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("operation", CHECKED)
def test_correct_arguments_are_accepted(backend, operation, dtype):
    assert not isinstance(outcome(backend, operation, right_arguments(backend, operation, dtype)), Exception)


PAIRS = tuple(name for name in CHECKED if f"{name}_backward" in CHECKED)


@pytest.mark.parametrize("operation", PAIRS)
def test_a_backward_takes_only_what_its_own_forward_saved(backend, operation):
    backward = getattr(backend, f"{operation}_backward")
    dy = [] if operation in LOSSES else right_arguments(backend, f"{operation}_backward", "float32")[:1]
    other = "dropout" if operation == "activation" else "activation"
    saved, of_another = (
        getattr(backend, name)(*right_arguments(backend, name, "float32"))[-1] for name in (operation, other)
    )
    backward(*dy, saved)
    for wrong in (None, (), saved.values, tuple(saved), of_another, "saved"):
        with pytest.raises(TypeError, match=rf"{operation}_backward: expected saved of {operation}, found"):
            backward(*dy, wrong)


@pytest.mark.parametrize("backend", ["numba"], indirect=True)  # tests/gpu has the GPU here
@pytest.mark.parametrize("operation", PAIRS)
def test_a_backward_takes_only_what_its_own_backend_saved(backend, operation):
    for one, other in ((backend, textbook), (textbook, backend)):
        *_, saved = getattr(one, operation)(*right_arguments(one, operation, "float32"))
        dy = [] if operation in LOSSES else right_arguments(other, f"{operation}_backward", "float32")[:1]
        with pytest.raises(TypeError, match=rf"expected saved of {operation}, found that of .*{operation}\."):
            getattr(other, f"{operation}_backward")(*dy, saved)


@pytest.mark.parametrize("operation", [name for name in PAIRS if name not in LOSSES])
def test_what_was_saved_keeps_its_shape(backend, operation):
    """NumPy lets users set the shape of an array; the backward uses the arrays as the forward got them."""
    arguments = right_arguments(backend, operation, "float32")
    y, *_, saved = getattr(backend, operation)(*arguments)
    backward, dy = getattr(backend, f"{operation}_backward"), backend.to_device(numbers(y.shape, seed=9))
    expected = on_host(backend, backward(dy, saved))
    for argument in (*arguments, y):
        if backend.owns(argument):
            argument.shape = argument.shape[::-1]
    assert_same(on_host(backend, backward(dy, saved)), expected)


@pytest.mark.parametrize(
    ("kernel", "dilation_rate", "groups", "message"),
    [
        ((2, 2, 2, 6), (1, 1), 3, "expected channels in 3 equal groups, found C = 4, D = 2, F = 6. Choose"),
        ((2, 2, 4, 6), (1, 1), 2, "D = C / groups = 2, found C = 4, D = 4, F = 6. A filter gets the channels of its"),
        ((3, 3, 4, 6), (3, 3), 1, "expected a dilated kernel of at most 6 x 5, the size of the image, found 7 x 7"),
    ],
)
def test_groups_and_dilation_that_do_not_fit(backend, kernel, dilation_rate, groups, message):
    x, kernel = backend.to_device(numbers((3, 6, 5, 4))), backend.to_device(numbers(kernel, seed=1))
    with pytest.raises(ValueError, match=re.escape(message)):
        backend.grouped_conv2d(x, kernel, None, (1, 1), "valid", dilation_rate, groups)


@pytest.mark.parametrize("indices", [[0, 5], [-1, 0]])
def test_take_reads_nothing_outside(backend, indices):
    array, indices = numbers((5, 3)), np.array(indices)
    found = outcome(backend, "take", [backend.to_device(array), backend.to_device(indices), None])
    if isinstance(found, Exception):
        assert re.search("take: expected indices in 0 … 4, found", str(found))
    else:  # on a GPU, where a check would synchronise
        rows = [array[row] if 0 <= row < 5 else np.full(3, np.nan) for row in indices]
        np.testing.assert_array_equal(found[0], rows)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_empty_batches(backend, dtype):
    """The result is empty; if it is undefined, as a mean, an error says so."""
    for operation in PAIRS:
        arguments = right_arguments(backend, operation, dtype)
        batch = 2 if operation in ("merge", "concatenate") or "target" in names_of(operation) else 1
        arguments[:batch] = [argument[:0] for argument in arguments[:batch]]
        if operation in LOSSES or operation == "batch_norm":
            with pytest.raises(ValueError, match=f"{operation}: expected at least one sample"):
                getattr(backend, operation)(*arguments)
            continue
        y, *_, saved = getattr(backend, operation)(*arguments)
        dx = getattr(backend, f"{operation}_backward")(backend.to_device(np.zeros(y.shape, dtype)), saved)
        assert len(y) == 0
        assert (dx[0] if isinstance(dx, tuple) else dx).shape == arguments[0].shape


@pytest.mark.parametrize("operation", ["activation", "batch_norm", "dense", "dropout", "general_relu"])
def test_a_sample_without_the_axis_of_samples(backend, operation):
    """The contract's "..." stands for any number of axes, also for none."""
    x, *others = right_arguments(backend, operation, "float32")
    x = x.reshape(-1, x.shape[-1])[:1]
    if operation == "batch_norm":
        others[names_of(operation).index("training") - 1] = False  # one sample is its own mean
    expected = getattr(backend, operation)(x, *others)[:-1]
    found = getattr(backend, operation)(x[0], *others)[:-1]
    for one, other in zip(on_host(backend, tuple(found)), on_host(backend, tuple(expected)), strict=True):
        np.testing.assert_allclose(one, np.reshape(other, np.shape(one)), rtol=1e-5, atol=1e-6)


# whole networks


def network(dtype):
    """Steps of a small network, and its weights."""
    arrays = [
        [numbers((3, 2, 3, 5), dtype, 1), numbers(5, dtype, 2)],
        [np.abs(numbers(5, dtype, seed)) + 1 for seed in range(4)],
        [numbers((60, 4), dtype, 3), None],
    ]
    conv, norm, dense = map(tuple, arrays)
    steps = [
        ("conv2d", conv, ((1, 1), "same", "relu")),
        ("max_pool2d", (), ((2, 2), (2, 2), "valid")),
        ("batch_norm", norm, (0.9, 1e-3, False, "linear")),
        ("flatten", (), ()),
        ("dense", dense, ("softmax",)),
    ]
    return steps, [array for one in arrays for array in one]


def test_a_network_is_computed_by_the_textbook_s_steps(backend):
    for dtype in ("float32", "float64"):
        steps, weights = network(dtype)
        x = numbers((3, 8, 6, 3), dtype)
        found = backend.compile_inference(steps)(backend.to_device(x), moved(backend, weights))
        assert_same(on_host(backend, found), textbook.compile_inference(steps)(x, weights))


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_network_s_wrong_batch_or_weight_is_named_or_computed_as_in_the_textbook(backend, data):
    steps, weights = network("float32")
    arrays = [numbers((3, 8, 6, 3)), *weights]
    run, reference = backend.compile_inference(steps), textbook.compile_inference(steps)
    run(backend.to_device(arrays[0]), moved(backend, weights))  # checks that it caches must not accept the next arrays
    arrays = moved(backend, arrays)
    at = data.draw(st.integers(0, len(arrays) - 2))
    arrays[at] = applied(MISTAKES[data.draw(st.sampled_from(sorted(MISTAKES)))], backend, arrays[at])
    try:
        found = run(arrays[0], arrays[1:])
    except (TypeError, ValueError) as error:
        message = str(error)
    else:
        clean = [on_host(backend, array) for array in arrays]
        assert_same(on_host(backend, found), reference(clean[0], clean[1:]))
        return
    steps_and_arguments = "conv2d|max_pool2d|batch_norm|dense|compile_inference"
    assert re.match(rf"({steps_and_arguments}): expected .*\b(x|kernel|bias|gamma|beta|moving_\w+)\b", message)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (("conv3d", (), ()), r"steps\[0\]: expected an operation on x, found 'conv3d'. Did you mean 'conv2d'"),
        (("softmax_crossentropy", (), ()), r"steps\[0\]: expected an operation on x"),
        (
            ("conv2d", (None, None), ((1, 1), "same")),
            r"steps\[0\]: expected conv2d\(x.*, found 2 weights and 2 options",
        ),
        (("dense", (None, None), ("relux",)), r"dense activation: expected one of .*'relux'"),
        (("max_pool2d", (), ((0, 2), (1, 1), "same")), r"max_pool2d pool_size: expected an integer of at least 1"),
        (
            ("batch_norm", (None,) * 4, (0.9, 1e-3, True, "linear")),
            r"steps\[0\]: expected batch_norm with training=False",
        ),
    ],
)
def test_wrong_steps_are_refused_when_they_are_compiled(backend, step, message):
    with pytest.raises(ValueError, match=message):
        backend.compile_inference([step])


def test_a_network_s_weight_whose_shape_was_set(backend):
    """NumPy lets users set the shape of an array; its address does not change."""
    x, kernel = backend.to_device(numbers((3, 8, 6, 2))), backend.to_device(numbers((3, 3, 2, 4)))
    run = backend.compile_inference([("conv2d", (None, None), ((1, 1), "same", "relu"))])
    run(x, [kernel, None])
    kernel.shape = (1, 9, 2, 4)
    expected, *_ = backend.conv2d(x, kernel, None, (1, 1), "same", "relu")
    np.testing.assert_allclose(backend.to_host(run(x, [kernel, None])), backend.to_host(expected), rtol=1e-4, atol=1e-4)


def test_a_network_needs_all_its_weights_and_a_batch(backend):
    steps, weights = network("float32")
    run, x = backend.compile_inference(steps), backend.to_device(numbers((3, 8, 6, 3)))
    weights = moved(backend, weights)
    for wrong in (weights[:-1], weights + [None], []):
        with pytest.raises(ValueError, match=f"compile_inference: expected 8 weights, found {len(wrong)} arrays"):
            run(x, wrong)
    with pytest.raises(ValueError, match="compile_inference: expected x of at least one sample"):
        run(x[:0], weights)
    with pytest.raises(TypeError, match="compile_inference: expected kernel as an array, found a NoneType"):
        run(x, [None, *weights[1:]])
