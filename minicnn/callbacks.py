"""Callbacks: objects that `fit` calls during training. Keras's names and arguments."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from . import arguments
from .errors import did_you_mean, explain
from .files import explained
from .layers.base import check_weights

Logs = Mapping[str, float]

DAMAGED = "The model file is damaged, or another program wrote it."


class Callback:
    """Base class of all callbacks: override what you need. `self.model` is the model that is being trained.

    As in Keras, every method gets `logs`, a mapping of metrics; it is empty before there are any.

    A callback whose decisions depend on earlier epochs implements `get_state` and `set_state`. A saved model stores
    the state, and a resumed `fit` restores it.
    """

    model: Any

    def set_model(self, model: Any) -> None:
        self.model = model

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch, or when training is interrupted."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch, counted from 0."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before an epoch's validation."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """After an epoch and its validation; logs has loss, the metrics, and both for validation with prefix val_.

        What a callback adds to logs, later callbacks and the History see, too.
        """

    def on_checkpoint(self, epoch: int, logs: Logs) -> None:
        """After all callbacks' on_epoch_end. Save the model here: all callback states are of this epoch."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a step."""

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """After a step; logs has the epoch's metrics so far."""

    def get_state(self) -> dict[str, Any]:
        """The state that a resumed training needs: finite numbers, text, lists, dicts and NumPy arrays."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what get_state returned; called after on_train_begin. Raises ValueError for a damaged state."""


SIGNATURES = {
    "set_model": ("model",),
    "on_train_begin": ("logs",),
    "on_train_end": ("logs",),
    "on_epoch_begin": ("epoch", "logs"),
    "on_test_begin": ("logs",),
    "on_epoch_end": ("epoch", "logs"),
    "on_checkpoint": ("epoch", "logs"),
    "on_train_batch_begin": ("batch", "logs"),
    "on_train_batch_end": ("batch", "logs"),
}
"""The arguments that a callback's methods are called with."""


class CallbackList:
    """Calls the same method of every callback, in order.

    A state's name is the callback's class, with a number from the second of the class on ("ModelCheckpoint_1").
    """

    def __init__(self, callbacks: Sequence[Callback], model: Any, states: Mapping[str, Any] | None = None) -> None:
        self._callbacks = list(callbacks)
        self._states = dict(states or {})
        for callback in self._callbacks:
            for method, names in SIGNATURES.items():
                arguments.function(f"{type(callback).__name__} {method}", getattr(callback, method), *names)
            callback.set_model(model)

    def on_train_begin(self, logs: Logs) -> None:
        """Call on_train_begin, then restore the states that the list was made with."""
        for callback in self._callbacks:
            callback.on_train_begin(logs)
        for name, callback in self._by_name().items():
            if name in self._states:
                callback.set_state(self._states[name])

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        for callback in self._callbacks:
            callback.on_epoch_end(epoch, logs)
        for callback in self._callbacks:
            callback.on_checkpoint(epoch, logs)

    def get_state(self) -> dict[str, Any]:
        """All callbacks' states by name, and the states of the constructor that no callback here has replaced."""
        states = {name: callback.get_state() for name, callback in self._by_name().items()}
        return self._states | {name: state for name, state in states.items() if state}

    def _by_name(self) -> dict[str, Callback]:
        names: dict[str, Callback] = {}
        for callback in self._callbacks:
            name, copies = type(callback).__name__, 0
            while name in names:
                name = f"{type(callback).__name__}_{(copies := copies + 1)}"
            names[name] = callback
        return names

    def __getattr__(self, method: str) -> Callable[..., None]:
        if method not in SIGNATURES:
            raise AttributeError(method)

        def call_all(*args: Any) -> None:
            for callback in self._callbacks:
                getattr(callback, method)(*args)

        return call_all


class History(Callback):
    """Records the metrics of every epoch: history.history["val_accuracy"] is a list, one number per epoch.

    `epoch` and `history` hold the epochs of one fit, as in Keras. After a resumed fit, `whole` also holds the epochs
    before it: {"epoch": [0, 1, …], "loss": […], …}, NaN where an epoch lacks a metric.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.whole: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        earlier = [dict(zip(self.whole, row, strict=True)) for row in zip(*self.whole.values(), strict=True)]
        metrics = {name: value for name, value in logs.items() if isinstance(value, Real)}
        rows = [row for row in earlier if row["epoch"] < epoch] + [{"epoch": epoch, **metrics}]
        names = dict.fromkeys(name for row in rows for name in row)
        self.whole = {name: [row.get(name, np.nan) for row in rows] for name in names}

    def get_state(self) -> dict[str, Any]:
        return {name: np.array(values) for name, values in self.whole.items()}

    def set_state(self, state: dict[str, Any]) -> None:
        shapes = {values.shape if isinstance(values, np.ndarray) else () for values in state.values()}
        if "epoch" not in state or len(shapes) != 1 or len(*shapes) != 1:
            expected = "arrays of one length, with the epochs among them"
            raise ValueError(explain("History state", expected, f"shapes {shapes}", DAMAGED))
        self.whole = {name: values.tolist() for name, values in state.items()}


class _Monitor:
    """Compares one metric with its best value so far."""

    def __init__(
        self, where: str, monitor: str, mode: str = "auto", min_delta: float = 0.0, best: float | None = None
    ) -> None:
        arguments.choice(f"{where} mode", mode, ("auto", "min", "max"), '"auto", "min" or "max"')
        self.where, self.monitor = where, arguments.text(f"{where} monitor", monitor)
        larger_is_better = mode == "max" or (mode == "auto" and "acc" in monitor)
        self.sign = 1 if larger_is_better else -1
        self.min_delta = abs(arguments.number(f"{where} min_delta", min_delta))
        self.best = -np.inf * self.sign if best is None else arguments.number(f"{where} initial_value_threshold", best)

    def current(self, logs: Logs) -> float:
        if self.monitor not in logs:
            raise ValueError(
                explain(
                    f"{self.where} monitor", "a metric of this training", self.monitor, did_you_mean(self.monitor, logs)
                )
            )
        return logs[self.monitor]

    def improves(self, current: float) -> bool:
        return self.sign * (current - self.best) > self.min_delta

    def get_state(self) -> dict[str, Any]:
        best = float(self.best)
        return {"monitor": self.monitor, "sign": self.sign, "best": best if np.isfinite(best) else None}

    def watches_the_same(self, state: dict[str, Any]) -> bool:
        """Whether the state is of a monitor of the same metric: the best value of another metric does not compare."""
        return (state.get("monitor"), state.get("sign")) == (self.monitor, self.sign)

    def set_state(self, state: dict[str, Any]) -> None:
        if state.get("best") is not None:
            self.best = number_in(self.where, state, "best", (int, float))


def number_in(where: str, state: dict[str, Any], name: str, kinds: Any) -> Any:
    """The number of this name in a saved state. Raises ValueError if it is missing or not a finite number."""
    number = state.get(name)
    if not isinstance(number, kinds) or isinstance(number, bool) or not np.isfinite(number):
        raise ValueError(explain(f"{where} state", f"a number {name}", repr(number), DAMAGED))
    return number


class EarlyStopping(Callback):
    """Stops training when `monitor` has not improved by `min_delta` for `patience` epochs.

    Keras's arguments: monitor, min_delta, patience, verbose, mode, baseline, restore_best_weights, start_from_epoch.
    Its state: the epochs waited, the best value, its epoch and, with restore_best_weights, the weights of that epoch.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        self._make_monitor = lambda: _Monitor("EarlyStopping", monitor, mode, min_delta)
        self.patience = arguments.whole("EarlyStopping patience", patience, least=0)
        self.verbose = arguments.verbose("EarlyStopping verbose", verbose)
        self.baseline = None if baseline is None else arguments.number("EarlyStopping baseline", baseline)
        self.restore_best_weights = arguments.flag("EarlyStopping restore_best_weights", restore_best_weights)
        self.start_from_epoch = arguments.whole("EarlyStopping start_from_epoch", start_from_epoch, least=0)
        self.on_train_begin()  # a wrong mode is an error here, not in fit

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.monitor = self._make_monitor()
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        current = self.monitor.current(logs)
        if epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.monitor.improves(current):
            self.monitor.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.monitor.sign * (current - self.baseline) > 0:
                self.wait = 0
        if self.wait >= self.patience and epoch > 0 and self.wait > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)

    def get_state(self) -> dict[str, Any]:
        state = {**self.monitor.get_state(), "wait": self.wait, "best_epoch": self.best_epoch}
        return state if self.best_weights is None else {**state, "best_weights": self.best_weights}

    def set_state(self, state: dict[str, Any]) -> None:
        if not self.monitor.watches_the_same(state):
            return
        self.monitor.set_state(state)
        self.wait, self.best_epoch = (number_in("EarlyStopping", state, name, int) for name in ("wait", "best_epoch"))
        weights = state.get("best_weights")
        if self.restore_best_weights and isinstance(weights, list):
            check_weights("EarlyStopping state, best_weights", self.model.weights, weights)
            self.best_weights = weights


class ModelCheckpoint(Callback):
    """Saves the model after every epoch, or with save_best_only after each epoch that improved `monitor`.

    `filepath` may contain {epoch} and any metric: "model-{epoch:02d}-{val_loss:.3f}.safetensors". A resumed training is
    bit-identical: model = Sequential.load(path); model.fit(…, initial_epoch=model.epochs_trained).
    The state is the best value, so that a resumed training does not replace a better model by a worse one. For a new
    training, `initial_value_threshold` is the value that has to be improved.
    """

    due = True
    """Whether the model is to be saved after this epoch."""

    def __init__(
        self,
        filepath: str | Path,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        *,
        initial_value_threshold: float | None = None,
    ) -> None:
        self.filepath = str(arguments.path("ModelCheckpoint filepath", filepath))
        self.verbose = arguments.verbose("ModelCheckpoint verbose", verbose)
        self.save_best_only = arguments.flag("ModelCheckpoint save_best_only", save_best_only)
        self.save_weights_only = arguments.flag("ModelCheckpoint save_weights_only", save_weights_only)
        self.monitor = _Monitor("ModelCheckpoint", monitor, mode, best=initial_value_threshold)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.save_best_only:
            current = self.monitor.current(logs)
            self.due = self.monitor.improves(current)
            self.monitor.best = current if self.due else self.monitor.best

    def on_checkpoint(self, epoch: int, logs: Logs) -> None:
        if not self.due:
            return
        path = self._path(epoch, logs)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}")

    def _path(self, epoch: int, logs: Logs) -> str:
        try:
            return self.filepath.format(epoch=epoch + 1, **logs)
        except (LookupError, ValueError) as error:
            known = ", ".join(f"{{{name}}}" for name in ("epoch", *logs))
            where = "ModelCheckpoint filepath"
            found = f"{self.filepath!r} ({type(error).__name__}: {error})"
            expected = "a path with names of this training's metrics"
            raise ValueError(explain(where, expected, found, f"Known: {known}.")) from None

    def get_state(self) -> dict[str, Any]:
        return self.monitor.get_state() if self.save_best_only else {}

    def set_state(self, state: dict[str, Any]) -> None:
        if self.monitor.watches_the_same(state):
            self.monitor.set_state(state)


class LearningRateScheduler(Callback):
    """Before every epoch, learning_rate ← schedule(epoch, learning_rate) or schedule(epoch), epochs counted from 0.

    The history gets a column learning_rate. The callback has no state: the learning rate belongs to the optimiser, and
    a saved model contains it. `minicnn.optimizers.schedules` has schedules over steps instead of epochs.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        where = "LearningRateScheduler schedule"
        try:
            self.schedule = arguments.function(where, schedule, "epoch", "learning_rate")
        except TypeError:
            of_epoch = arguments.function(where, schedule, "epoch")
            self.schedule = lambda epoch, rate: of_epoch(epoch)
        self.verbose = arguments.verbose("LearningRateScheduler verbose", verbose)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        rate = self.schedule(epoch, float(self.model.optimizer.learning_rate))
        rate = arguments.non_negative("LearningRateScheduler, what schedule returns", rate)
        self.model.optimizer.learning_rate = rate
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {rate:g}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        logs["learning_rate"] = self.model.optimizer.learning_rate


class ReduceLROnPlateau(Callback):
    """Multiplies the learning rate by `factor` when `monitor` has not improved by `min_delta` for `patience` epochs.

    Keras's arguments: monitor, factor, patience, verbose, mode, min_delta, cooldown (epochs to wait after a
    reduction), min_lr. The history gets a column learning_rate, the rate of each epoch.
    Its state: the best value, the epochs waited and the epochs of cooldown left.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        self._make_monitor = lambda: _Monitor("ReduceLROnPlateau", monitor, mode, min_delta)
        self.factor = arguments.fraction("ReduceLROnPlateau factor", factor)
        self.patience = arguments.whole("ReduceLROnPlateau patience", patience, least=0)
        self.verbose = arguments.verbose("ReduceLROnPlateau verbose", verbose)
        self.cooldown = arguments.whole("ReduceLROnPlateau cooldown", cooldown, least=0)
        self.min_lr = arguments.non_negative("ReduceLROnPlateau min_lr", min_lr)
        self.on_train_begin()  # a wrong mode is an error here, not in fit

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.monitor = self._make_monitor()
        self.wait = self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        current = self.monitor.current(logs)
        rate = logs["learning_rate"] = self.model.optimizer.learning_rate
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.monitor.improves(current):
            self.monitor.best, self.wait = current, 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                self.model.optimizer.learning_rate = rate = max(rate * self.factor, self.min_lr)
                self.cooldown_counter, self.wait = self.cooldown, 0
                if self.verbose:
                    print(f"Epoch {epoch + 1}: learning rate reduced to {rate:g}")

    def get_state(self) -> dict[str, Any]:
        return {**self.monitor.get_state(), "wait": self.wait, "cooldown_counter": self.cooldown_counter}

    def set_state(self, state: dict[str, Any]) -> None:
        if self.monitor.watches_the_same(state):
            self.monitor.set_state(state)
            names = ("wait", "cooldown_counter")
            self.wait, self.cooldown_counter = (number_in("ReduceLROnPlateau", state, name, int) for name in names)


class WeightAveraging(Callback):
    """Gives the model the mean of its weights after every step since epoch `start_from_epoch`, counted from 0.

    After n steps: mean ← mean + (weights − mean) / n, batch norm's moving statistics included. Every step of a training
    with noisy gradients ends beside the minimum; the mean of many steps is nearer to it (Izmailov et al., 2018,
    "Averaging Weights Leads to Wider Optima and Better Generalization").

    At an epoch's end, before its validation, the model gets the mean, and a checkpoint saves it; the next epoch
    continues with the weights of the last step.
    Its state: the number of steps, the mean and the weights of the last step.
    """

    def __init__(self, start_from_epoch: int = 0) -> None:
        self.start_from_epoch = arguments.whole("WeightAveraging start_from_epoch", start_from_epoch, least=0)
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.steps = 0
        self.mean: list[np.ndarray] = []
        self.latest: list[np.ndarray] = []
        """The weights after the last step of an epoch; empty while an epoch runs."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.averages = epoch >= self.start_from_epoch
        if self.latest:
            self.model.set_weights(self.latest)
            self.latest = []

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if not self.averages:
            return
        self.steps += 1
        weights = self.model.get_weights()
        means = zip(self.mean or weights, weights, strict=True)
        self.mean = [mean + (weight - mean) / self.steps for mean, weight in means]

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if self.steps and not self.latest:
            self.latest = self.model.get_weights()
            self.model.set_weights(self.mean)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.on_test_begin()  # without validation data, nothing called it yet

    def get_state(self) -> dict[str, Any]:
        return {"steps": self.steps, "mean": self.mean, "latest": self.latest} if self.steps else {}

    def set_state(self, state: dict[str, Any]) -> None:
        self.steps = number_in("WeightAveraging", state, "steps", int)
        for name in ("mean", "latest"):
            weights = state.get(name)
            if weights or name == "mean":
                check_weights(f"WeightAveraging state, {name}", self.model.weights, weights)
            setattr(self, name, weights)


class CSVLogger(Callback):
    """Writes one line per epoch to a CSV file: epoch and all metrics; append=True appends to an existing file."""

    def __init__(self, filename: str | Path, separator: str = ",", append: bool = False) -> None:
        self.filename = arguments.path("CSVLogger filename", filename)
        self.separator = arguments.text("CSVLogger separator", separator)
        if len(self.separator) != 1 or self.separator in '\r\n"':
            raise ValueError(explain("CSVLogger separator", "one character", repr(separator), 'Example: ",".'))
        self.append = arguments.flag("CSVLogger append", append)
        self._file: TextIO | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        with explained(self.filename, "cannot be written", "Choose another path for the CSV file."):
            self._open()

    def _open(self) -> None:
        self._has_header = self.append and self.filename.exists() and self.filename.stat().st_size > 0
        self.filename.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.filename.open("a" if self.append else "w", newline="", encoding="utf-8")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        assert self._file is not None
        writer = csv.DictWriter(self._file, ["epoch", *logs], delimiter=self.separator)
        if not self._has_header:
            writer.writeheader()
            self._has_header = True
        writer.writerow({"epoch": epoch, **logs})
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
