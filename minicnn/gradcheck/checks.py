"""The checks of a layer, a loss, a whole model, and a pair of functions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np

from .. import arguments, losses
from ..backends import backend_name, to_host, use_backend
from ..errors import explain
from ..layers import Layer
from ..models import Sequential
from . import numerical, protocol
from .causes import diagnose
from .comparison import Comparison
from .functions import Function, LayerFunction, LossFunction, ModelFunction, OperationFunction, left_as_found
from .numerical import METHODS, Method
from .report import Finding, Report


def check_layer(
    layer: Layer, x: Any, training: bool = True, *, method: str = "central", samples: int = 500, seed: int = 0
) -> Report:
    """Compare all gradients of a layer, yours or minicnn's, with numerical gradients.

    Args:
        layer: any subclass of `minicnn.layers.Layer`, of any dtype. It computes in float64 during the check; afterwards
            it is unchanged.
        x: an input (N, …), or only its shape with the batch axis, for random normal numbers. Good shapes reveal
            most mistakes: N ≥ 2, height ≠ width, windows that overlap and that don't fit evenly.
        training: as in `layer.forward`; dropout's mask is the same in all evaluations.
        method: "central" differences, on the active backend; or the "complex" step, which is exact near kinks, too,
            and always uses the textbook's operations.
        samples: the number of entries of each array that are compared, drawn at random; smaller arrays are compared
            whole.
        seed: for the random x, the random dy and the drawn entries.

    Returns:
        A report: print it, use it as a truth value, or call its `raise_if_wrong`.

    Raises ValueError or TypeError if x does not fit the layer.
    """
    if not isinstance(layer, Layer):
        raise TypeError(explain("check_layer", "a layer", repr(layer), "Layers are objects: Flatten(), not Flatten."))
    rng = _generator(seed)
    if _is_shape(x):
        x = rng.standard_normal(arguments.shape("check_layer x", x, unknown=False))
    else:
        x = _numbers("check_layer x", x)
    layer.check_rank(x.shape)
    layer.ensure_built(x.shape)
    with left_as_found([layer]):
        return _check(LayerFunction(layer, x, training, rng), method, samples, rng)


def check_loss(
    loss: Any, y_true: Any, y_pred: Any, *, method: str = "central", samples: int = 500, seed: int = 0
) -> Report:
    """Compare a loss's gradient with respect to its predictions with a numerical gradient.

    `loss` is a loss or its Keras name, with suitable y_true and y_pred; the rest and the report are as in check_layer.
    """
    function = LossFunction(
        losses.get(loss), _numbers("check_loss y_true", y_true, None), _numbers("check_loss y_pred", y_pred)
    )
    return _check(function, method, samples, _generator(seed))


def check_model(
    model: Sequential,
    x: Any,
    y: Any,
    training: bool = True,
    *,
    method: str = "complex",
    samples: int = 10,
    seed: int = 0,
) -> Report:
    """Compare the gradients of a compiled model's loss on the batch (x, y) with numerical gradients.

    The loss is computed as in `fit`, with softmax and cross-entropy fused. In a whole model, some ReLU or pooling is
    always near a kink, so the complex step is the default; with method="central", errors of about 10⁻⁵ are normal.
    The rest and the report are as in check_layer. Raises RuntimeError if the model is not compiled.
    """
    if not isinstance(model, Sequential):
        raise TypeError(explain("check_model", "a Sequential", repr(model), "check_layer checks a single layer."))
    model.check_compiled("check_model")
    rng = _generator(seed)
    x = _numbers("check_model x", x)
    if not model.built:
        model.build((None, *x.shape[1:]))
    with left_as_found(model.layers):
        return _check(ModelFunction(model, x, _numbers("check_model y", y, None), training, rng), method, samples, rng)


def check_operation(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    arrays: Mapping[str, Any],
    *,
    method: str = "central",
    samples: int = 500,
    seed: int = 0,
) -> Report:
    """Check a pair of functions: forward(**arrays) -> y, saved and backward(dy, saved) -> a gradient for each array.

    `arrays` has the forward's arguments that have gradients, in the order in which the backward returns these; the
    first holds the samples. Fix other arguments with `functools.partial` or a lambda:

        check_operation(partial(dense, bias=None, activation="tanh"), my_backward, {"x": x, "kernel": kernel})

    The rest and the report are as in check_layer.
    """
    arguments.function("check_operation backward", backward, "dy", "saved")
    if not isinstance(arrays, Mapping) or not arrays:
        raise TypeError(explain("check_operation arrays", "a dict of arrays", repr(arrays), 'Example: {"x": x}.'))
    checked = {
        arguments.text("check_operation arrays", name): _numbers(f"check_operation {name}", array)
        for name, array in arrays.items()
    }
    return _check(OperationFunction(forward, backward, checked), method, samples, _generator(seed))


def _check(function: Function, method_name: str, samples: int, rng: np.random.Generator) -> Report:
    method = numerical.get(method_name)
    arguments.whole("gradcheck samples", samples)
    backend = backend_name()
    y = function.forward(function.arrays).copy()
    arguments.array(function.title, "outputs of the forward", y, finite=True)
    dy = rng.standard_normal(y.shape) if function.takes_dy else np.ones(y.shape)  # all ones would hide mistakes
    analytic = {
        name: None if gradient is None else gradient.copy() for name, gradient in function.backward(dy.copy()).items()
    }
    findings = []
    for argument, value in function.arrays.items():
        entries = np.sort(rng.permutation(value.size)[:samples])
        compared = Comparison(function, argument, method, y, dy, analytic[argument], entries, _differentiate)
        findings.append(_finding(compared))
    findings += _protocol_findings(function, dy)
    shapes = f"{next(iter(function.arrays.values())).shape} -> {y.shape}"
    return Report(f"{function.title}: {shapes}, {method.name}, backend {backend}", tuple(findings))


def _finding(compared: Comparison) -> Finding:
    return Finding(
        compared.quantity,
        diagnose(compared) if compared.is_wrong else None,
        f"{len(compared.entries)} of {compared.value.size}",
        compared.error,
        compared.method.tolerance,
    )


def _protocol_findings(function: Function, dy: np.ndarray) -> Iterator[Finding]:
    for name in protocol.rules_for(function):
        diagnosis = protocol.RULES[name](function, dy)
        yield Finding(name, diagnosis)
        if diagnosis:
            return


def _differentiate(function: Function, argument: str, entries: np.ndarray, method: Method) -> np.ndarray:
    """∂y/∂a for each entry a of one array, (entries, *y's shape)."""
    complex_step = method is METHODS["complex"]

    def forward(array: np.ndarray) -> np.ndarray:
        y = function.forward({**function.arrays, argument: array}).copy()
        if complex_step and not np.iscomplexobj(y):
            raise _not_for_complex_numbers(function, f"a real y, {y.dtype}")
        return y

    with use_backend("numpy") if complex_step else nullcontext(), warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            columns = [method.differentiate(forward, function.arrays[argument], int(entry)) for entry in entries]
        except np.exceptions.ComplexWarning as warning:
            raise _not_for_complex_numbers(function, f"a warning ({warning})") from None
    return np.stack(columns)


def _not_for_complex_numbers(function: Function, found: str) -> TypeError:
    return TypeError(
        explain(
            function.title,
            "a forward that accepts complex numbers, for the complex step",
            found,
            'Keep the dtype of x throughout the forward, or use method="central".',
        )
    )


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(arguments.seed("gradcheck seed", seed))


def _is_shape(x: Any) -> bool:
    return isinstance(x, (tuple, list)) and bool(x) and all(isinstance(length, int) for length in x)


def _numbers(where: str, array: Any, dtype: Any = np.float64) -> np.ndarray:
    """A copy of the array in `dtype`; raises ValueError or TypeError unless it holds finite real numbers."""
    numbers = to_host(arguments.array(where, "numbers", array, finite=True))
    if numbers.ndim == 0 or numbers.size == 0:
        raise ValueError(
            explain(where, "at least one number", f"shape {numbers.shape}", "Give it a batch of 2 or more.")
        )
    return np.array(numbers, dtype)
