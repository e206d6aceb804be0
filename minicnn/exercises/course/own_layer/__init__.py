"""A layer of one's own: any formula, with at least one weight that is learnt."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import numpy as np

from ....gradcheck import check_layer
from ....layers import Dense, Layer
from ....losses import MeanSquaredError
from ....models import Sequential
from ....optimizers import SGD
from ...exercise import Exercise, Part
from ...grading import NOT_WRITTEN, Stopped, Work, normal, parts_of

SHAPES = ((5, 3), (3, 6, 5, 2))


def check(work: Work) -> Iterator[Part]:
    """It is a layer, its forward depends on x and on its weights, the doctor finds nothing, and it trains."""
    cls = work.get("MyLayer")
    if not inspect.isclass(cls) or not issubclass(cls, Layer):
        raise Stopped("MyLayer has to be a class that extends Layer: `class MyLayer(Layer):`.")
    yield (part := _forward(cls))
    work.stop_unless(part)
    yield (part := _weights(cls))
    work.stop_unless(part)
    layer = _built(cls, SHAPES[0])
    names = ["dx", *(f"{weight.name.split('/')[-1]}.grad" for weight in layer.parameters())]
    wrong = [
        Part("gradients", False, f"for x {shape}, {part.name}: {part.text}", part.causes)
        for shape in SHAPES
        for part in parts_of(check_layer(cls(), shape, training=True), names)
        if not part.ok
    ]
    yield (part := next(iter(wrong), Part("gradients", True)))
    work.stop_unless(part)
    yield _trains(cls)


def _built(cls: type[Layer], shape: tuple[int, ...]) -> Layer:
    layer = cls()
    layer.ensure_built(shape)
    return layer


def _forward(cls: type[Layer]) -> Part:
    """y is an array with a row for each sample, and depends on x."""
    for shape in SHAPES:
        layer, (x,) = _built(cls, shape), normal(0, shape)
        y = layer.call(x.astype("float32"), True)
        if y is None:
            return Part("forward", False, NOT_WRITTEN)
        layer.forward(x.astype("float32"), training=True)  # raises an error that explains what is wrong
        if layer.saved is None:
            return Part(
                "forward", False, "call does not set self.saved, which the backward needs. () if it is nothing."
            )
        if np.allclose(y, layer.call((x + 1).astype("float32"), True)):
            return Part("forward", False, "y does not depend on x: it is the same for x + 1.")
    return Part("forward", True)


def _weights(cls: type[Layer]) -> Part:
    """There is a trainable weight, and y depends on each."""
    layer, (x,) = _built(cls, SHAPES[0]), normal(0, SHAPES[0])
    if not layer.parameters():
        return Part("weights", False, "there is none yet. Make one in build: self.beta = self.add_weight(…).")
    y = np.array(layer.forward(x.astype("float32")))
    for weight in layer.parameters():
        kept, weight.value = weight.value, weight.value + 0.5
        if np.allclose(y, layer.forward(x.astype("float32"))):
            return Part("weights", False, f"y does not depend on {weight.name}. Use its value: self.….value.")
        weight.value = kept
    return Part("weights", True)


def _trains(cls: type[Layer]) -> Part:
    """In a network between two dense layers, all its weights change, and the loss falls."""
    x, target = (array.astype("float32") for array in normal(0, (32, 3), (32, 2)))
    model = Sequential([Dense(4, input_shape=(3,)), cls(), Dense(2)])
    loss, optimizer = MeanSquaredError(), SGD(0.05)
    own = model.layers[1].parameters()
    before = [np.array(weight.value) for weight in own]
    losses = []
    for _ in range(30):
        losses.append(float(loss.forward(target, model.forward(x, training=True))))
        model.backward(loss.backward())
        optimizer.step(model.parameters())
    if any(np.array_equal(old, weight.value) for old, weight in zip(before, own, strict=True)):
        return Part("in a network", False, "a weight of it does not change in a training. Is its gradient always 0?")
    if not losses[-1] < losses[0]:
        text = f"the loss does not fall in 30 steps: {losses[0]:.3g} at first, {losses[-1]:.3g} at last."
        return Part("in a network", False, text)
    return Part("in a network", True)


HINTS = """
build makes the weight: self.beta = self.add_weight("beta", (input_shape[-1],), "ones"). Its array is
self.beta.value. In call, s = 1 / (1 + np.exp(−beta · x)) and y = x · s; keep what the backward needs: self.saved =
x, s.

With s = σ(βx), the sigmoid's derivative is s · (1 − s). The product rule gives ∂y/∂x = s + x · s · (1 − s) · beta,
and ∂y/∂beta = x · s · (1 − s) · x.

dx = dy * (s + beta * x * s * (1 − s)). A beta is used by all samples and positions of its channel, so its gradient
is a sum over all axes but the last: self.beta.grad = (dy * x * x * s * (1 − s)).reshape(−1, C).sum(axis=0), with C
the number of channels.
"""

PRAISE = """
Your layer works in every minicnn network, with every loss and optimiser. How a layer gets its fast kernels, its
test and its place in the framework is on one page: CONTRIBUTING.md, "Adding a layer". That was the last exercise.
"""

EXERCISE = Exercise(
    "own_layer", "A layer of your own", ("forward", "weights", "gradients", "in a network"), check, HINTS, PRAISE
)
