"""Training: `fit` repeats `train_step` (forward, loss, backward, optimiser step) over the batches of all epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from . import arguments, losses, metrics, optimizers, outputs, streams
from .backends import active, to_host
from .backends.contract import Array
from .callbacks import Callback, CallbackList, History, TerminateOnNaN
from .data import Batches
from .diagnosis import non_finite_epoch_error, non_finite_error
from .distributed import DataParallel
from .errors import NonFiniteError, explain
from .layers import Layer
from .layers.base import shape_of, with_batch
from .losses import Loss
from .metrics import Metric, RunningLogs, RunningMean
from .network import Network, first_sample, with_activations
from .notices import Notices, check_flattened
from .optimizers import Optimizer
from .progress import ProgressBar
from .random import draw_seed
from .several import each, listed
from .streams import Stream


class Trainer(Network):
    """A network with compile, fit, evaluate and predict."""

    optimizer: Optimizer
    loss: Loss
    compiled_metrics: Sequence[Metric] = ()
    """The metrics as they were given: fit, evaluate and the others measure with copies of them."""
    weighted_metrics: Sequence[Metric] = ()
    """Those that `sample_weight` and `class_weight` apply to."""
    compiled = False
    stop_training = False
    """Set by a callback to end `fit` after the current epoch."""
    epochs_trained = 0
    """How many epochs this model has been trained; with `seed`, it determines the next epoch's order of samples."""

    _objective: tuple[Network, Loss] | None = None
    """The result of `objective` for the epoch in progress."""

    history: History
    """What the last fit returned."""

    parallel: DataParallel | None = None
    """The processes that share the batches of fit; see distributed.py."""

    callbacks = CallbackList([], None)
    """The callbacks of the fit in progress; otherwise their states, which a resumed fit restores."""

    def __init_subclass__(cls, **options: Any) -> None:
        """A subclass with its own `train_step` takes x, y and weights: Keras's takes them as one tuple."""
        super().__init_subclass__(**options)
        arguments.function(f"{cls.__name__} train_step", cls.train_step, "self", "x", "y", "sample_weight")

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self.seed = draw_seed()
        self.noticed: set[str] = set()
        """The kinds of notices that training has given; see notices.py."""

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose the optimiser, the loss and the metrics, each by object, by Keras's string name, or by class.

        `metrics` are measured without weights, `weighted_metrics` with `sample_weight` and `class_weight`.
        A weighted metric that is also measured without weights is called "weighted_…". For several outputs: one loss
        for all, or losses, `loss_weights` and metrics in a list or a dict by the outputs' names (those of their
        layers); None for an output that is not trained. The loss is the weighted sum.
        The last four arguments choose how Keras executes a step, and change no result; here they have no effect.
        Raises ValueError for an unknown name, or if the loss is missing; TypeError for a loss without a gradient.
        """
        if loss is None:
            raise ValueError(explain("compile", "a loss", "none", 'Example: loss="categorical_crossentropy".'))
        self.optimizer = optimizers.get(optimizer)
        if len(self.output_numbers) > 1:
            several = self.loss = outputs.loss_of(self.output_names, loss, loss_weights)
            self.compiled_metrics = outputs.metrics_of("compile metrics", several, metrics)
            taken = {metric.name for metric in self.compiled_metrics}
            self.weighted_metrics = outputs.metrics_of("compile weighted_metrics", several, weighted_metrics, taken)
        else:
            arguments.only("compile loss_weights", loss_weights, None, "There is one output, so nothing to weigh.")
            loss = outputs.of_the_output("compile loss", self.output_names, loss)
            self.loss = outputs.one_number(loss[0] if isinstance(loss, (list, tuple)) and len(loss) == 1 else loss)
            self.compiled_metrics = _metrics("compile metrics", self.output_names, metrics)
            found = _metrics("compile weighted_metrics", self.output_names, weighted_metrics)
            taken = {metric.name for metric in self.compiled_metrics}
            self.weighted_metrics = [outputs.weighted(metric, metric.name, taken) for metric in found]
        names = self.metrics_names
        if len(set(names)) < len(names):
            raise ValueError(explain("compile metrics", "different names", ", ".join(names), "Give each a name=…."))
        self.compiled = True

    @property
    def metrics_names(self) -> list[str]:
        """The names of what evaluate returns: "loss", the losses of several outputs, and the metrics."""
        metrics = (*self.compiled_metrics, *self.weighted_metrics)
        return [*self._loss_names(), *(metric.name for metric in metrics)]

    def _loss_names(self) -> list[str]:
        """The names of the mean losses: "loss", and those of several outputs."""
        loss = getattr(self, "loss", None)
        of_outputs = loss.target_names if isinstance(loss, outputs.LossOfOutputs) else []
        return ["loss", *(f"{name}_loss" for name in of_outputs)]

    def train_step(self, x: Array, y: Array, sample_weight: Any = None) -> tuple[Array, Array]:
        """One step on one batch: forward, loss, backward, update. Returns loss and outputs from before the update."""
        self.check_compiled("train_step")
        x = self.as_input(x, "train_step")
        self.ensure_built(x)
        network, loss = self._objective or self.objective()
        parameters = self.parameters()
        penalized = any(parameter.regularizer is not None for parameter in parameters)
        y_pred = network.forward(x, training=True)
        value = loss.forward(y, y_pred, sample_weight)
        if penalized:
            value = network.add_penalties(value)
        number = active().read_if_ready(value)  # None on a GPU: fit reads the loss at the end of the epoch
        if number is not None and not np.isfinite(number):
            raise non_finite_error(self, x, number, self.optimizer.iterations + 1)
        network.backward(loss.backward(), need_dx=False)
        if penalized:
            network.add_penalty_gradients()
        self.optimizer.step(parameters)
        return value, y_pred

    def objective(self) -> tuple[Network, Loss]:
        """The network and the loss that training minimises, for a built and compiled model.

        A layer without an activation and an activation layer after it are one operation. So are softmax and
        cross-entropy, and sigmoid and binary cross-entropy, on the logits: the gradient is p − y without a division by
        p. Then the network has copies of these layers, which share their weights; the model's own layers stay as they
        are.
        """
        if not self._is_its_layers:
            return self, self.loss
        names = self.input_names
        layers, sources, outputs, modes = with_activations(
            self.layers, self.sources, self.output_numbers, self.modes, len(names)
        )
        layers, loss = on_logits(layers, self.loss)
        if layers == self.layers:
            return self, loss
        shape = self.input_shape
        return Network(layers, sources, outputs, modes, name=self.name, input_shape=shape, input_names=names), loss

    @property
    def _is_its_layers(self) -> bool:
        """Whether the model computes what its layers compute: no subclass, and nobody else, has replaced `forward`."""
        return type(self).forward is Network.forward and "forward" not in vars(self)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> History:
        """Train for epochs − initial_epoch epochs; returns the History, with the metrics of every epoch.

        x (N, …) numbers of the model's input shape, for several inputs a list, a tuple, or a dict by their names; the
        loss says what y is. Or x is an iterable of batches (x, y) or
        (x, y, sample_weight), without y: a generator, a list, a Keras Sequence, PyTorch's DataLoader, tf.data.
        `validation_split` holds out the last share of the samples, before any shuffling; `validation_data` (x, y),
        (x, y, sample_weight) or an iterable takes precedence. It is measured every `validation_freq` epochs, or in the
        listed ones, counted from 1.
        `class_weight` {class: weight} or `sample_weight` (N,) multiply the losses of the samples. `steps_per_epoch` and
        `validation_steps` end an epoch after so many batches; an iterable goes on there in the next epoch.
        `verbose`: 0 silent, 2 one line per epoch on standard output; 1 and "auto" also a bar while an epoch runs, on
        standard error if it is a terminal, or in a notebook's cell.
        With initial_epoch above 0, training resumes: a callback starts with the state that the callback of the same
        class, counted in order, had at the end of the last fit or when the model was saved. With 0, it starts afresh.
        Raises ValueError or TypeError for data that cannot be used, NonFiniteError if the loss turns NaN.
        """
        self.check_compiled("fit")
        epochs = arguments.whole("fit epochs", epochs, least=0)
        initial_epoch = arguments.whole("fit initial_epoch", initial_epoch, least=0, most=epochs)
        shuffle = arguments.flag("fit shuffle", shuffle)
        options = {"sample_weight": sample_weight, "class_weight": class_weight}
        train = self._source(
            "fit", x, y, batch_size, steps=streams.steps("fit steps_per_epoch", steps_per_epoch), **options
        )
        validation: Batches | Stream | None = None
        if validation_batch_size is None:
            validation_batch_size = batch_size
        else:
            arguments.whole("fit validation_batch_size", validation_batch_size)
        last = streams.steps("fit validation_steps", validation_steps)
        if validation_data is not None:
            data, where = _parts(validation_data), "fit validation_data"
            validation = self._source(where, *data[:2], validation_batch_size, sample_weight=data[2], steps=last)
        elif arguments.fraction("fit validation_split", validation_split):
            if isinstance(train, Stream):
                remedy = "Give validation_data, another iterable."
                raise ValueError(explain("fit validation_split", "arrays x and y", "an iterable", remedy))
            train, validation = train.split(validation_split)
            validation.steps = last
        if self.parallel is not None:
            self.parallel.share(self, train, validation, epochs=epochs, initial_epoch=initial_epoch)
        history = self.history = History()
        callbacks = _callbacks("fit", callbacks)
        states = self.callbacks.get_state() if initial_epoch else None
        watchers = CallbackList([*callbacks, history, ProgressBar(verbose, train.count, epochs)], self, states)
        params = {"epochs": epochs, "steps": train.count, "verbose": verbose, "validation": validation is not None}
        watchers.set_params(params)
        due = _validation_epochs(validation_freq)
        self.stop_training = False
        logs: dict[str, float] = {}
        notices = Notices(self.noticed)
        watchers.on_train_begin(logs)
        self.callbacks = watchers
        try:
            for epoch in range(initial_epoch, epochs):
                watchers.on_epoch_begin(epoch, {})
                logs = self._train_epoch(train, shuffle, watchers, notices if epoch == initial_epoch else None)
                if not logs:  # an iterable without further batches: it has warned
                    break
                notices.epoch(epoch + 1, logs["loss"], self.optimizer.learning_rate)
                if validation is not None and due(epoch + 1):
                    logs |= {f"val_{name}": value for name, value in self._measure(validation, watchers).items()}
                self.epochs_trained += 1
                watchers.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
            self.optimizer.finalize_variable_values(self.parameters())
        except NonFiniteError as error:
            if not any(isinstance(one, TerminateOnNaN) and not one.raise_error for one in callbacks):
                raise
            print(f"TerminateOnNaN: {error}")
            logs = {"loss": float("nan")}
            watchers.on_epoch_end(epoch, logs)
            self.stop_training = True
        finally:
            watchers.on_train_end(logs)
            self.callbacks = CallbackList([], None, watchers.get_state())  # without references to the model
        return history

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch; returns its loss and metrics before the update, in the form of evaluate."""
        self.check_compiled("train_on_batch")
        options = {"sample_weight": sample_weight, "class_weight": class_weight}
        batches = self._source("train_on_batch", x, y, arguments.LARGEST_INT, **options)
        notices = None if self.optimizer.calls else Notices(self.noticed)
        return _as_keras(self._train_epoch(batches, False, CallbackList([], self), notices), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and metrics of one batch, in the form of evaluate."""
        self.check_compiled("test_on_batch")
        batches = self._source("test_on_batch", x, y, arguments.LARGEST_INT, sample_weight=sample_weight)
        return _as_keras(self._measure(batches, CallbackList([], self)), return_dict)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss, [loss, *metrics] if there are metrics, or a dict of both with return_dict=True.

        x and y as in fit; `steps` ends it after so many batches.
        """
        self.check_compiled("evaluate")
        verbose = arguments.verbose("evaluate verbose", verbose)
        last = streams.steps("evaluate steps", steps)
        batches = self._source("evaluate", x, y, batch_size, sample_weight=sample_weight, steps=last)
        metrics = self._measure(batches, self._watchers("evaluate", callbacks, batches, verbose))
        if not metrics:
            raise ValueError(
                explain("evaluate", "at least one batch", "none", "The iterable has ended: pass a new one.")
            )
        if verbose not in (0, "auto"):
            print(" - ".join(f"{name}: {value:.4f}" for name, value in metrics.items()))
        return _as_keras(metrics, return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = 0,
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for all samples, computed batch by batch: an array, or a list of arrays if there are several.

        x (N, …), or an iterable of batches x or (x, …); `steps` ends it after so many batches. `verbose` is accepted
        because Keras has it.
        """
        verbose = arguments.verbose("predict verbose", verbose)
        last = streams.steps("predict steps", steps)
        if streams.is_stream(x, None):
            batches: Batches | Stream = Stream(x, "predict", self.dtype, self.input_names, steps=last)
        else:
            x = self.as_input(x, "predict")
            batches = Batches(x, None, batch_size, "predict", self.dtype, self.input_names, steps=last)
            self.check_input(batches.x)
        infer = self.infer if batches.count == 1 else self.frozen()  # all batches with the same weights
        watchers = self._watchers("predict", callbacks, batches, verbose)
        watchers.on_predict_begin({})
        results = []
        for number, (xb, _, _) in enumerate(batches.in_order(self.dtype)):
            watchers.on_predict_batch_begin(number, {})
            results.append(each(to_host, infer(xb)))
            watchers.on_predict_batch_end(number, {"outputs": results[-1]})
        watchers.on_predict_end({})
        if not results:
            raise ValueError(
                explain("predict", "at least one batch", "none", "The iterable has ended: pass a new one.")
            )
        if len(self.output_numbers) == 1:
            return np.concatenate(results)
        return [np.concatenate(parts) for parts in zip(*results, strict=True)]

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch: a NumPy array, or a list if there are several. Faster than predict: x is not
        checked for finite numbers.

        Raises TypeError or ValueError if x is not an array or does not fit.
        """
        return each(lambda y: np.array(to_host(y)), self.infer(x))

    def _watchers(self, where: str, callbacks: Any, batches: Batches | Stream, verbose: int | str) -> CallbackList:
        """The callbacks of evaluate or predict."""
        watchers = CallbackList(_callbacks(where, callbacks), self)
        watchers.set_params({"epochs": 1, "steps": batches.count, "verbose": verbose})
        return watchers

    def _source(self, where: str, x: Any, y: Any, batch_size: Any, *, sample_weight: Any = None, **options: Any) -> Any:
        """The batches of arrays or of an iterable, checked against the model and its loss."""
        if x is None:
            raise ValueError(explain(where, "samples x", "none", "Give an array, or an iterable of batches."))
        if not streams.is_stream(x, y):
            if y is None:
                raise ValueError(explain(where, "targets y", "none", "Give one target per sample."))
            x, (targets, y) = self.as_input(x, where), outputs.targets_in_order(where, self.loss, y)
            options["sample_weight"] = sample_weight
            batches = Batches(x, y, batch_size, where, self.dtype, self.input_names, targets, **options)
            batches.y = self._checked_targets(batches.x, batches.y)
            return batches
        for name, value in {"batch_size": batch_size, "sample_weight": sample_weight}.items():
            remedy = "An iterable yields whole batches: (x, y), or (x, y, sample_weight)."
            if value != arguments.LARGEST_INT:
                arguments.only(f"{where} {name}", value, None, remedy)
        return Stream(x, where, self.dtype, self.input_names, self.loss, check=self._checked_targets, **options)

    def _train_epoch(
        self, batches: Batches | Stream, shuffle: bool, watchers: CallbackList, notices: Notices | None
    ) -> dict[str, float]:
        """One pass over the batches; `notices` look at the first one. Returns the metrics; {} if there was no batch."""
        means, plain, weighted = self._trackers()
        logs = RunningLogs([*means, *plain, *weighted])
        if shuffle and isinstance(batches, Batches):
            order = np.random.default_rng((self.seed, self.epochs_trained)).permutation(batches.samples)
            stream = batches.shuffled(self.dtype, order)
        else:
            stream = batches.in_order(self.dtype)
        parallel = batches.parallel
        train_step = self.train_step if parallel is None else partial(parallel.train_step, self)
        x = None
        try:
            for number, (x, y, weights) in zip(count(), stream):
                assert y is not None  # _source has checked it
                watchers.on_train_batch_begin(number, {})
                if self._objective is None:
                    self._objective = _, loss = self.objective()  # in every step it would take a percent of the time
                    activation = self._activation_for(loss, [*plain, *weighted])
                value, y_pred = train_step(x, y, weights)
                if number == 0 and notices is not None and type(y) is not list:
                    first = self.optimizer.calls == 1
                    notices.first_batch(self.layers, loss, first, x, y, y_pred, weights)
                _update_means(means, [value, *loss.parts], len(listed(y)[0]))
                _update(plain, weighted, activation, y, y_pred, weights)
                watchers.on_train_batch_end(number, logs)
        finally:
            self._objective = None
        if x is None:
            return {}
        found = dict(logs)
        if not np.isfinite(found["loss"]):  # one non-finite step makes the mean non-finite
            raise non_finite_epoch_error(self, x, found["loss"], self.optimizer.iterations)
        return found

    def _measure(self, batches: Batches | Stream, watchers: CallbackList) -> dict[str, float]:
        """The loss and the metrics over the batches; {} if there was no batch."""
        means, plain, weighted = self._trackers()
        logs = RunningLogs([*means, *plain, *weighted])
        watchers.on_test_begin({})
        parallel = batches.parallel
        network: Network | None = None
        for number, (x, y, weights) in enumerate(batches.in_order(self.dtype)):
            assert y is not None  # _source has checked it
            watchers.on_test_batch_begin(number, {})
            if network is None:
                network, loss = self.objective()
                network, loss = network.snapshot(), copy(loss)  # another thread's training step keeps its own `saved`
                activation = self._activation_for(loss, [*plain, *weighted])
            y_pred = network.infer(x) if parallel is None else parallel.infer(network, x, len(y))
            value = network.add_penalties(loss.forward(y, y_pred, weights))
            _update_means(means, [value, *loss.parts], len(listed(y)[0]))
            _update(plain, weighted, activation, y, y_pred, weights)
            watchers.on_test_batch_end(number, logs)
        measured = {} if network is None else dict(logs)
        watchers.on_test_end(measured)
        return measured

    def _activation_for(self, loss: Loss, metrics: Sequence[Metric]) -> str | None:
        """The model's last activation, if this loss computes it, as an objective's may, and the metrics need it."""
        several = self.output_shape is not None and self.output_shape[-1] != 1
        if (
            loss is self.loss
            or not isinstance(self.loss, losses.Crossentropy)
            or not metrics
            or (several and all(metric.takes_logits for metric in metrics))
        ):
            return None
        return self.loss.activation

    def _trackers(self) -> tuple[list[RunningMean], list[Metric], list[Metric]]:
        """The mean loss, then those of several outputs, and the metrics; all have seen no batch."""
        plain, weighted = (
            [metric.fresh() for metric in given] for given in (self.compiled_metrics, self.weighted_metrics)
        )
        return list(map(RunningMean, self._loss_names())), plain, weighted

    def check_compiled(self, where: str) -> None:
        """Raise RuntimeError, naming the caller, unless the model has an optimiser and a loss."""
        if not self.layers:
            raise RuntimeError(f"{where} needs layers. Call add(layer) first.")
        if not self.compiled:
            raise RuntimeError(f'{where} needs a compiled model. Call compile(optimizer="adam", loss=…) first.')
        self.optimizer, self.loss = optimizers.get(self.optimizer), losses.get(self.loss)

    def _checked_targets(self, x: Any, y: Any) -> Any:
        """Check all targets against the network's output shape.

        A network that is not built for samples of x's shape predicts the first one, which builds it.
        """
        x = self.as_input(x)
        self.check_input(x)
        known = self._is_its_layers and self.built and self.built_for == with_batch(None, shape_of(x))
        shape = self.output_shape if known else shape_of(self.infer(each(first_sample, x)))
        shape = with_batch(len(listed(x)[0]), shape)
        for loss, targets, its_shape in self.loss.parts_of(y, shape):
            check_flattened(loss, targets, its_shape)
        return self.loss.check_targets(y, shape)


def _update_means(means: Sequence[RunningMean], values: Sequence[Array], samples: int) -> None:
    """Add a batch's loss, and those of several outputs, to their means."""
    for mean, value in zip(means, values, strict=False):  # a train_step of one's own may not compute the parts
        mean.update(value, samples)


def _metrics(where: str, names: Sequence[str], given: Any) -> list[Metric]:
    """Metric objects for a metric or a list of metrics of the only output; also in a list, or a dict by its name."""
    given = outputs.of_the_output(where, names, given)
    several = given if isinstance(given, (list, tuple)) else [] if given is None else [given]
    flat = [item for part in several for item in (part if isinstance(part, (list, tuple)) else [part])]
    return [metrics.get(item) for item in flat]


def _callbacks(where: str, given: Any) -> list[Callback]:
    """The callbacks for a callback, a list of them, or None."""
    several = [given] if isinstance(given, Callback) else [] if given is None else given
    return arguments.sequence(f"{where} callbacks", several, Callback, "Callback objects")


def _update(
    plain: list[Metric], weighted: list[Metric], activation: str | None, y: Array, y_pred: Array, weights: Any
) -> None:
    """Add a batch to the metrics; `activation` is the one that the network has left to the loss."""
    if activation is not None:
        y_pred, _ = active().activation(y_pred, activation)
    for metric in plain:
        metric.update_state(y, y_pred)
    for metric in weighted:
        metric.update_state(y, y_pred, weights)


def _parts(data: Any) -> tuple[Any, Any, Any]:
    """validation_data as x, y and weights: (x, y), (x, y, sample_weight), or an iterable of batches."""
    if isinstance(data, (tuple, list)) and len(data) in (2, 3) and not streams.is_stream(data, None):
        return (*data, None)[:3]
    if streams.is_stream(data, None):
        return data, None, None
    found = type(data).__name__
    raise ValueError(explain("fit validation_data", "(x, y) or an iterable of batches", found, "Pass a tuple."))


def _validation_epochs(frequency: Any) -> Callable[[int], bool]:
    """A function of an epoch, counted from 1: whether it ends with a validation."""
    if isinstance(frequency, (list, tuple, set)):
        return frozenset(arguments.whole("fit validation_freq", epoch) for epoch in frequency).__contains__
    every = arguments.whole("fit validation_freq", frequency)
    return lambda epoch: epoch % every == 0


def _as_keras(metrics: dict[str, float], return_dict: bool) -> Any:
    """The metrics as Keras returns them: a dict, a list, or the loss alone."""
    if arguments.flag("return_dict", return_dict):
        return metrics
    values = list(metrics.values())
    return values if len(values) > 1 else values[0]


def on_logits(layers: list[Layer], loss: Loss) -> tuple[list[Layer], Loss]:
    """Built layers without their final softmax or sigmoid and the loss on logits, if it is a cross-entropy."""
    if isinstance(loss, losses.Crossentropy) and not loss.from_logits and layers[-1].activation == loss.activation:
        logits = layers[-1].ending_in("linear")
        if logits is not None:
            return [*layers[:-1], logits], loss.on_logits()
    return layers, loss
