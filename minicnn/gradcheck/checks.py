"""The checks of a layer, a loss, a whole model, and a pair of functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np

from .. import arguments, losses
from ..backends import backend_name, to_host, use_backend
from ..errors import explain
from ..layers import Layer
from ..layers.base import shape_of
from ..layers.merging import Merge
from ..models import Model
from ..network import gather
from ..outputs import targets_in_order
from ..random import seeded
from ..several import each
from . import protocol
from .comparison import Comparison, drawn
from .diagnosis import Diagnosis, Investigation
from .functions import (
    Function,
    Gradients,
    LayerFunction,
    LossFunction,
    ModelFunction,
    left_as_found,
    random_numbers_left_alone,
)
from .location import describe
from .pairs import PairFunction
from .report import NO_DERIVATIVE, Finding, Report

METHODS = {"central": "differences", "complex": "complex step"}
"""How each method is called in a report."""


def check_layer(
    layer: Layer,
    x: Any,
    training: bool | None = None,
    *,
    method: str = "central",
    samples: int = 500,
    seed: int = 0,
) -> Report:
    """Compare all gradients of a layer, yours or minicnn's, with numerical gradients.

    Args:
        layer: any subclass of `minicnn.layers.Layer`, of any dtype. It computes in float64 during the check; afterwards
            it is unchanged.
        x: an input (N, …), or only its shape with the batch axis, for random normal numbers. Good shapes reveal
            most mistakes: N ≥ 2, height ≠ width, windows that overlap and that don't fit evenly. For a layer that
            joins several inputs, such as Add, a list of them.
        training: as in `layer.forward`; None checks both modes. Dropout's mask is the same in all evaluations.
        method: "central" differences, on the active backend; or the "complex" step on the textbook's operations. Where
            the forward is not analytic, differences replace the complex step.
        samples: the number of entries of each array that are compared, drawn at random; smaller arrays are compared
            whole.
        seed: for the weights of a layer that is not built yet, a random x, the random dy and the drawn entries.

    Returns:
        A report: print it, use it as a truth value, or call its `raise_if_wrong`.

    Raises ValueError or TypeError if x does not fit the layer.
    """
    if not isinstance(layer, Layer):
        raise TypeError(explain("check_layer", "a layer", repr(layer), "Layers are objects: Flatten(), not Flatten."))
    rng = _generator(seed)
    if isinstance(layer, Merge):
        x = [_input(one, rng) for one in arguments.sequence("check_layer x", x, object, "inputs")]
    else:
        x = _input(x, rng)
    with seeded(seed):
        layer.build_for(shape_of(x))
    with left_as_found([layer]):
        first = LayerFunction(layer, x, training is not False, rng)
        check = _Check(first, method, samples, rng)
        findings = list(check.findings())
        if training is None:
            findings += _inference(check, LayerFunction(layer, x, False, _generator(seed)), samples)
        return check.report(findings)


def _inference(training: _Check, function: LayerFunction, samples: int) -> list[Finding]:
    """The findings of inference, if it differs from training."""
    function.arrays, function.fixed = training.function.arrays, training.function.fixed  # type: ignore[attr-defined]
    check = _Check(function, training.method, samples, np.random.default_rng(1))
    y, gradients = protocol.run(function, training.dy)
    same = protocol.alike(y, training.y) and all(
        g is not None and training.analytic[name] is not None and protocol.alike(g, training.analytic[name])  # type: ignore[arg-type]
        for name, g in gradients.items()
    )
    return [] if same else list(check.gradient_findings(" in inference"))


def check_loss(
    loss: Any, y_true: Any, y_pred: Any, *, method: str = "central", samples: int = 500, seed: int = 0
) -> Report:
    """Compare a loss's gradient with respect to its predictions with a numerical gradient.

    `loss` is a loss or its Keras name, with suitable y_true and y_pred; the rest and the report are as in check_layer.
    """
    function = LossFunction(
        losses.get(loss), _numbers("check_loss y_true", y_true, None), _numbers("check_loss y_pred", y_pred)
    )
    check = _Check(function, method, samples, _generator(seed))
    return check.report(list(check.findings()))


def check_model(
    model: Model,
    x: Any,
    y: Any,
    training: bool = True,
    *,
    method: str = "complex",
    samples: int = 10,
    seed: int = 0,
) -> Report:
    """Compare the gradients of a compiled model's loss on the batch (x, y) with numerical gradients.

    The loss is computed as in `fit`, with softmax and cross-entropy fused. If a gradient is wrong, the layers and the
    loss are checked one by one, on the inputs that they get in the model. x is as for `fit`; the rest and the report
    are as in check_layer. Raises RuntimeError if the model is not compiled.
    """
    if not isinstance(model, Model):
        raise TypeError(
            explain("check_model", "a Sequential or a Model", repr(model), "check_layer checks a single layer.")
        )
    model.check_compiled("check_model")
    rng = _generator(seed)
    x = each(lambda one: _numbers("check_model x", one), model.as_input(x, "check_model"))
    if not model.built:
        with seeded(seed):
            model.build((None, *x.shape[1:]))
    with left_as_found(model.layers):
        names, y = targets_in_order("check_model", model.loss, y)
        y = _numbers("check_model y", y, None) if names is None else [_numbers("check_model y", one, None) for one in y]
        function = ModelFunction(model, x, y, training, rng)
        check = _Check(function, method, samples, rng)
        return check.report(list(check.findings()))


def check_operation(
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None,
    *inputs: Any,
    method: str = "central",
    samples: int = 500,
    seed: int = 0,
) -> Report:
    """Check a pair of functions, such as conv_forward(x, w, b, param) -> out, cache and conv_backward(dout, cache).

        check_operation(conv_forward, conv_backward, x, w, b, {"stride": 1, "pad": 1})

    Args:
        forward: returns y, or y and a cache.
        backward: gets dy and the cache, or dy alone; returns the gradients as a tuple, a list or a dict (dx, dw, …),
            one for each array. None if the forward returns a loss and its gradient. A loss's backward may get the
            cache alone, or, without a cache, the forward's arguments.
        inputs: the forward's arguments. Floating-point arrays are differentiated, the first holds the samples; integer
            arrays (labels), numbers, strings, dicts and None are passed on. Instead, one dict has them by name.

    The layout is yours: channels first or last. NumPy's global random generator starts each forward at the same state,
    so that a dropout draws the same mask. The rest and the report are as in check_layer.
    """
    if backward is not None and not callable(backward):
        raise TypeError(
            explain("check_operation backward", "a function", repr(backward), "Give it without calling it.")
        )
    with random_numbers_left_alone():
        check = _Check(PairFunction(forward, backward, inputs), method, samples, _generator(seed))
        return check.report(list(check.findings()))


class _Check:
    """One function, checked."""

    def __init__(self, function: Function, method: str, samples: int, rng: np.random.Generator) -> None:
        self.method = arguments.choice("gradcheck method", method, METHODS, "the name of a method")
        self.samples = arguments.whole("gradcheck samples", samples)
        self.function, self.rng, self.backend = function, rng, backend_name()
        function.clear_gradients()
        self.y = np.array(function.forward(function.arrays))
        arguments.array(function.title, "outputs of the forward", self.y, finite=True)
        y = self.y
        self.dy = rng.standard_normal(y.shape) if function.takes_dy else np.ones(y.shape)  # all ones hide mistakes
        self.analytic: Gradients = {
            name: None if g is None else np.array(g) for name, g in function.backward(self.dy.copy()).items()
        }

    def findings(self) -> Iterator[Finding]:
        """All gradients, then the rules of the protocol."""
        gradients = list(self.gradient_findings())
        yield from gradients
        for name in protocol.rules_for(self.function, all(found.ok for found in gradients)):
            with random_numbers_left_alone():
                broken = protocol.RULES[name](self.function, self.dy)
            yield _finding(name, broken)
            if broken:
                return

    def gradient_findings(self, mode: str = "") -> Iterator[Finding]:
        """One finding for each gradient."""
        backend = use_backend("numpy") if self.method == "complex" else nullcontext()
        with backend, random_numbers_left_alone():
            comparisons = {name: self._compared(name) for name in self.function.arrays}
            wrong = [name for name, compared in comparisons.items() if compared.is_wrong]
        with random_numbers_left_alone():
            diagnoses = self._diagnoses(wrong, comparisons)
        for name, compared in comparisons.items():
            yield _finding(compared.quantity + mode, diagnoses.get(name), compared)

    def _compared(self, name: str) -> Comparison:
        entries = drawn(self.rng, self.function.arrays[name].size, self.y.size, self.samples)
        compared = Comparison(self.function, name, self.method, self.y, self.dy, self.analytic[name], entries)
        if compared.is_comparable and compared.is_wrong and self._is_single(name):
            again = Comparison(self.function, name, self.method, self.y, self.dy, self.analytic[name], entries, True)
            again.derivatives = compared.derivatives
            return again
        return compared

    def _is_single(self, name: str) -> bool:
        """Whether the backward rounds this gradient to float32: a change of dy by 10⁻¹⁰ changes nothing."""
        if not self.function.takes_dy:
            g = self.analytic[name]
            assert g is not None
            return bool((g == np.float32(g)).all()) and not bool((g == np.round(g, 4)).all())
        direction = 1 + np.cos(np.arange(self.dy.size)).reshape(self.dy.shape)
        g, tiny, large = (
            protocol.run(self.function, self.dy * (1 + step * direction))[1][name] for step in (0, 1e-10, 1e-2)
        )
        assert g is not None
        assert tiny is not None
        assert large is not None
        moved = g != large
        return bool(moved.any()) and bool((g == tiny)[moved].mean() > 0.8)

    def _diagnoses(self, wrong: list[str], comparisons: dict[str, Comparison]) -> dict[str, Diagnosis]:
        if not wrong:
            return {}
        if isinstance(self.function, ModelFunction):
            return _layer_by_layer(self.function, {name: comparisons[name] for name in wrong})
        runs = protocol.repeated(self.function, self.dy)
        investigation = Investigation(self.function, self.y, self.dy, self.analytic, comparisons)
        return {name: protocol.changes(self.function, runs, name) or investigation.diagnose(name) for name in wrong}

    def report(self, findings: list[Finding]) -> Report:
        shapes = f"{next(iter(self.function.arrays.values())).shape} -> {self.y.shape}"
        title = f"{self.function.title}: {shapes}, {METHODS[self.method]}, backend {self.backend}"
        return Report(title, tuple(findings))


def _finding(quantity: str, diagnosis: Diagnosis | None, compared: Comparison | None = None) -> Finding:
    causes = diagnosis.causes if diagnosis else ()
    text = diagnosis.text if diagnosis else None
    cause = causes[0] if len(causes) == 1 else None
    if compared is None:
        return Finding(quantity, text, cause, causes)
    left_out = int((~compared.exists).sum()) if compared.is_comparable else 0
    single = compared.single or (compared.is_comparable and compared.derivatives.single)
    note = "computed in float32" if single else ""
    return Finding(
        quantity,
        text,
        cause,
        causes,
        f"{len(compared.entries) - left_out} of {compared.value.size}",
        float(compared.error),
        compared.relative_tolerance,
        left_out,
        NO_DERIVATIVE if left_out == len(compared.entries) else note,
    )


def _layer_by_layer(function: ModelFunction, wrong: dict[str, Comparison]) -> dict[str, Diagnosis]:
    """The diagnosis of a model: that of the first wrong layer from its end, on the input that it gets in the model."""
    model = function.model
    function.forward(function.arrays)
    values = [np.array(to_host(value)) for value in model.values(function.input_of(function.arrays), function.training)]
    inputs = [gather(values, sources) for sources in model.sources]
    modes = (function.training if mode is None else mode for mode in model.modes)
    calls = list(zip(model.layers, inputs, modes, strict=True))
    found = _first_wrong(function, calls, gather(values, model.output_numbers))
    if found is None:
        return {
            name: Diagnosis(f"{describe(compared)} Each layer and the loss are right on their own.")
            for name, compared in wrong.items()
        }
    where, report = found
    text = "; ".join(f"{f.quantity}: {f.diagnosis}" for f in report.findings if not f.ok)
    return {name: Diagnosis(f"the mistake is in {where}. Its {text}", report.causes) for name in wrong}


def _first_wrong(function: ModelFunction, calls: list[tuple[Layer, Any, bool]], y: Any) -> tuple[str, Report] | None:
    """The loss or the last layer that is wrong on its own, and its report; `calls` has x and training of each layer."""
    for loss, targets, predictions in function.model.loss.parts_of(function.targets, y):
        check = _Check(LossFunction(loss, targets, predictions), "central", 200, np.random.default_rng(0))
        if not (report := check.report(list(check.gradient_findings()))):
            return "the loss", report
    for layer, x, training in reversed(calls):
        with left_as_found([layer]):
            alone = LayerFunction(layer, x, training, np.random.default_rng(0))
            check = _Check(alone, "central", 200, np.random.default_rng(0))
            if not (report := check.report(list(check.gradient_findings()))):
                return str(layer), report
    return None


def _generator(seed: int) -> np.random.Generator:
    """A generator whose numbers are not those of default_rng(seed), from which a user's x may come: dy would equal
    x."""
    return np.random.default_rng([arguments.seed("gradcheck seed", seed), 20151])


def _input(x: Any, rng: np.random.Generator) -> np.ndarray:
    """An input of check_layer: numbers, or random ones of a shape."""
    if _is_shape(x):
        return rng.standard_normal(arguments.shape("check_layer x", x, unknown=False))
    return _numbers("check_layer x", x)


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
