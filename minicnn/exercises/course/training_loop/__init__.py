"""The training loop: batches, forward, loss, backward, step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np

from ....layers import Dense
from ....losses import SparseCategoricalCrossentropy
from ....models import Sequential
from ....optimizers import SGD
from ...exercise import Exercise, Part
from ...grading import Function, Work, equal, results

SAMPLES, BATCH, EPOCHS = 10, 4, 3
CALLS = ("model.forward", "loss.forward", "loss.backward", "model.backward", "optimizer.step")


class Recorder:
    """Stands for the model, the loss and the optimiser, and notes what is done with them, batch by batch."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.batches: list[list[int]] = []
        self.labels: list[list[int]] = []
        self.training: list[Any] = []
        self.complaints: list[str] = []
        self.losses: list[float] = []
        self.model, self.loss, self.optimizer = Model(self), Loss(self), Optimizer(self)

    def expect(self, value: Any, expected: Any, sentence: str) -> None:
        if value is not expected:
            self.complaints.append(sentence)


class Model:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder, self.weights = recorder, ["the parameters"]

    logits: Any = None

    def forward(self, x: Any, training: Any = False) -> Any:
        self.recorder.calls.append("model.forward")
        self.recorder.batches.append(np.asarray(x).reshape(len(x), -1)[:, 0].astype(int).tolist())
        self.recorder.training.append(training)
        self.logits = np.asarray(x, float).reshape(len(x), -1)
        return self.logits

    def backward(self, dy: Any = None, need_dx: bool = True) -> None:
        self.recorder.calls.append("model.backward")
        self.recorder.expect(dy, self.recorder.loss.dy, "model.backward has to get what loss.backward() returned.")

    def parameters(self) -> Any:
        return self.weights


class Loss:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.dy = np.ones((1, 1))

    def forward(self, y_true: Any, y_pred: Any) -> float:
        self.recorder.calls.append("loss.forward")
        self.recorder.expect(
            y_pred, self.recorder.model.logits, "loss.forward has to get the labels first, then model.forward's result."
        )
        labels = np.asarray(y_true).ravel()
        self.recorder.labels.append(labels.astype(int).tolist())
        self.recorder.losses.append(float(labels.sum()) / max(1, len(labels)))
        return self.recorder.losses[-1]

    def backward(self) -> Any:
        self.recorder.calls.append("loss.backward")
        return self.dy


class Optimizer:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def step(self, parameters: Any = None) -> None:
        self.recorder.calls.append("optimizer.step")
        self.recorder.expect(parameters, self.recorder.model.weights, "optimizer.step has to get model.parameters().")


def check(work: Work) -> Iterator[Part]:
    """The loop with stand-ins that note each call; then a real model learns with it."""
    train = work.function("train", "model", "loss", "optimizer", "x", "labels", "epochs", "batch_size", "rng")
    noted = Recorder()
    x = np.arange(SAMPLES, dtype=float).reshape(SAMPLES, 1)
    labels = 100 + np.arange(SAMPLES)
    things = (noted.model, noted.loss, noted.optimizer)
    (losses,) = results(train, [*things, x.copy(), labels, EPOCHS, BATCH, np.random.default_rng(0)], ("losses",))
    for judge in (_steps, _batches, _order):
        yield (part := judge(noted))
        work.stop_unless(part)
    yield (part := _mean(noted, losses))
    work.stop_unless(part)
    yield _learns(train)


def _steps(noted: Recorder) -> Part:
    """Five calls for each batch, in their order."""
    name = "a step"
    if not noted.calls:
        return Part(name, False, "not written yet: train does not call model.forward.")
    counts = {call: noted.calls.count(call) for call in CALLS}
    if missing := [call for call, count in counts.items() if not count]:
        return Part(name, False, f"{missing[0]} is never called. A step is: {', '.join(CALLS)}.")
    if tuple(noted.calls[:5]) != CALLS or len(set(counts.values())) > 1:
        found = ", ".join(call for call, _ in groupby(noted.calls[:6]))
        return Part(name, False, f"expected for each batch: {', '.join(CALLS)}. Found: {found}, …")
    if noted.complaints:
        return Part(name, False, noted.complaints[0])
    if not all(noted.training):
        return Part(name, False, "model.forward has to get training=True: dropout and batch normalisation need it.")
    return Part(name, True)


def _batches(noted: Recorder) -> Part:
    """Every sample once in each epoch, in batches of the right size, with its own label."""
    name, sizes = "batches", [len(batch) for batch in noted.batches]
    expected = [BATCH, BATCH, SAMPLES - 2 * BATCH] * EPOCHS
    if sizes != expected:
        lost = " The last, smaller batch is missing." if sizes == [BATCH, BATCH] * EPOCHS else ""
        text = f"{SAMPLES} samples, batch_size {BATCH}, {EPOCHS} epochs: expected batches of {expected} samples"
        return Part(name, False, f"{text}, found {sizes}.{lost}")
    for samples, labels in zip(noted.batches, noted.labels, strict=True):
        if [100 + sample for sample in samples] != labels:
            text = f"sample {samples[0]} gets the label of sample {labels[0] - 100}."
            text += " Index x and labels with the same array."
            return Part(name, False, text)
    for epoch in _epochs(noted):
        if sorted(epoch) != list(range(SAMPLES)):
            twice = next(sample for sample in epoch if epoch.count(sample) != 1)
            text = f"sample {twice} comes {epoch.count(twice)} times in an epoch. rng.permutation has each number once."
            return Part(name, False, text)
    return Part(name, True)


def _epochs(noted: Recorder) -> list[list[int]]:
    """The samples of each epoch, in their order."""
    return np.concatenate([np.asarray(batch) for batch in noted.batches]).reshape(EPOCHS, SAMPLES).tolist()


def _order(noted: Recorder) -> Part:
    """Shuffled, anew in each epoch."""
    name, epochs = "shuffling", _epochs(noted)
    if epochs[0] == sorted(epochs[0]):
        return Part(
            name, False, "the samples are not shuffled: they come in the order of the data. Use rng.permutation."
        )
    if epochs[0] == epochs[1]:
        return Part(name, False, "each epoch has the same order. Draw the permutation inside of the loop over epochs.")
    return Part(name, True)


def _mean(noted: Recorder, losses: Any) -> Part:
    """One number per epoch: the mean over its samples, not over its batches."""
    weights = np.array([BATCH, BATCH, SAMPLES - 2 * BATCH]) / SAMPLES
    by_batch = np.array(noted.losses).reshape(EPOCHS, 3)
    about = (
        "Expected is the mean of the epoch over its samples: each batch's loss counts as many times as it has samples."
    )
    return equal("losses", losses, by_batch @ weights, about)


def _learns(train: Function) -> Part:
    """A linear model on three clusters."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    x = np.array([[2.0, 0], [-1, 2], [-1, -2]])[labels] + 0.5 * rng.standard_normal((90, 2))
    model = Sequential([Dense(3, input_shape=(2,))])
    loss = SparseCategoricalCrossentropy(from_logits=True)
    train(model, loss, SGD(0.5), x.astype("float32"), labels, 5, 16, np.random.default_rng(1))
    right = float((model.predict(x.astype("float32"), verbose=0).argmax(axis=1) == labels).mean())
    if right > 0.9:
        return Part("it learns", True)
    return Part(
        "it learns", False, f"after 5 epochs a linear model classifies only {right:.0%} of its samples rightly."
    )


HINTS = """
There are two loops: one over the epochs, and inside of it one over the batches. Draw order =
rng.permutation(len(x)) at the beginning of each epoch.

for start in range(0, len(x), batch_size): batch = order[start : start + batch_size] has the samples of one batch;
the last one is smaller if the division leaves a remainder, and is not skipped. x[batch] and labels[batch] belong
together.

A step is five calls: logits = model.forward(x[batch], training=True); value = loss.forward(labels[batch], logits);
model.backward(loss.backward()); optimizer.step(model.parameters()).

The loss of a batch is a mean over its samples. So add up value * len(batch) in each epoch, and append the total,
divided by len(x), to losses.
"""

PRAISE = """
That is what `fit` does, and every framework. The README has the same loop with a convolutional network on
Fashion-MNIST: try your train with that model.
"""

EXERCISE = Exercise(
    "training_loop",
    "The training loop",
    ("a step", "batches", "shuffling", "losses", "it learns"),
    check,
    HINTS,
    PRAISE,
)
