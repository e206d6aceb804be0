"""A recorded training: at every k-th step weights, gradients, and what a few probe samples do in the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import arguments
from ..backends import to_host
from ..callbacks import Callback, Logs
from ..errors import explain
from ..inside import trace
from ..inside.remarks import dead_units
from .buffer import Buffer

MOST_MOMENTS = 60
"""Maximum number of moments that are kept: with one more, every second one is dropped, and `every` doubles."""

MOST_NUMBERS = 300_000
"""Maximum numbers of kernels and gradients on a page, 1.2 MB; of a larger recording, each kernel's first filters."""


class Moment(NamedTuple):
    """What is kept of one step."""

    step: int
    loss: float
    """Of the probe samples, before the step."""
    weights: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]
    """Of the probe samples' loss."""
    ratios: dict[str, float]
    """‖update‖ / ‖weights‖ of the step that training made."""
    silent: dict[str, np.ndarray]
    """For each layer with a ReLU: which of its units are 0 for all probe samples, at all positions."""


class Recording(Callback):
    """The callback that `record` makes."""

    def __init__(self, x: Any, y: Any, every: int = 50) -> None:
        self.x, self.y = arguments.array("explorer.record", "x", x), arguments.array("explorer.record", "y", y)
        self.every = arguments.whole("explorer.record every", every)
        self.moments: list[Moment] = []
        self._pending: Moment | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.moments, self._every = [], self.every

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        step = self.model.optimizer.iterations
        self._pending = self._look(step) if step % self._every == 0 else None

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if self._pending is None:
            return
        before = self._pending.weights
        for parameter in self.model.parameters():
            was = before[parameter.name]
            length = float(np.linalg.norm(was))
            change = float(np.linalg.norm(to_host(parameter.value) - was))
            self._pending.ratios[parameter.name] = change / length if length else np.nan
        self.moments.append(self._pending)
        if len(self.moments) > MOST_MOMENTS:
            self.moments, self._every = self.moments[::2], 2 * self._every

    def _look(self, step: int) -> Moment:
        """The network before a step, with the probe samples."""
        seen = trace(self.model, self.x, self.y)
        weights: dict[str, np.ndarray] = {}
        gradients: dict[str, np.ndarray] = {}
        silent: dict[str, np.ndarray] = {}
        for layer in seen.layers:
            for name, gradient in layer.gradients.items():
                weights[f"{layer.name}/{name}"] = layer.weights[name]
                gradients[f"{layer.name}/{name}"] = gradient
            if (dead := dead_units(layer)) is not None:
                silent[layer.name] = dead
        return Moment(step, float(seen.loss.value), weights, gradients, {}, silent)

    def describe(self, buffer: Buffer) -> dict[str, Any]:
        """The moments as the page takes them, their arrays in the buffer."""
        if not self.moments:
            remedy = "Give it to fit: model.fit(…, callbacks=[recording])."
            raise ValueError(explain("explorer recording", "at least one recorded step", "none", remedy))
        moments = self.moments
        names = [name for name, weight in moments[0].weights.items() if weight.ndim > 1]
        share = MOST_NUMBERS // (2 * len(moments) * max(len(names), 1))
        parameters = []
        for name in names:
            first = _first(moments[0].weights[name].shape, share)
            arrays = {
                "values": np.stack([moment.weights[name][first] for moment in moments]),
                "gradients": np.stack([moment.gradients[name][first] for moment in moments]),
                "ratios": np.array([moment.ratios[name] for moment in moments]),
            }
            stored = {key: buffer.add(array, np.float32) for key, array in arrays.items()}
            parameters.append({"name": name, "shape": moments[0].weights[name].shape, "arrays": stored})
        silent = [
            {"name": name, "silent": buffer.add([moment.silent[name] for moment in moments], np.float32)}
            for name in moments[0].silent
        ]
        return {
            "steps": [moment.step for moment in moments],
            "probes": len(self.x),
            "loss": buffer.add([moment.loss for moment in moments]),
            "parameters": parameters,
            "units": silent,
        }


def record(x: Any, y: Any, every: int = 50) -> Recording:
    """A callback that keeps the network at every `every`-th step of a training, for `write` and `show`.

    x (N, …) and y are the probe samples: their loss and gradients are recorded, in training mode, and which units are
    0 for all of them. 60 moments at most are kept: in a longer training, `every` doubles.

        recording = minicnn.explorer.record(x[:16], y[:16], every=20)
        model.fit(x, y, epochs=3, callbacks=[recording])
        minicnn.explorer.write("training.html", model, x[:1], y[:1], recording=recording)
    """
    return Recording(x, y, every)


def _first(shape: Sequence[int], most: int) -> tuple[slice, ...]:
    """The slice of a kernel with at most `most` numbers: the window is whole, channels and filters may be cut."""
    lengths = list(shape)
    while np.prod(lengths) > most and max(lengths[-2:]) > 1:
        axis = len(lengths) - 2 + int(np.argmax(lengths[-2:]))
        lengths[axis] = (lengths[axis] + 1) // 2
    return tuple(slice(length) for length in lengths)
