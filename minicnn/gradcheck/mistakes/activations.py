"""Mistakes in the derivative of an activation, as a function of its own or at the end of a layer."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..known.activations import Elementwise
from ..known.base import ACTIVATIONS, Operation
from ..known.convolution import Convolution
from ..known.dense import Dense
from ..known.normalization import Normalization
from .catalogue import Array, mistake

FORMULA = "dx = dy · f′(x): dy for each entry, times the derivative at the forward's input"
of_function = partial(mistake, of=[Elementwise], gradient="x", formula=FORMULA)


@of_function(experiment="Start with dx = dy * …: a backward returns a product.")
def dy_forgotten(op: Elementwise, dy: Array) -> Array:
    """It is the derivative f′(x) alone: it is not multiplied by dy."""
    return op.slope


@of_function(experiment="Keep x in the cache, or write the derivative as a function of y.")
def derivative_at_output(op: Elementwise, dy: Array) -> Array:
    """The derivative is taken at the output y, where it has to be taken at the input x."""
    return dy * op.f_slope(op.y)


@of_function(experiment="Keep y in the cache: this formula is in terms of the output.")
def formula_of_output_at_input(op: Elementwise, dy: Array) -> Array:
    """The formula in terms of y (y · (1 − y) or 1 − y²) is used with x."""
    formulas = {"sigmoid": lambda v: v * (1 - v), "tanh": lambda v: 1 - v * v, "exp": lambda v: v}
    return dy * _of(formulas, op)(op.x)


@of_function(experiment="Put dy where the derivative's argument is x.")
def derivative_at_dy(op: Elementwise, dy: Array) -> Array:
    """The derivative is taken at dy, where it has to be taken at x."""
    return dy * op.f_slope(dy)


@of_function(experiment="Multiply by f′(x), not by f(x).")
def function_for_derivative(op: Elementwise, dy: Array) -> Array:
    """dy is multiplied by the function f(x) instead of its derivative."""
    return dy * op.y


@of_function(experiment="Multiply by f′(x), not by x.")
def input_for_derivative(op: Elementwise, dy: Array) -> Array:
    """dy is multiplied by x instead of the derivative."""
    return dy * op.x


@of_function(experiment="The chain rule multiplies: dy · f′(x).")
def added_not_multiplied(op: Elementwise, dy: Array) -> Array:
    """The derivative is added to dy, not multiplied with it."""
    return dy + op.slope


@of_function(experiment="The chain rule multiplies: dy · f′(x).")
def divided_by_derivative(op: Elementwise, dy: Array) -> Array:
    """dy is divided by the derivative, not multiplied with it."""
    with np.errstate(all="ignore"):
        return dy / op.slope


@of_function(experiment="Apply the derivative once: here, or in the layer before.")
def derivative_twice(op: Elementwise, dy: Array) -> Array:
    """The derivative is multiplied in twice."""
    if np.isin(op.slope, (0, 1)).all():
        raise ValueError("nothing changes")
    return dy * op.slope**2


@of_function(experiment="Use dy * (x > 0).")
def inverted_mask(op: Elementwise, dy: Array) -> Array:
    """The mask is inverted: dy passes where the function is flat, and only there."""
    return dy * (op.slope == 0)


@of_function(experiment="Use dy * (x > 0): the condition is on x.")
def masked_by_dy_alone(op: Elementwise, dy: Array) -> Array:
    """The mask is of dy (dy > 0), not of x (x > 0)."""
    return dy * (dy > 0)


@of_function(experiment="Use dy * (x > 0): the condition is on x.")
def masked_by_dy_too(op: Elementwise, dy: Array) -> Array:
    """The mask is of dy and of x: dy is also set to zero where dy is negative."""
    return dy * op.slope * (dy > 0)


@of_function(experiment="Compare with the forward's threshold, 0.", variants=(-1.0, -0.5, 0.1, 0.5, 1.0, 2.0, 6.0))
def another_threshold(op: Elementwise, dy: Array, threshold: float) -> Array:
    """The mask compares x with {variant}, where the forward compares it with 0."""
    if op.name != "relu":
        raise ValueError
    return dy * (op.x > threshold)


@of_function(experiment="Use x < 6 as well as x > 0.")
def upper_bound_forgotten(op: Elementwise, dy: Array) -> Array:
    """The mask of one bound is missing: dy passes where the function is cut off at its largest value."""
    return dy * (op.x > _of({"ReLU6": 0, "hard tanh": -1}, op))


WRONG_DERIVATIVES = {
    ("sigmoid", "y · (1 + y)"): lambda x, y: y * (1 + y),
    ("sigmoid", "y² · (1 − y)"): lambda x, y: y * y * (1 - y),
    ("sigmoid", "1 − y²"): lambda x, y: 1 - y * y,
    ("sigmoid", "1 − y"): lambda x, y: 1 - y,
    ("sigmoid", "y − 1"): lambda x, y: y - 1,
    ("sigmoid", "y · (y − 1)"): lambda x, y: y * (y - 1),
    ("sigmoid", "e⁻ˣ / (1 + e⁻ˣ)"): lambda x, y: 1 - y,
    ("tanh", "1 − y"): lambda x, y: 1 - y,
    ("tanh", "1 + y²"): lambda x, y: 1 + y * y,
    ("tanh", "y · (1 − y)"): lambda x, y: y * (1 - y),
    ("tanh", "1 − tanh(y)²"): lambda x, y: 1 - np.tanh(y) ** 2,
    ("tanh", "(1 − y)²"): lambda x, y: (1 - y) ** 2,
    ("tanh", "(1 − y²)²"): lambda x, y: (1 - y * y) ** 2,
    ("tanh", "1 − x²"): lambda x, y: 1 - x * x,
    ("square", "x"): lambda x, y: x,
    ("square", "2"): lambda x, y: 2 + 0 * x,
    ("square", "2 · x²"): lambda x, y: 2 * x * x,
    ("cube", "3 · x"): lambda x, y: 3 * x,
    ("cube", "x²"): lambda x, y: x * x,
    ("cube", "2 · x"): lambda x, y: 2 * x,
    ("softplus", "1 − σ(x)"): lambda x, y: 1 / (1 + np.exp(x)),
    ("softplus", "eˣ"): lambda x, y: np.exp(x),
    ("softplus", "1 / (1 + eˣ)"): lambda x, y: 1 / (1 + np.exp(x)),
    ("exp", "x · eˣ"): lambda x, y: x * y,
    ("exp", "x · eˣ⁻¹"): lambda x, y: x * np.exp(x - 1),
    ("log", "x"): lambda x, y: x,
    ("log", "1 / y"): lambda x, y: 1 / y,
    ("log", "1 / x²"): lambda x, y: 1 / x**2,
    ("sqrt", "1 / √x"): lambda x, y: 1 / y,
    ("sqrt", "0.5 · √x"): lambda x, y: 0.5 * y,
    ("reciprocal", "1 / x²"): lambda x, y: 1 / x**2,
    ("reciprocal", "−1 / x"): lambda x, y: -1 / x,
    ("abs", "1"): lambda x, y: 1 + 0 * x,
    ("softsign", "1 / (1 + |x|)"): lambda x, y: 1 / (1 + np.abs(x)),
    ("softsign", "1 / (1 + x)²"): lambda x, y: 1 / (1 + x) ** 2,
    ("softsign", "1 / (1 + x²)"): lambda x, y: 1 / (1 + x * x),
}


@of_function(experiment="Derive it again on paper.", variants=list(WRONG_DERIVATIVES))
def wrong_derivative(op: Elementwise, dy: Array, which: tuple[str, str]) -> Array:
    """The derivative of {variant[0]} is taken to be {variant[1]}."""
    if op.name != which[0]:
        raise ValueError
    with np.errstate(all="ignore"):
        return dy * WRONG_DERIVATIVES[which](op.x, op.y)


def _alpha(op: Elementwise) -> float:
    """The parameter of a leaky ReLU or an ELU."""
    if not op.name.startswith(("leaky", "ELU")):
        raise ValueError
    return op.f.keywords["a"]  # type: ignore[attr-defined]


@of_function(experiment="The derivative for x < 0 is the slope, not 0.")
def slope_forgotten(op: Elementwise, dy: Array) -> Array:
    """For x < 0 the gradient is 0, as for a plain ReLU: the slope there is forgotten."""
    _alpha(op)
    return dy * (op.x > 0)


@of_function(experiment="Use the forward's slope.", variants=(0.01, 0.02, 0.1, 0.2, 0.3, 1.0))
def another_slope(op: Elementwise, dy: Array, slope: float) -> Array:
    """For x < 0 the gradient is {variant} · dy, another slope than the forward's."""
    if not op.name.startswith("leaky"):
        raise ValueError
    return dy * np.where(op.x > 0, 1, slope)


@of_function(experiment="The derivative of slope · x is slope.")
def slope_times_x(op: Elementwise, dy: Array) -> Array:
    """For x < 0 the gradient is slope · x · dy: the function instead of its derivative."""
    return dy * np.where(op.x > 0, 1, _alpha(op) * op.x)


@of_function(experiment="Exchange the two branches of np.where.")
def branches_exchanged(op: Elementwise, dy: Array) -> Array:
    """The slopes of the two branches are exchanged."""
    a = _alpha(op)
    return dy * np.where(op.x > 0, a * np.exp(op.x) if "ELU" in op.name else a, 1.0)


@of_function(experiment="Write out f′ for x < 0: alpha · eˣ = y + alpha.")
def elu_exponential(op: Elementwise, dy: Array) -> Array:
    """For x < 0 the gradient of the ELU is y · dy where it is (y + alpha) · dy."""
    _alpha(op)
    return dy * np.where(op.x > 0, 1, op.y)


@of_function(experiment="Write out f′ for x < 0: alpha · eˣ = y + alpha.")
def elu_alpha_forgotten(op: Elementwise, dy: Array) -> Array:
    """For x < 0 the gradient of the ELU is eˣ · dy: the factor alpha is forgotten."""
    if "ELU with" not in op.name:
        raise ValueError
    return dy * np.where(op.x > 0, 1, np.exp(np.minimum(op.x, 0)))


# at the end of a layer


def _layer(op: Operation, role: str, dz: Array) -> Array:
    if op.activation == "linear":
        raise ValueError("no activation")
    return op.pull(dz)[role]


def of_each_gradient(code):
    """Enter a wrong dz for each gradient that follows from it."""
    for role, kinds in {
        "x": [Dense, Convolution, Normalization],
        "kernel": [Dense, Convolution],
        "bias": [Dense, Convolution],
        "gamma": [Normalization],
        "beta": [Normalization],
    }.items():
        _enter(code, role, kinds)
    return code


def _enter(code, role, kinds) -> None:
    def wrong(op: Operation, dy: Array) -> Array:
        return _layer(op, role, code(op, dy))

    wrong.__doc__, wrong.__module__ = code.__doc__, code.__module__
    wrong.__name__ = f"{code.__name__}_in_d{role}"
    mistake(
        of=kinds,
        gradient=role,
        formula="dz = dy · activation′(z), before everything else",
        experiment="Set the activation to linear: is the rest right?",
    )(wrong)


@of_each_gradient
def activation_forgotten(op: Operation, dy: Array) -> Array:
    """It would be right without the activation: the backward does not begin with dz = dy · activation′(z)."""
    return dy


@of_each_gradient
def activation_twice(op: Operation, dy: Array) -> Array:
    """The activation's derivative is multiplied in twice."""
    if op.activation in ("softmax", "relu"):
        raise ValueError
    return op.upstream(op.upstream(dy))


@of_each_gradient
def activation_at_output(op: Operation, dy: Array) -> Array:
    """The activation's derivative is taken at the output y, where it has to be taken at z."""
    return dy * ACTIVATIONS[op.activation][1](op.y)


@of_each_gradient
def activation_formula_at_sum(op: Operation, dy: Array) -> Array:
    """The formula in terms of y (y · (1 − y) or 1 − y²) is used with z, the sum before the activation."""
    return dy * {"sigmoid": lambda z: z * (1 - z), "tanh": lambda z: 1 - z * z}[op.activation](op.z)


@of_each_gradient
def activation_for_derivative(op: Operation, dy: Array) -> Array:
    """dy is multiplied by the activation's value y instead of its derivative."""
    return dy * op.y


@of_each_gradient
def activation_mask_inverted(op: Operation, dy: Array) -> Array:
    """The ReLU's mask is inverted."""
    if op.activation != "relu":
        raise ValueError
    return dy * (op.z <= 0)


@of_each_gradient
def activation_masked_by_dy(op: Operation, dy: Array) -> Array:
    """The mask is of dy (dy > 0), not of z (z > 0)."""
    return dy * (dy > 0)


@of_each_gradient
def sigmoid_derivative_without_y(op: Operation, dy: Array) -> Array:
    """The sigmoid's derivative is taken to be 1 − y, where it is y · (1 − y)."""
    if op.activation != "sigmoid":
        raise ValueError
    return dy * (1 - op.y)


@of_each_gradient
def tanh_derivative_unsquared(op: Operation, dy: Array) -> Array:
    """The tanh's derivative is taken to be 1 − y, where it is 1 − y²."""
    if op.activation != "tanh":
        raise ValueError
    return dy * (1 - op.y)


@of_each_gradient
def softmax_diagonal(op: Operation, dy: Array) -> Array:
    """Softmax's derivative is taken to be y · (1 − y), its Jacobian's diagonal, without the path through the sum."""
    if op.activation != "softmax":
        raise ValueError
    return dy * op.y * (1 - op.y)


def _of(formulas, op: Elementwise):
    if op.name not in formulas:
        raise ValueError
    return formulas[op.name]
