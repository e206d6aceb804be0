"""The check of `compile_inference` and of the functions that it returns, like that of the operations.

The steps are checked when they are compiled. Batch and weights are checked once for every combination of shapes and
dtypes, against the declarations of the steps' operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

from ..errors import did_you_mean, explain
from .checks import REMEMBERED, Arguments
from .contract import OPERATIONS, WITH_ACTIVATION, Array, Backend, Run, Step
from .transfer import check_memory

STEPS = tuple(name for name in OPERATIONS if {"x", "y"} <= getattr(getattr(Backend, name), "shapes", {}).keys())
"""The operations with an input x and an output y."""


class Like(NamedTuple):
    """Shape and dtype of an array that is not computed yet."""

    shape: tuple[int, ...]
    dtype: Any


def check_steps(steps: Sequence[Step], arguments: dict[str, Arguments]) -> list[Step]:
    """The steps with their options converted for kernels. Raises TypeError or ValueError, naming the step."""
    checked = []
    for number, (name, weights, options) in enumerate(steps):
        where = f"compile_inference, steps[{number}]"
        if name != "flatten":
            if name not in STEPS:
                raise ValueError(explain(where, "an operation on x", repr(name), did_you_mean(name, STEPS)))
            known = arguments[name]
            if len(known.arrays) != 1 + len(weights) or len(known.names) != 1 + len(weights) + len(options):
                found = f"{len(weights)} weights and {len(options)} options"
                raise ValueError(explain(where, f"{name}{known.signature}", found, "Give all arguments except x."))
            values = [None, *weights, *options]
            known.check_options(values)
            options = tuple(values[1 + len(weights) :])
            if dict(zip(known.names, values, strict=True)).get("training"):
                raise ValueError(
                    explain(
                        where,
                        f"{name} with training=False",
                        "training=True",
                        "A network is compiled for inference only.",
                    )
                )
        checked.append((name, tuple(weights), options))
    return checked


def merged(steps: Sequence[Step]) -> list[Step]:
    """The steps, where an activation that follows an operation that could apply it has become a part of that one."""
    result: list[Step] = []
    for name, weights, options in steps:
        last = result[-1] if result else ("", (), ())
        if name == "activation" and last[0] in WITH_ACTIVATION and last[2][-1] == "linear":
            result[-1] = last[0], last[1], (*last[2][:-1], *options)
        else:
            result.append((name, weights, options))
    return result


def checked(compile_inference: Callable[[Sequence[Step]], Run], arguments: dict[str, Arguments], backend: Any) -> Any:
    """A backend's compile_inference that checks the steps and the arguments of the functions that it returns."""

    def operation(steps: Sequence[Step]) -> Run:
        steps = merged(check_steps(steps, arguments))
        run = compile_inference(steps)
        kind = arguments["conv2d"].kind
        declared = [array for name, own, _ in steps if own for _, array in arguments[name].arrays[1:]]
        known: set[Any] = set()  # checked combinations of shapes and dtypes

        def run_checked(x: Array, weights: Sequence[Array | None]) -> Array:
            arrays = [_array("x", x, False, kind, backend)]
            if len(weights) != len(declared):
                found = f"{len(weights)} arrays"
                raise ValueError(
                    explain("compile_inference", f"{len(declared)} weights", found, "Give the weights of all steps.")
                )
            for one, weight in zip(declared, weights, strict=True):
                arrays.append(_array(one.argument, weight, one.optional, kind, backend))
            key = tuple([None if array is None else (array.shape, array.dtype) for array in arrays])
            if key not in known:
                check_network(steps, arguments, arrays[0], arrays[1:])
                if len(known) == REMEMBERED:
                    known.clear()
                known.add(key)
            return run(arrays[0], arrays[1:])

        return run_checked

    return operation


def _array(argument: str, array: Any, optional: bool, kind: type, backend: Any) -> Array | None:
    """The array as kernels read it; `kind` is the type of the backend's arrays."""
    if array is None and optional:
        return None
    if type(array) is not kind:
        check_memory("compile_inference", argument, array, ops=backend)
    return backend.contiguous(array)


def check_network(steps: Sequence[Step], arguments: dict[str, Arguments], x: Array, weights: Sequence[Any]) -> None:
    """Raise the error that the operations would raise for x (N, …) and these weights, without computing anything."""
    shape, rest = x.shape, iter(weights)
    if not x.ndim or not x.shape[0]:
        raise ValueError(
            explain("compile_inference", "x of at least one sample", f"shape {shape}", "Leave out empty batches.")
        )
    for name, own, options in steps:
        if name == "flatten":
            shape = (shape[0], prod(shape[1:]))
            continue
        arrays: list[Any] = [next(rest) for _ in own]
        sequence = name.endswith("2d") and len(shape) == 3  # (N, L, C) is an image of height 1
        if sequence:
            shape = (shape[0], 1, *shape[1:])
            arrays = [Like((1, *a.shape), a.dtype) if a is not None and a.ndim == 3 else a for a in arrays]
        declared = arguments[name]
        _, lengths = declared.check_shapes([Like(shape, x.dtype), *arrays, *options])
        assert declared.y is not None
        shape = declared.y.shape(lengths)
        shape = (shape[0], *shape[2:]) if sequence else shape
