"""One small, ordinary input for every operation of the contract.

The numbers are multiples of 1/8, so sums of products are exact in any order. So ReLU's kink and max pooling's ties give
the same result in every backend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backends.contract import Array, Backend
from ..layers import Parameter

Call = Callable[[], Any]
"""An operation with its arguments: it can be repeated and returns all results."""

LOSSES = ("softmax_crossentropy", "crossentropy", "mean_squared_error")  # their backward takes no dy


def prepare(operation: str, ops: Any, dtype: str) -> Call:
    """The operation with the arguments of its case; for a backward, the forward has already run.

    Raises KeyError if there is no case for it, and the errors of the backend.
    """
    name = operation.removesuffix("_backward")
    if name not in PAIRS:
        return SINGLE[operation](ops, dtype)
    arguments = [_moved(ops, argument) for argument in PAIRS[name](dtype)]
    forward = getattr(ops, name)
    if operation == name:
        return lambda: forward(*arguments)[:-1]  # `saved` differs between backends
    y, *_, saved = forward(*arguments)
    dy = [] if name in LOSSES else [ops.to_device(_eighths(y.shape, dtype, seed=9))]
    backward = getattr(ops, operation)
    return lambda: backward(*dy, saved)


def operations_with_a_case() -> set[str]:
    return {*PAIRS, *(f"{name}_backward" for name in PAIRS), *SINGLE}


def _eighths(shape: Any, dtype: str, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).integers(-16, 17, shape) / 8).astype(dtype)


def _moved(ops: Backend, argument: Any) -> Any:
    return ops.to_device(argument) if isinstance(argument, np.ndarray) else argument


# pairs of a forward and its backward: the forward's arguments


def _conv2d(dtype: str) -> list[Any]:
    bias = _eighths(8, dtype, 2) + np.array(1 / 128, dtype)  # products are multiples of 1/64: none is at relu's kink
    return [_eighths((4, 10, 9, 4), dtype), _eighths((3, 3, 4, 8), dtype, 1), bias, (1, 1), "same", "relu"]


def _grouped_conv2d(dtype: str) -> list[Any]:
    return [_image(dtype), _eighths((3, 3, 2, 8), dtype, 1), _eighths(8, dtype, 2), (1, 1), "same", (1, 1), 2]


def _dense(dtype: str) -> list[Any]:
    return [_eighths((16, 20), dtype), _eighths((20, 10), dtype, 1), _eighths(10, dtype, 2), "relu"]


def _image(dtype: str) -> np.ndarray:
    return _eighths((4, 10, 9, 4), dtype)


def _batch_norm(dtype: str) -> list[Any]:
    return [_image(dtype), *(np.abs(_eighths(4, dtype, seed)) + 1 for seed in range(4)), 0.9, 1e-3, True, "relu"]


def _scores(dtype: str) -> np.ndarray:
    return _eighths((16, 10), dtype, 1)


def _target(dtype: str) -> np.ndarray:
    return np.eye(10, dtype=dtype)[_labels()]


def _labels() -> np.ndarray:
    return np.arange(16) * 7 % 10


PAIRS: dict[str, Callable[[str], list[Any]]] = {
    "conv2d": _conv2d,
    "dense": _dense,
    "max_pool2d": lambda dtype: [_image(dtype), (2, 2), (2, 2), "valid"],
    "average_pool2d": lambda dtype: [_image(dtype), (2, 2), (2, 2), "valid"],
    "batch_norm": _batch_norm,
    "dropout": lambda dtype: [_image(dtype), 0.25, 2**40 + 5, 3],
    "random_flip": lambda dtype: [_image(dtype), True, False, 2**40 + 5, 3],
    "random_translation": lambda dtype: [
        *(_image(dtype), (-0.25, 0.25), (-0.25, 0.25), "reflect", "bilinear", 0.0, 2**40 + 5, 3)
    ],
    "random_erasing": lambda dtype: [_image(dtype), (0.0, 1.0), (0.125, 0.5), 0.5, (0.0, 1.0), 2**40 + 5, 3],
    "activation": lambda dtype: [_scores(dtype), "softmax"],
    "general_relu": lambda dtype: [_image(dtype), 0.25, 1.5, 0.5],
    "curve": lambda dtype: [_image(dtype), "silu", 0.0],
    "grouped_conv2d": _grouped_conv2d,
    "pad2d": lambda dtype: [_image(dtype), (1, 2), (-1, 0)],
    "upsample2d": lambda dtype: [_image(dtype), (2, 2), "bilinear"],
    "group_norm": lambda dtype: [_image(dtype), _eighths(4, dtype, 1), _eighths(4, dtype, 2), 2, 1e-3],
    "shared_dropout": lambda dtype: [_image(dtype), 0.25, (1, 2), 2**40 + 5, 3],
    "gaussian_noise": lambda dtype: [_image(dtype), 0.5, 2**40 + 5, 3],
    "merge": lambda dtype: [_image(dtype), _eighths((4, 10, 9, 4), dtype, 1), "maximum"],
    "concatenate": lambda dtype: [_image(dtype), _eighths((4, 10, 9, 3), dtype, 1)],
    "softmax_crossentropy": lambda dtype: [_scores(dtype), _target(dtype)],
    "crossentropy": lambda dtype: [np.abs(_scores(dtype)) + 0.125, _target(dtype)],
    "mean_squared_error": lambda dtype: [_scores(dtype), _target(dtype)],
    "squared_errors": lambda dtype: [_scores(dtype), _target(dtype)],
    "absolute_errors": lambda dtype: [_scores(dtype), _target(dtype)],
    "huber_errors": lambda dtype: [_scores(dtype), _target(dtype), 0.5],
    "softmax_crossentropies": lambda dtype: [_scores(dtype), _target(dtype)],
    "crossentropies": lambda dtype: [np.abs(_scores(dtype)) + 0.125, _target(dtype)],
    "sigmoid_crossentropies": lambda dtype: [_scores(dtype), _target(dtype)],
    "binary_crossentropies": lambda dtype: [np.abs(_scores(dtype)) / 8 + 0.125, _target(dtype)],
}


# operations without a backward


def _to_device(ops: Backend, dtype: str) -> Call:
    image = _image("float32")
    return lambda: ops.to_device(image, dtype)


def _to_host(ops: Backend, dtype: str) -> Call:
    image = ops.to_device(_image(dtype))
    return lambda: ops.to_host(image)


def _owns(ops: Backend, dtype: str) -> Call:
    image = ops.to_device(_image(dtype))
    return lambda: (ops.owns(image), ops.owns("no array"))


def _contiguous(ops: Backend, dtype: str) -> Call:
    image = ops.to_device(_image(dtype)).swapaxes(1, 2)
    return lambda: ops.contiguous(image)


def _take(ops: Backend, dtype: str) -> Call:
    scores, rows = ops.to_device(_scores("float32")), ops.to_device(np.array([3, 3, 0, 15]))
    return lambda: ops.take(scores, rows, dtype)


def _read_if_ready(ops: Backend, dtype: str) -> Call:
    number = 0.625
    scalar = ops.to_device(np.array(number, dtype))
    # None is correct, too: the device has not finished.
    return lambda: number if (seen := ops.read_if_ready(scalar)) is None else seen


def _compile_inference(ops: Backend, dtype: str) -> Call:
    arrays = [
        _conv2d(dtype)[1:3],
        [np.abs(_eighths(8, dtype, seed)) + 1 for seed in range(4)],
        [_eighths((160, 10), dtype)],
    ]
    conv, norm, dense = ([Parameter("", ops.to_device(array)) for array in some] for some in arrays)
    run = ops.compile_inference(
        [
            ("conv2d", tuple(conv), ((1, 1), "same", "relu")),
            ("max_pool2d", (), ((2, 2), (2, 2), "valid")),
            ("batch_norm", tuple(norm), (0.9, 1e-3, False, "linear")),
            ("flatten", (), ()),
            ("dense", (*dense, None), ("softmax",)),
        ]
    )
    image = ops.to_device(_image(dtype))
    weights = [parameter.value for parameter in (*conv, *norm, *dense)]
    return lambda: run(image, [*weights, None])


def _one_hot(ops: Backend, dtype: str) -> Call:
    labels = ops.to_device(_labels())
    return lambda: ops.one_hot(labels, 10, dtype)


def _smooth_labels(ops: Backend, dtype: str) -> Call:
    target = ops.to_device(_target(dtype))
    return lambda: ops.smooth_labels(target, 0.125)


def _weighted_sum(ops: Backend, dtype: str) -> Call:
    losses, weights = ops.to_device(_eighths(16, dtype)), ops.to_device(_eighths(16, dtype, 1))
    return lambda: ops.weighted_sum(losses, weights)


def _add_penalty(ops: Backend, dtype: str) -> Call:
    loss, value = ops.to_device(np.array(0.5, dtype)), ops.to_device(_scores(dtype))
    return lambda: ops.add_penalty(loss, value, 0.25, 0.125)


def _add_penalty_gradient(ops: Backend, dtype: str) -> Call:
    grad, value = ops.to_device(_eighths((16, 10), dtype, 2)), ops.to_device(_scores(dtype))
    return lambda: ops.add_penalty_gradient(grad, value, 0.25, 0.125)


def _count_correct(ops: Backend, dtype: str) -> Call:
    labels = _scores(dtype).argmax(axis=1)
    labels[::3] = (labels[::3] + 1) % 10  # some right, some wrong
    scores, labels = ops.to_device(_scores(dtype)), ops.to_device(labels)
    return lambda: ops.count_correct(scores, labels)


def _accumulate(ops: Backend, dtype: str) -> Call:
    value = ops.to_device(np.array(0.625, dtype))
    total = ops.accumulate(0.0, value, 4)
    return lambda: ops.accumulate(total, value, 3)


def _slots(ops: Backend, dtype: str, count: int) -> list[list[Array]]:
    """Values, gradients and `count` slots of two parameters; the slots are not negative, as Adam's variances."""
    shapes = ((20, 10), (10,))
    lists = [[_eighths(shape, dtype, seed) for shape in shapes] for seed in range(2 + count)]
    return [[ops.to_device(np.abs(array) if seed > 1 else array) for array in a] for seed, a in enumerate(lists)]


def _sgd_step(ops: Backend, dtype: str) -> Call:
    values, grads, velocities = _slots(ops, dtype, 1)

    def step() -> Any:
        ops.sgd_step(values, grads, velocities, 0.125, 0.875, True, 0.01)
        return values, velocities

    return step


def _rmsprop_step(ops: Backend, dtype: str) -> Call:
    values, grads, velocities, momentums, means = _slots(ops, dtype, 3)

    def step() -> Any:
        ops.rmsprop_step(values, grads, velocities, momentums, means, 0.125, 0.875, 0.5, 1.0, False, 0.01)
        return values, velocities, momentums, means

    return step


def _adadelta_step(ops: Backend, dtype: str) -> Call:
    values, grads, squares, deltas = _slots(ops, dtype, 2)

    def step() -> Any:
        ops.adadelta_step(values, grads, squares, deltas, 0.125, 0.875, 1e-3, 0.01)
        return values, squares, deltas

    return step


def _adagrad_step(ops: Backend, dtype: str) -> Call:
    values, grads, squares = _slots(ops, dtype, 1)

    def step() -> Any:
        ops.adagrad_step(values, grads, squares, 0.125, 1e-3, 0.01)
        return values, squares

    return step


def _with_two_moments(operation: str) -> Callable[[Backend, str], Call]:
    """Adam and the steps with the same arguments."""

    def case(ops: Backend, dtype: str) -> Call:
        values, grads, *slots = _slots(ops, dtype, 2)

        def step() -> Any:
            getattr(ops, operation)(values, grads, *slots, 2, 0.125, 0.9, 0.999, 1e-7, 0.01)
            return values, *slots

        return step

    return case


def _clip_by_value(ops: Backend, dtype: str) -> Call:
    grad = ops.to_device(_scores(dtype))
    return lambda: ops.clip_by_value(grad, 0.25)


def _clip_by_norm(ops: Backend, dtype: str) -> Call:
    grad, squares = ops.to_device(_scores(dtype)), ops.to_device(np.array(6.25, dtype))
    return lambda: ops.clip_by_norm(grad, squares, 0.5)


SINGLE: dict[str, Callable[[Backend, str], Call]] = {
    "to_device": _to_device,
    "to_host": _to_host,
    "owns": _owns,
    "contiguous": _contiguous,
    "take": _take,
    "read_if_ready": _read_if_ready,
    "compile_inference": _compile_inference,
    "one_hot": _one_hot,
    "smooth_labels": _smooth_labels,
    "weighted_sum": _weighted_sum,
    "add_penalty": _add_penalty,
    "add_penalty_gradient": _add_penalty_gradient,
    "count_correct": _count_correct,
    "accumulate": _accumulate,
    "clip_by_value": _clip_by_value,
    "clip_by_norm": _clip_by_norm,
    "sgd_step": _sgd_step,
    "rmsprop_step": _rmsprop_step,
    "adam_step": _with_two_moments("adam_step"),
    "adadelta_step": _adadelta_step,
    "adagrad_step": _adagrad_step,
    "adamax_step": _with_two_moments("adamax_step"),
    "nadam_step": _with_two_moments("nadam_step"),
}
