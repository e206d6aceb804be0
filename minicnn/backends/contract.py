"""The contract: the list of all operations that a backend offers, with names, shapes and meaning.

A backend is a package with these functions; `operations.py` assembles it. Letters: N samples, H x W pixels, C input
channels, F filters (output channels), KH x KW window, OH x OW output pixels, L length, K classes. Arrays are channels
last and of one floating dtype. An operation returns new arrays and does not change its arguments, except for the
optimiser steps, which update `values` and their slots in place.

Each operation is followed by its backward. `saved` is what the forward keeps for the backward: opaque, and usable only
by the backend that made it. `textbook/` is the readable implementation and the specification of all the others.

The decorator `shapes` declares the shapes of an operation's arrays. `checks.py` checks every call against them, so that
kernels need no checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

Array = Any
"""A NumPy or CuPy array in the backend's memory."""


def on_gpu(array: Any) -> bool:
    """Whether this is a CuPy array. Other libraries' GPU arrays have the interface but not CuPy's `get`."""
    return hasattr(array, "get") and hasattr(array, "__cuda_array_interface__")


Saved = Any
"""The values that a forward operation keeps for its backward."""

Pair = tuple[int, int]

Range = tuple[float, float]
"""A lower and an upper limit."""

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
"""What stands beside an image, by Keras's names."""

ACTIVATIONS = ("linear", "relu", "sigmoid", "tanh", "softmax")
"""The activations that operations apply, by Keras's names; softmax is over the last axis."""

CURVES = ("leaky_relu", "elu", "selu", "gelu", "silu", "softplus")
"""Further activations, by Keras's names; each is an operation of its own, since its derivative needs the input."""

MERGES = ("add", "subtract", "multiply", "maximum", "minimum")
"""The rules by which two arrays become one, element by element."""

WITH_ACTIVATION = ("conv2d", "dense", "batch_norm")
"""The operations that apply an activation to their result, named by their last option."""


Step = tuple[str, tuple[Any, ...], tuple[Any, ...]]
"""An operation of a layer in inference: (operation, weights, options), one of the operations below or "flatten".

`weights` are the parameters or arrays among its arguments, or None; `options` are the other arguments. Arrays of shape
(N, L, C) are images of height 1.
"""

Run = Callable[[Array, Sequence["Array | None"]], Array]
"""A compiled network: y = run(x, weights), with the arrays of all steps' weights in order."""


Function = TypeVar("Function", bound=Callable[..., Any])


def shapes(**arrays: str) -> Callable[[Function], Function]:
    """Decorator: the axes of an operation's arrays, and of its result y.

    A letter is the same length wherever it occurs, and at least 1 (only N may be 0); "A+B" is the sum of two. "..." is
    any number of axes, the same wherever it occurs. "" is a scalar. "|" separates alternatives. The word "y" means an
    array like the forward's y, "each" a list of arrays, one per parameter. Arrays hold floating-point numbers, all of
    one dtype, unless another kind follows a comma: "integers" (optionally "below" an argument), "reals", "numbers".
    Further words after a comma are "or None", "or a number" and "in place".
    """

    def declare(function: Function) -> Function:
        function.shapes = arrays  # type: ignore[attr-defined]
        return function

    return declare


class Backend(Protocol):
    """The type of `minicnn.backends.active()`."""

    # memory: the only transfers between the host and the device
    def to_device(self, array: Array, dtype: Any = None, copy: bool = False) -> Array:
        """The array in the backend's memory, converted to `dtype`; the same object if nothing has to change, unless
        copy=True, which weights use."""

    def to_host(self, array: Array) -> Any:
        """The array as a NumPy array; the same object if it already is one."""

    def owns(self, array: Any) -> bool:
        """Whether this is an array in the backend's memory: the operations below accept no others."""

    def contiguous(self, array: Array) -> Array:
        """The array as kernels read it: aligned, in C order, in native byte order; a copy if it is not so already."""

    @shapes(array="M ..., numbers", indices="N, integers below array")
    def take(self, array: Array, indices: Array, dtype: Any = None) -> Array:
        """array[indices] along the first axis, converted to `dtype`: how a batch is gathered."""

    def read_if_ready(self, value: Array) -> float | None:
        """A scalar's value if it can be read without waiting for the device, otherwise None."""

    # convolution and dense: an affine map and its activation
    @shapes(x="N H W C", kernel="KH KW C F", bias="F, or None", y="N OH OW F")
    def conv2d(
        self, x: Array, kernel: Array, bias: Array | None, strides: Pair, padding: str, activation: str
    ) -> tuple[Array, Saved]:
        """x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None -> y (N, OH, OW, F)."""

    @shapes(dy="y")
    def conv2d_backward(
        self, dy: Array, saved: Saved, need_dx: bool = True
    ) -> tuple[Array | None, Array, Array | None]:
        """dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dkernel (KH, KW, C, F), dbias (F,) or None."""

    @shapes(x="N H W C", kernel="KH KW D F", bias="F, or None", y="N OH OW F")
    def grouped_conv2d(
        self,
        x: Array,
        kernel: Array,
        bias: Array | None,
        strides: Pair,
        padding: str,
        dilation_rate: Pair,
        groups: int,
    ) -> tuple[Array, Saved]:
        """x (N, H, W, C), kernel (KH, KW, C / groups, F), bias (F,) or None -> y (N, OH, OW, F).

        Each group of channels makes F / groups outputs; a window's pixels are dilation_rate apart.
        """

    @shapes(dy="y")
    def grouped_conv2d_backward(
        self, dy: Array, saved: Saved, need_dx: bool = True
    ) -> tuple[Array | None, Array, Array | None]:
        """dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dkernel (KH, KW, C / groups, F), dbias (F,) or None."""

    @shapes(x="... C", kernel="C F", bias="F, or None", y="... F")
    def dense(self, x: Array, kernel: Array, bias: Array | None, activation: str) -> tuple[Array, Saved]:
        """x (..., C), kernel (C, F), bias (F,) or None -> y (..., F)."""

    @shapes(dy="y")
    def dense_backward(self, dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        """dy (..., F) -> dx (..., C) or None, dkernel (C, F), dbias (F,) or None."""

    # pooling
    @shapes(x="N H W C", y="N OH OW C")
    def max_pool2d(self, x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
        """x (N, H, W, C) -> y (N, OH, OW, C), the largest value of each window; padding is not counted."""

    @shapes(dy="y")
    def max_pool2d_backward(self, dy: Array, saved: Saved) -> Array:
        """dy (N, OH, OW, C) -> dx (N, H, W, C): each dy goes to its window's first maximum."""

    @shapes(x="N H W C", y="N OH OW C")
    def average_pool2d(self, x: Array, pool_size: Pair, strides: Pair, padding: str) -> tuple[Array, Saved]:
        """x (N, H, W, C) -> y (N, OH, OW, C), each window's mean; padding is not counted."""

    @shapes(dy="y")
    def average_pool2d_backward(self, dy: Array, saved: Saved) -> Array:
        """dy (N, OH, OW, C) -> dx (N, H, W, C): each dy is divided equally among its window's pixels."""

    # images of another size
    @shapes(x="N H W C", y="N OH OW C")
    def pad2d(self, x: Array, rows: Pair, columns: Pair) -> tuple[Array, Saved]:
        """x (N, H, W, C) -> y (N, OH, OW, C), with rows (top, bottom) and columns (left, right) of zeros around it.

        A negative number cuts off so many.
        """

    @shapes(dy="y")
    def pad2d_backward(self, dy: Array, saved: Saved) -> Array:
        """dy (N, OH, OW, C) -> dx (N, H, W, C)."""

    @shapes(x="N H W C", y="N OH OW C")
    def upsample2d(self, x: Array, size: Pair, interpolation: str) -> tuple[Array, Saved]:
        """x (N, H, W, C) -> y (N, H · SH, W · SW, C), size (SH, SW).

        "nearest": each pixel as a block; "bilinear": a weighted mean of the nearest pixels.
        """

    @shapes(dy="y")
    def upsample2d_backward(self, dy: Array, saved: Saved) -> Array:
        """dy (N, H · SH, W · SW, C) -> dx (N, H, W, C), a weighted sum of the pixels that x's pixel is part of."""

    # normalisation and regularisation
    @shapes(x="... C", gamma="C", beta="C", moving_mean="C", moving_variance="C", y="... C")
    def batch_norm(
        self,
        x: Array,
        gamma: Array,
        beta: Array,
        moving_mean: Array,
        moving_variance: Array,
        momentum: float,
        epsilon: float,
        training: bool,
        activation: str,
    ) -> tuple[Array, Array, Array, Saved]:
        """x (..., C), the rest (C,) -> y (..., C) and the new moving mean and variance (C,)."""

    @shapes(dy="y")
    def batch_norm_backward(self, dy: Array, saved: Saved, need_dx: bool = True) -> tuple[Array | None, Array, Array]:
        """dy (..., C) -> dx (..., C) or None, dgamma (C,), dbeta (C,)."""

    @shapes(x="N ... C", gamma="C, or None", beta="C, or None", y="N ... C")
    def group_norm(
        self, x: Array, gamma: Array | None, beta: Array | None, groups: int, epsilon: float
    ) -> tuple[Array, Saved]:
        """x (N, ..., C), gamma and beta (C,) or None -> y (N, ..., C), normalised per sample and group of channels."""

    @shapes(dy="y")
    def group_norm_backward(self, dy: Array, saved: Saved) -> tuple[Array, Array | None, Array | None]:
        """dy (N, ..., C) -> dx (N, ..., C), dgamma (C,) or None, dbeta (C,) or None."""

    @shapes(x="...", y="...")
    def dropout(self, x: Array, rate: float, seed: int, call: int) -> tuple[Array, Saved]:
        """x of any shape -> y, each element kept with probability 1 - rate and scaled by 1 / (1 - rate).

        The mask is a function of (seed, call, index) alone, the same in every backend.
        """

    @shapes(dy="y")
    def dropout_backward(self, dy: Array, saved: Saved) -> Array:
        """dy -> dx, both of x's shape."""

    @shapes(x="...", y="...")
    def shared_dropout(
        self, x: Array, rate: float, shared: tuple[int, ...], seed: int, call: int
    ) -> tuple[Array, Saved]:
        """x of any shape -> y, as dropout; elements that differ only along the `shared` axes have one fate.

        Axes that x does not have are ignored.
        """

    @shapes(dy="y")
    def shared_dropout_backward(self, dy: Array, saved: Saved) -> Array:
        """dy -> dx, both of x's shape."""

    @shapes(x="...", y="...")
    def gaussian_noise(self, x: Array, stddev: float, seed: int, call: int) -> tuple[Array, Saved]:
        """x of any shape -> y, with normal noise of this standard deviation added."""

    @shapes(dy="y")
    def gaussian_noise_backward(self, dy: Array, saved: Saved) -> Array:
        """dy -> dx, both of x's shape."""

    # data augmentation: random changes of images, functions of (seed, call, sample) alone
    @shapes(x="N H W C", y="N H W C")
    def random_flip(self, x: Array, horizontal: bool, vertical: bool, seed: int, call: int) -> tuple[Array, Saved]:
        """x (N, H, W, C) -> y (N, H, W, C), each image mirrored along the given axes with probability ½."""

    @shapes(dy="y")
    def random_flip_backward(self, dy: Array, saved: Saved) -> Array:
        """dy -> dx, both of x's shape."""

    @shapes(x="N H W C", y="N H W C")
    def random_translation(
        self,
        x: Array,
        height_factor: Range,
        width_factor: Range,
        fill_mode: str,
        interpolation: str,
        fill_value: float,
        seed: int,
        call: int,
    ) -> tuple[Array, Saved]:
        """x (N, H, W, C) -> y (N, H, W, C), each image shifted by random shares of its height and width."""

    @shapes(dy="y")
    def random_translation_backward(self, dy: Array, saved: Saved) -> Array:
        """dy -> dx, both of x's shape."""

    @shapes(x="N H W C", y="N H W C")
    def random_erasing(
        self, x: Array, factor: Range, scale: Range, fill_value: float | None, value_range: Range, seed: int, call: int
    ) -> tuple[Array, Saved]:
        """x (N, H, W, C) -> y (N, H, W, C), a random box of some images replaced by fill_value or, if None, noise."""

    @shapes(dy="y")
    def random_erasing_backward(self, dy: Array, saved: Saved) -> Array:
        """dy -> dx, both of x's shape."""

    # activations as separate layers
    @shapes(x="... C", y="... C")
    def activation(self, x: Array, activation: str) -> tuple[Array, Saved]:
        """One of ACTIVATIONS on x of any shape -> y of the same shape."""

    @shapes(dy="y")
    def activation_backward(self, dy: Array, saved: Saved) -> Array:
        """dy -> dx, both of x's shape."""

    @shapes(x="...", y="...")
    def general_relu(
        self, x: Array, negative_slope: float, max_value: float | None, threshold: float
    ) -> tuple[Array, Saved]:
        """Keras's general ReLU on x of any shape -> y of the same shape."""

    @shapes(dy="y")
    def general_relu_backward(self, dy: Array, saved: Saved) -> Array:
        """dy -> dx, both of x's shape."""

    @shapes(x="...", y="...")
    def curve(self, x: Array, function: str, alpha: float) -> tuple[Array, Saved]:
        """One of CURVES on x of any shape -> y of the same shape. Only leaky_relu and elu have an alpha."""

    @shapes(dy="y")
    def curve_backward(self, dy: Array, saved: Saved) -> Array:
        """dy -> dx, both of x's shape."""

    # branches: two arrays become one
    @shapes(a="...", b="...", y="...")
    def merge(self, a: Array, b: Array, rule: str) -> tuple[Array, Saved]:
        """One of MERGES on a and b of one shape -> y of the same shape."""

    @shapes(dy="y")
    def merge_backward(self, dy: Array, saved: Saved) -> tuple[Array, Array]:
        """dy -> da, db, all of one shape. Of equal numbers, the first is the maximum or minimum."""

    @shapes(a="... A", b="... B", y="... A+B")
    def concatenate(self, a: Array, b: Array) -> tuple[Array, Saved]:
        """a (..., A), b (..., B) -> y (..., A + B), the two side by side."""

    @shapes(dy="y")
    def concatenate_backward(self, dy: Array, saved: Saved) -> tuple[Array, Array]:
        """dy (..., A + B) -> da (..., A), db (..., B)."""

    # inference: a whole network at once
    def compile_inference(self, steps: Sequence[Step]) -> Run:
        """The steps as one function y = run(x, weights) of x (N, …); y is equal to theirs up to rounding.

        Several threads may call it at once. Between calls it keeps nothing that changes a result.
        """

    # losses: means over the samples; the backward is the first of backpropagation, so it takes no dy
    @shapes(labels="..., integers below classes")
    def one_hot(self, labels: Array, classes: int, dtype: Any) -> Array:
        """Integer labels (...) in 0 … classes − 1 -> (..., K) of zeros and ones."""

    @shapes(target="... K")
    def smooth_labels(self, target: Array, label_smoothing: float) -> Array:
        """target (..., K) -> (..., K): a share `label_smoothing` of it is spread evenly over the classes."""

    @shapes(logits="... K", target="... K", y="")
    def softmax_crossentropy(self, logits: Array, target: Array) -> tuple[Array, Saved]:
        """logits (..., K), target (..., K) -> loss (), the softmax fused in."""

    @shapes()
    def softmax_crossentropy_backward(self, saved: Saved) -> Array:
        """-> dlogits (..., K)."""

    @shapes(probabilities="... K", target="... K", y="")
    def crossentropy(self, probabilities: Array, target: Array) -> tuple[Array, Saved]:
        """probabilities (..., K), target (..., K) -> loss ()."""

    @shapes()
    def crossentropy_backward(self, saved: Saved) -> Array:
        """-> dprobabilities (..., K)."""

    @shapes(prediction="...", target="...", y="")
    def mean_squared_error(self, prediction: Array, target: Array) -> tuple[Array, Saved]:
        """prediction and target of one shape -> loss ()."""

    @shapes()
    def mean_squared_error_backward(self, saved: Saved) -> Array:
        """-> dprediction."""

    # losses of the samples, for weighted means and other reductions; their backward takes dy (...)
    @shapes(losses="...", weights="...")
    def weighted_sum(self, losses: Array, weights: Array) -> Array:
        """losses and weights of one shape -> ()."""

    @shapes(prediction="... K", target="... K", y="...")
    def squared_errors(self, prediction: Array, target: Array) -> tuple[Array, Saved]:
        """prediction (..., K), target (..., K) -> losses (...)."""

    @shapes(dy="y")
    def squared_errors_backward(self, dy: Array, saved: Saved) -> Array:
        """dy (...) -> dprediction (..., K)."""

    @shapes(prediction="... K", target="... K", y="...")
    def absolute_errors(self, prediction: Array, target: Array) -> tuple[Array, Saved]:
        """prediction (..., K), target (..., K) -> losses (...)."""

    @shapes(dy="y")
    def absolute_errors_backward(self, dy: Array, saved: Saved) -> Array:
        """dy (...) -> dprediction (..., K)."""

    @shapes(prediction="... K", target="... K", y="...")
    def huber_errors(self, prediction: Array, target: Array, delta: float) -> tuple[Array, Saved]:
        """prediction (..., K), target (..., K) -> losses (...), squares of errors up to delta and lines beyond."""

    @shapes(dy="y")
    def huber_errors_backward(self, dy: Array, saved: Saved) -> Array:
        """dy (...) -> dprediction (..., K)."""

    @shapes(logits="... K", target="... K", y="...")
    def softmax_crossentropies(self, logits: Array, target: Array) -> tuple[Array, Saved]:
        """logits (..., K), target (..., K) -> losses (...), the softmax fused in."""

    @shapes(dy="y")
    def softmax_crossentropies_backward(self, dy: Array, saved: Saved) -> Array:
        """dy (...) -> dlogits (..., K)."""

    @shapes(probabilities="... K", target="... K", y="...")
    def crossentropies(self, probabilities: Array, target: Array) -> tuple[Array, Saved]:
        """probabilities (..., K), target (..., K) -> losses (...)."""

    @shapes(dy="y")
    def crossentropies_backward(self, dy: Array, saved: Saved) -> Array:
        """dy (...) -> dprobabilities (..., K)."""

    @shapes(logits="... K", target="... K", y="...")
    def sigmoid_crossentropies(self, logits: Array, target: Array) -> tuple[Array, Saved]:
        """logits (..., K), target (..., K) -> losses (...), the sigmoid fused in; a mean over K."""

    @shapes(dy="y")
    def sigmoid_crossentropies_backward(self, dy: Array, saved: Saved) -> Array:
        """dy (...) -> dlogits (..., K)."""

    @shapes(probabilities="... K", target="... K", y="...")
    def binary_crossentropies(self, probabilities: Array, target: Array) -> tuple[Array, Saved]:
        """probabilities (..., K), target (..., K) -> losses (...), a mean over K."""

    @shapes(dy="y")
    def binary_crossentropies_backward(self, dy: Array, saved: Saved) -> Array:
        """dy (...) -> dprobabilities (..., K)."""

    # penalties on large weights
    @shapes(loss="", value="...")
    def add_penalty(self, loss: Array, value: Array, l1: float, l2: float) -> Array:
        """loss + l1 · Σ |value| + l2 · Σ value²; loss () and value of any shape -> ()."""

    @shapes(grad="...", value="...")
    def add_penalty_gradient(self, grad: Array, value: Array, l1: float, l2: float) -> Array:
        """grad + the penalty's gradient with respect to value; both of one shape."""

    # metrics
    @shapes(scores="... K", target="... | ... K, reals")
    def count_correct(self, scores: Array, target: Array) -> Array:
        """scores (..., K), target integer labels (...) or one-hot (..., K) -> (), how often the largest score is right.

        Among equal scores, the first counts as the largest.
        """

    @shapes(total=", reals, or a number", value=", reals")
    def accumulate(self, total: Array, value: Array, weight: float) -> Array:
        """total + weight · value, all scalars, in float64: a running sum that starts with total = 0.0."""

    # limits for gradients
    @shapes(grad="...")
    def clip_by_value(self, grad: Array, limit: float) -> Array:
        """grad of any shape -> the same shape, every entry within ± limit."""

    @shapes(grad="...", squares="")
    def clip_by_norm(self, grad: Array, squares: Array, limit: float) -> Array:
        """grad of any shape -> grad · limit / max(√squares, limit), where squares () is Σ grad² of the gradients."""

    # optimiser steps, in place
    @shapes(values="each, in place", grads="each", velocities="each, in place")
    def sgd_step(
        self,
        values: Sequence[Array],
        grads: Sequence[Array],
        velocities: Sequence[Array],
        learning_rate: float,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> None:
        """Update every value against its gradient, with momentum; `weight_decay` is decoupled."""

    @shapes(values="each, in place", grads="each", means="each, in place", variances="each, in place")
    def adam_step(
        self,
        values: Sequence[Array],
        grads: Sequence[Array],
        means: Sequence[Array],
        variances: Sequence[Array],
        step: int,
        learning_rate: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        """Update every value by Adam's rule; `step` counts from 1, `weight_decay` is decoupled (AdamW)."""

    @shapes(
        values="each, in place",
        grads="each",
        velocities="each, in place",
        momentums="each, in place",
        means="each, in place",
    )
    def rmsprop_step(
        self,
        values: Sequence[Array],
        grads: Sequence[Array],
        velocities: Sequence[Array],
        momentums: Sequence[Array],
        means: Sequence[Array],
        learning_rate: float,
        rho: float,
        momentum: float,
        epsilon: float,
        centered: bool,
        weight_decay: float,
    ) -> None:
        """Update every value by RMSprop's rule, with momentum; `weight_decay` is decoupled, as in all steps."""

    @shapes(values="each, in place", grads="each", squares="each, in place", deltas="each, in place")
    def adadelta_step(
        self,
        values: Sequence[Array],
        grads: Sequence[Array],
        squares: Sequence[Array],
        deltas: Sequence[Array],
        learning_rate: float,
        rho: float,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        """Update every value by Adadelta's rule."""

    @shapes(values="each, in place", grads="each", squares="each, in place")
    def adagrad_step(
        self,
        values: Sequence[Array],
        grads: Sequence[Array],
        squares: Sequence[Array],
        learning_rate: float,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        """Update every value by Adagrad's rule."""

    @shapes(values="each, in place", grads="each", means="each, in place", maxima="each, in place")
    def adamax_step(
        self,
        values: Sequence[Array],
        grads: Sequence[Array],
        means: Sequence[Array],
        maxima: Sequence[Array],
        step: int,
        learning_rate: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        """Update every value by Adamax's rule; `step` counts from 1."""

    @shapes(values="each, in place", grads="each", means="each, in place", variances="each, in place")
    def nadam_step(
        self,
        values: Sequence[Array],
        grads: Sequence[Array],
        means: Sequence[Array],
        variances: Sequence[Array],
        step: int,
        learning_rate: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        """Update every value by Nadam's rule; `step` counts from 1."""


OPERATIONS = tuple(name for name in vars(Backend) if not name.startswith("_"))
"""The names of all operations, in the order above."""
