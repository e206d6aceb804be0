"""Training: `fit` repeats `train_step` (forward, loss, backward, optimiser step) over the batches of all epochs."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from . import arguments, losses, optimizers
from .backends import active, to_host
from .backends.contract import Array
from .callbacks import Callback, CallbackList, History
from .data import Batches
from .diagnosis import non_finite_epoch_error, non_finite_error
from .errors import explain
from .layers import Layer
from .losses import Loss
from .metrics import Accuracy, Mean, RunningLogs, check_name
from .network import Network, with_activations
from .notices import Notices, check_flattened
from .optimizers import Optimizer
from .progress import ProgressBar
from .random import draw_seed


class Trainer(Network):
    """A network with compile, fit, evaluate and predict."""

    optimizer: Optimizer
    loss: Loss
    metric_names: list[str]
    compiled = False
    stop_training = False
    """Set by a callback to end `fit` after the current epoch."""
    epochs_trained = 0
    """How many epochs this model has been trained; with `seed`, it determines the next epoch's order of samples."""

    callbacks = CallbackList([], None)
    """The callbacks of the fit in progress; otherwise their states, which a resumed fit restores."""

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self.seed = draw_seed()
        self.noticed: set[str] = set()
        """The kinds of notices that training has given; see notices.py."""

    def compile(self, optimizer: Any = None, loss: Any = None, *, metrics: Sequence[str] | str | None = None) -> None:
        """Choose the optimiser, the loss and the metrics, each by object or by Keras's string name.

        Raises ValueError for an unknown name, or if optimiser or loss are missing.
        """
        if optimizer is None:  # Keras's default, rmsprop, is not offered; another default would change results silently
            raise ValueError(explain("compile", "an optimiser", "none", 'Example: optimizer="adam".'))
        if loss is None:
            raise ValueError(explain("compile", "a loss", "none", 'Example: loss="categorical_crossentropy".'))
        self.optimizer = optimizers.get(optimizer)
        self.loss = losses.get(loss)
        names = [metrics] if isinstance(metrics, str) else [] if metrics is None else metrics
        self.metric_names = [check_name(name) for name in arguments.sequence("compile metrics", names, str, "names")]
        self.compiled = True

    def train_step(self, x: Array, y: Array) -> tuple[Array, Array]:
        """One step on one batch: forward, loss, backward, update. Returns loss and outputs from before the update."""
        self.check_compiled("train_step")
        x = arguments.array("train_step", "x", x, self.dtype)
        self.ensure_built(x)
        network, loss = self.objective()
        y_pred = network.forward(x, training=True)
        value = network.add_penalties(loss.forward(y, y_pred))
        number = active().read_if_ready(value)  # None on a GPU: fit reads the loss at the end of the epoch
        if number is not None and not np.isfinite(number):
            raise non_finite_error(self, x, number, self.optimizer.iterations + 1)
        network.backward(loss.backward(), need_dx=False)
        network.add_penalty_gradients()
        self.optimizer.step(self.parameters())
        return value, y_pred

    def objective(self) -> tuple[Network, Loss]:
        """The network and the loss that training minimises, for a built and compiled model.

        A layer without an activation and an activation layer after it are one operation. So are softmax and
        cross-entropy, on the logits: its gradient is p − y without a division by p. Then the network has
        copies of these layers, which share their weights; the model's own layers stay as they are.
        """
        if type(self).forward is not Network.forward or "forward" in vars(self):
            return self, self.loss
        layers, sources = with_activations(self.layers, self.sources)
        layers, loss = on_logits(layers, self.loss)
        if layers == self.layers:
            return self, loss
        return Network(layers, sources, name=self.name, input_shape=self.input_shape), loss

    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: tuple[Any, Any] | None = None,
        shuffle: bool = True,
        *,
        initial_epoch: int = 0,
        validation_batch_size: int | None = None,
    ) -> History:
        """Train for epochs − initial_epoch epochs; returns the History, with the metrics of every epoch.

        x (N, …) numbers of the model's input shape; the loss says what y is. `validation_split` holds out the last
        share of the samples, before any shuffling; `validation_data` (x, y) takes precedence. `verbose`: 0 silent,
        2 one line per epoch on standard output; 1 and "auto" also a bar while an epoch runs, on standard error if it is
        a terminal, or in a notebook's cell.
        With initial_epoch above 0, training resumes: a callback starts with the state that the callback of the same
        class, counted in order, had at the end of the last fit or when the model was saved. With 0, it starts afresh.
        Raises ValueError or TypeError for data that cannot be used, NonFiniteError if the loss turns NaN.
        """
        self.check_compiled("fit")
        epochs = arguments.whole("fit epochs", epochs, least=0)
        initial_epoch = arguments.whole("fit initial_epoch", initial_epoch, least=0, most=epochs)
        shuffle = arguments.flag("fit shuffle", shuffle)
        train, validation = Batches(x, y, batch_size, "fit", self.dtype), None
        if validation_batch_size is None:
            validation_batch_size = train.batch_size
        arguments.whole("fit validation_batch_size", validation_batch_size)
        if validation_data is not None:
            validation = Batches(*_pair(validation_data), validation_batch_size, "fit validation_data", self.dtype)
        elif arguments.fraction("fit validation_split", validation_split):
            train, validation = train.split(validation_split)
        for batches in (train, validation):
            if batches is not None:
                self._check_targets(batches)
        history = History()
        callbacks = [callbacks] if isinstance(callbacks, Callback) else [] if callbacks is None else callbacks
        callbacks = arguments.sequence("fit callbacks", callbacks, Callback, "Callback objects")
        states = self.callbacks.get_state() if initial_epoch else None
        watchers = CallbackList([*callbacks, history, ProgressBar(verbose, len(train), epochs)], self, states)
        self.stop_training = False
        logs: dict[str, float] = {}
        notices = Notices(self.noticed)
        watchers.on_train_begin(logs)
        self.callbacks = watchers
        try:
            for epoch in range(initial_epoch, epochs):
                watchers.on_epoch_begin(epoch, {})
                logs = self._train_epoch(train, shuffle, watchers, notices if epoch == initial_epoch else None)
                notices.epoch(epoch + 1, logs["loss"], self.optimizer.learning_rate)
                if validation is not None:
                    watchers.on_test_begin({})
                    logs |= {f"val_{name}": value for name, value in self._measure(validation).items()}
                self.epochs_trained += 1
                watchers.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
        finally:
            watchers.on_train_end(logs)
            self.callbacks = CallbackList([], None, watchers.get_state())  # without references to the model
        return history

    def train_on_batch(self, x: Any, y: Any, *, return_dict: bool = False) -> Any:
        """One step on one batch; returns its loss and metrics before the update, in the form of evaluate."""
        self.check_compiled("train_on_batch")
        batches = Batches(x, y, arguments.LARGEST_INT, "train_on_batch", self.dtype)
        self._check_targets(batches)
        notices = None if self.optimizer.iterations else Notices(self.noticed)
        return _as_keras(self._train_epoch(batches, False, CallbackList([], self), notices), return_dict)

    def evaluate(
        self, x: Any, y: Any, batch_size: int | None = None, verbose: str | int = "auto", *, return_dict: bool = False
    ) -> Any:
        """The loss, [loss, *metrics] if there are metrics, or a dict of both with return_dict=True."""
        self.check_compiled("evaluate")
        batches = Batches(x, y, batch_size, "evaluate", self.dtype)
        self._check_targets(batches)
        verbose = arguments.verbose("evaluate verbose", verbose)
        metrics = self._measure(batches)
        if verbose not in (0, "auto"):
            print(" - ".join(f"{name}: {value:.4f}" for name, value in metrics.items()))
        return _as_keras(metrics, return_dict)

    def predict(self, x: Any, batch_size: int | None = None, verbose: str | int = 0) -> np.ndarray:
        """The outputs for all samples, computed batch by batch. `verbose` is accepted because Keras has it."""
        arguments.verbose("predict verbose", verbose)
        batches = Batches(x, None, batch_size, "predict", self.dtype)
        self.check_input(batches.x)
        self.ensure_built(batches.x)
        network = self if len(batches) == 1 else self.snapshot()  # all batches with the same weights
        return np.concatenate([to_host(network.infer(xb)) for xb, _ in batches.in_order(self.dtype)])

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """The outputs for one batch, as a NumPy array. Faster than predict: x is not checked for finite numbers.

        Raises TypeError or ValueError if x is not an array or does not fit.
        """
        return np.array(to_host(self.infer(x)))

    def _train_epoch(
        self, batches: Batches, shuffle: bool, watchers: CallbackList, notices: Notices | None
    ) -> dict[str, float]:
        """One pass over the batches; `notices` look at the first one. Returns the metrics."""
        mean_loss, accuracies = self._trackers()
        logs = RunningLogs([mean_loss, *accuracies])
        if shuffle:
            order = np.random.default_rng((self.seed, self.epochs_trained)).permutation(batches.samples)
            stream = batches.shuffled(self.dtype, order)
        else:
            stream = batches.in_order(self.dtype)
        for number, (x, y) in enumerate(stream):
            watchers.on_train_batch_begin(number, {})
            value, y_pred = self.train_step(x, y)
            if number == 0 and notices is not None:
                notices.first_batch(self.layers, self.objective()[1], self.optimizer.iterations == 1, x, y, y_pred)
            mean_loss.update(value, len(x))
            for accuracy in accuracies:
                accuracy.update(y, y_pred)
            watchers.on_train_batch_end(number, logs)
        metrics = dict(logs)
        if not np.isfinite(metrics["loss"]):  # one non-finite step makes the mean non-finite
            raise non_finite_epoch_error(self, x, metrics["loss"], self.optimizer.iterations)
        return metrics

    def _measure(self, batches: Batches) -> dict[str, float]:
        mean_loss, accuracies = self._trackers()
        network, loss = self.objective()
        network, loss = network.snapshot(), copy(loss)  # a training step of another thread keeps its own `saved`
        for x, y in batches.in_order(self.dtype):
            y_pred = network.infer(x)
            mean_loss.update(network.add_penalties(loss.forward(y, y_pred)), len(x))
            for accuracy in accuracies:
                accuracy.update(y, y_pred)
        return dict(RunningLogs([mean_loss, *accuracies]))

    def _trackers(self) -> tuple[Mean, list[Accuracy]]:
        return Mean("loss"), [Accuracy(name) for name in self.metric_names]

    def check_compiled(self, where: str) -> None:
        """Raise RuntimeError, naming the caller, unless the model has an optimiser and a loss."""
        if not self.layers:
            raise RuntimeError(f"{where} needs layers. Call add(layer) first.")
        if not self.compiled:
            raise RuntimeError(f'{where} needs a compiled model. Call compile(optimizer="adam", loss=…) first.')
        self.optimizer, self.loss = optimizers.get(self.optimizer), losses.get(self.loss)

    def _check_targets(self, batches: Batches) -> None:
        """Run the network on the first sample, which builds it, and check all targets against its output shape."""
        if batches.y is None:
            raise ValueError(explain("fit", "targets y", "none", "Give one target per sample."))
        self.check_input(batches.x)
        output = self.infer(batches.x[:1])
        check_flattened(self.loss, batches.y, (batches.samples, *output.shape[1:]))
        batches.y = self.loss.check_targets(batches.y, (batches.samples, *output.shape[1:]))


def _pair(data: Any) -> tuple[Any, Any]:
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ValueError(explain("fit validation_data", "(x, y)", type(data).__name__, "Pass a tuple of two arrays."))
    return data[0], data[1]


def _as_keras(metrics: dict[str, float], return_dict: bool) -> Any:
    """The metrics as Keras returns them: a dict, a list, or the loss alone."""
    if arguments.flag("return_dict", return_dict):
        return metrics
    values = list(metrics.values())
    return values if len(values) > 1 else values[0]


def on_logits(layers: list[Layer], loss: Loss) -> tuple[list[Layer], Loss]:
    """Built layers without a final softmax and the loss on logits, if it is a cross-entropy; else as they are."""
    if isinstance(loss, losses.Crossentropy) and not loss.from_logits and layers[-1].activation == "softmax":
        logits = layers[-1].ending_in("linear")
        if logits is not None:
            return [*layers[:-1], logits], loss.on_logits()
    return layers, loss
