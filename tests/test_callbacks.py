"""Callbacks: Keras's names and behaviour."""

from __future__ import annotations

import csv
from typing import ClassVar

import numpy as np
import pytest

from minicnn import Input, Sequential, load_model, set_random_seed
from minicnn.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
    WeightAveraging,
)
from minicnn.layers import BatchNormalization, Dense
from minicnn.optimizers import SGD
from minicnn.optimizers.schedules import ExponentialDecay


class Scripted(Callback):
    """Replaces the validation loss of every epoch by the next of the given losses, for the callbacks after it."""

    def __init__(self, losses):
        self.losses = losses

    def on_epoch_end(self, epoch, logs):
        logs["val_loss"] = self.losses[epoch]


def train(callbacks, epochs, losses=None):
    model = Sequential([Input((2,)), Dense(1)])
    model.compile(SGD(0.01), "mse")
    x = np.random.default_rng(0).normal(size=(10, 2))
    scripted = [] if losses is None else [Scripted(losses)]
    history = model.fit(x, x[:, :1], epochs=epochs, verbose=0, callbacks=[*scripted, *callbacks])
    return model, history


def test_callbacks_are_called_in_order():
    calls = []

    class Spy(Callback):
        def on_train_begin(self, logs=None):
            calls.append("begin")

        def on_epoch_begin(self, epoch, logs):
            calls.append(f"epoch {epoch}")

        def on_train_batch_end(self, batch, logs):
            calls.append(f"batch {batch} {sorted(logs)}")

        def on_epoch_end(self, epoch, logs):
            calls.append(f"end {epoch} {sorted(logs)}")

        def on_train_end(self, logs=None):
            calls.append("end")

    train([Spy()], 2)
    one = "batch 0 ['loss']"
    assert calls == ["begin", "epoch 0", one, "end 0 ['loss']", "epoch 1", one, "end 1 ['loss']", "end"]


def test_something_that_is_not_a_callback():
    with pytest.raises(TypeError, match="Callback objects, found .*'csv'"):
        train(["csv"], 1)


class TestEarlyStopping:
    def test_stops_after_patience_epochs_without_improvement(self):
        stopper = EarlyStopping(patience=2)
        _, history = train([stopper], 9, losses=[5, 4, 4.5, 3, 3.5, 3.2, 1, 1, 1])
        assert history.epoch == [0, 1, 2, 3, 4, 5]
        assert (stopper.stopped_epoch, stopper.best_epoch, stopper.best, stopper.monitor) == (5, 3, 3, "val_loss")

    def test_min_delta_is_what_counts_as_improvement(self):
        _, history = train([EarlyStopping(min_delta=0.5, patience=1)], 9, losses=[5, 4, 3.8, 1, 1, 1, 1, 1, 1])
        assert history.epoch == [0, 1, 2]

    def test_an_improvement_of_exactly_min_delta_is_none(self):
        """1 − 0.7 is 0.30000000000000004 in floating point, but 0.7 + 0.3 is 1."""
        _, history = train([EarlyStopping(min_delta=0.3, patience=1)], 3, losses=[1, 0.7, 0.6])
        assert history.epoch == [0, 1]

    def test_accuracy_improves_upwards(self):
        class Accuracies(Callback):
            def on_epoch_end(self, epoch, logs):
                logs["val_accuracy"] = [0.1, 0.2, 0.15, 0.9][epoch]

        _, history = train([Accuracies(), EarlyStopping("val_accuracy", patience=1)], 4)
        assert history.epoch == [0, 1, 2]

    def test_restores_the_best_weights(self):
        kept = []

        class Keep(Callback):
            def on_epoch_end(self, epoch, logs):
                kept.append(self.model.get_weights()[0])

        model, _ = train([Keep(), EarlyStopping(patience=2, restore_best_weights=True)], 9, losses=[3, 1, 2, 2, 2])
        np.testing.assert_array_equal(model.get_weights()[0], kept[1])
        assert (kept[1] != kept[-1]).any()

    def test_waits_for_start_from_epoch(self):
        _, history = train([EarlyStopping(patience=1, start_from_epoch=3)], 6, losses=[1, 2, 3, 4, 5, 6])
        assert history.epoch == [0, 1, 2, 3, 4]

    def test_unknown_metric(self):
        with pytest.warns(UserWarning, match="EarlyStopping monitor.*'val_loss'. Give fit validation data"):
            _, history = train([EarlyStopping()], 2)
        assert history.epoch == [0, 1]
        with pytest.warns(UserWarning, match="found 'los'. Did you mean 'loss'"):
            train([EarlyStopping("los")], 1)

    def test_a_metric_of_unknown_direction(self):
        class Score(Callback):
            def on_epoch_end(self, epoch, logs):
                logs["score"] = 1.0

        with pytest.raises(ValueError, match="found 'score' with mode='auto'. Give mode=\"max\""):
            train([Score(), EarlyStopping("score")], 1)
        train([Score(), EarlyStopping("score", mode="max")], 1)

    def test_the_metric_itself_says_which_way_is_better(self):
        model = Sequential([Input((2,)), Dense(1, activation="sigmoid")])
        model.compile("sgd", "bce", metrics=["precision", "mae"])
        for name, sign in (("val_precision", 1), ("val_mae", -1), ("loss", -1)):
            stopper = EarlyStopping(name)
            stopper.set_model(model)
            stopper.on_train_begin()
            assert stopper.sign == sign

    def test_an_epoch_that_improves_never_stops_even_below_the_baseline(self):
        """Every epoch is better than the last, none reaches the baseline."""
        _, history = train([EarlyStopping(baseline=1, patience=2)], 5, losses=[9, 8, 7, 6, 5])
        assert history.epoch == [0, 1, 2, 3, 4]
        _, history = train([EarlyStopping(baseline=1, patience=2)], 5, losses=[9, 8, 8, 6, 5])
        assert history.epoch == [0, 1, 2]

    def test_min_delta_holds_for_the_baseline_too(self):
        """3.9 is below the baseline, but not by min_delta: the wait of 1 goes on, and the third epoch ends it."""
        losses = [3.9, 3.9, 3.9]
        _, history = train([EarlyStopping(baseline=4, min_delta=0.5, patience=2)], 3, losses=losses)
        assert history.epoch == [0, 1]
        _, history = train([EarlyStopping(baseline=4, patience=2)], 3, losses=losses)
        assert history.epoch == [0, 1, 2]

    def test_a_second_fit_begins_anew(self):
        stopper = EarlyStopping(patience=1)
        train([stopper], 4, losses=[1, 2, 3, 4])
        assert (stopper.stopped_epoch, stopper.best_epoch) == (1, 0)
        _, history = train([stopper], 2, losses=[4, 3])
        assert history.epoch == [0, 1]
        assert (stopper.stopped_epoch, stopper.best_epoch, stopper.wait) == (0, 1, 0)

    def test_unknown_mode(self):
        with pytest.raises(ValueError, match="mode.*'up'"):
            EarlyStopping(mode="up")


class TestModelCheckpoint:
    def test_writes_a_file_per_epoch_that_resumes(self, tmp_path):
        model, _ = train([ModelCheckpoint(tmp_path / "m-{epoch:02d}-{loss:.1f}.safetensors")], 2)
        names = sorted(file.name[:5] for file in tmp_path.iterdir())
        assert names == ["m-01-", "m-02-"]
        loaded = load_model(max(tmp_path.iterdir()))
        np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
        assert (loaded.epochs_trained, loaded.optimizer.iterations) == (2, 2)

    def test_keeps_only_the_best(self, tmp_path):
        saver = ModelCheckpoint(tmp_path / "m-{epoch}.safetensors", save_best_only=True, save_weights_only=True)
        train([saver], 4, losses=[3, 4, 2, 2])
        assert sorted(file.name for file in tmp_path.iterdir()) == ["m-1.safetensors", "m-3.safetensors"]
        assert (saver.best, saver.monitor, saver.mode) == (2, "val_loss", "auto")

    def test_an_unknown_monitor_warns_and_saves(self, tmp_path):
        with pytest.warns(UserWarning, match="ModelCheckpoint monitor: .* found 'val_loss'. Give fit validation data"):
            train([ModelCheckpoint(tmp_path / "m-{epoch}", save_best_only=True)], 2)
        assert sorted(file.name for file in tmp_path.iterdir()) == ["m-1", "m-2"]

    def test_saves_after_so_many_steps(self, tmp_path):
        """Ten samples in batches of three: four steps an epoch."""
        x = np.random.default_rng(0).normal(size=(10, 2))
        model = Sequential([Input((2,)), Dense(1)])
        model.compile(SGD(0.01), "mse")
        saver = ModelCheckpoint(tmp_path / "m-{epoch}-{loss:.3f}", save_freq=3)
        model.fit(x, x[:, :1], batch_size=3, epochs=2, verbose=0, callbacks=[saver])
        assert [file.name[:4] for file in sorted(tmp_path.iterdir())] == ["m-1-", "m-2-"]

    def test_improves_on_an_initial_value_threshold(self, tmp_path):
        saver = ModelCheckpoint(tmp_path / "m-{epoch}", save_best_only=True, initial_value_threshold=2.5)
        train([saver], 3, losses=[3, 2, 2.2])
        assert [file.name for file in tmp_path.iterdir()] == ["m-2"]
        with pytest.raises(ValueError, match="initial_value_threshold: expected a finite number, found 'low'"):
            ModelCheckpoint(tmp_path / "m", initial_value_threshold="low")


class TestLearningRateScheduler:
    def test_sets_the_rate_before_each_epoch(self):
        model, _ = train([LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)], 3)
        assert model.optimizer.learning_rate == pytest.approx(0.0025)

    def test_a_function_of_the_epoch_alone_and_the_history(self):
        _, history = train([LearningRateScheduler(lambda epoch: 0.5**epoch)], 3)
        assert history.history["learning_rate"] == [1, 0.5, 0.25]

    def test_a_schedule_object_and_numpy_numbers(self):
        _, history = train([LearningRateScheduler(ExponentialDecay(0.5, 1, 0.5))], 2)
        assert history.history["learning_rate"] == [0.5, 0.25]
        _, history = train([LearningRateScheduler(lambda epoch: np.float32(0.5))], 1)
        assert type(history.history["learning_rate"][0]) is float

    def test_refuses_nonsense(self):
        with pytest.raises(ValueError, match="LearningRateScheduler.*None"):
            train([LearningRateScheduler(lambda epoch, rate: None)], 1)


class TestReduceLROnPlateau:
    def rates(self, losses, **options):
        """The learning rate of each epoch, and after the last one."""
        plateau = ReduceLROnPlateau("val_loss", 0.5, **options)
        model, history = train([plateau], len(losses), losses=losses)
        assert len(history.history["learning_rate"]) == len(losses)
        return [rate / 0.01 for rate in (*history.history["learning_rate"], model.optimizer.learning_rate)]

    def test_halves_the_rate_after_two_epochs_without_improvement(self):
        assert self.rates([5, 4, 4, 4, 3, 3, 3], patience=2) == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25]

    def test_cooldown_min_lr_and_min_delta(self):
        assert self.rates([5, 5, 5, 5, 5], patience=1, cooldown=2) == [1, 1, 0.5, 0.5, 0.25, 0.25]
        assert self.rates([5, 5, 5, 5], patience=1, min_lr=0.004) == [1, 1, 0.5, 0.4, 0.4]
        assert self.rates([5, 4.5, 4], patience=1, min_delta=1) == [1, 1, 0.5, 0.25]


class TestOthers:
    def test_a_list_in_a_loop_of_one_s_own(self):
        """Keras's documentation calls the methods with logs=…."""
        seen = []
        spy = LambdaCallback(
            on_train_begin=lambda logs: seen.append("train"),
            on_epoch_begin=lambda epoch, logs: seen.append((epoch, logs)),
            on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"])),
        )
        callbacks = CallbackList([spy], Sequential([Input((2,)), Dense(1)]))
        callbacks.on_train_begin(logs={})
        callbacks.on_epoch_begin(0, logs={})
        callbacks.on_train_batch_end(1, logs={"loss": 2.0})
        assert seen == ["train", (0, {}), (1, 2.0)]

    def test_lambda_callback(self):
        seen = []
        spy = LambdaCallback(
            on_epoch_end=lambda epoch, logs: seen.append((epoch, sorted(logs))),
            on_batch_end=lambda batch, logs: seen.append(batch),
            on_train_end=lambda logs: seen.append("end"),
        )
        train([spy], 2)
        assert seen == [0, (0, ["loss"]), 0, (1, ["loss"]), "end"]
        with pytest.raises(ValueError, match="Did you mean 'on_epoch_end'"):
            LambdaCallback(on_epoch_ends=print)
        with pytest.raises(TypeError, match="LambdaCallback on_epoch_end: expected a function of epoch, logs"):
            LambdaCallback(on_epoch_end=lambda logs: None)

    def test_keras_s_other_names_and_params(self):
        class Old(Callback):
            seen: ClassVar[list] = []

            def on_batch_begin(self, batch, logs=None):
                self.seen.append((batch, dict(self.params)))

            def on_test_end(self, logs=None):
                self.seen.append(logs)

        train([Old()], 1)
        assert Old.seen == [(0, {"epochs": 1, "steps": 1, "verbose": 0, "validation": False})]

    def test_evaluate_and_predict_call_callbacks(self):
        """Three samples in two batches."""
        seen = []

        class Spy(Callback):
            def __getattribute__(self, name):
                if name.startswith("on_"):
                    return lambda *args: seen.append((name, *args[:-1], sorted(args[-1])))
                return super().__getattribute__(name)

        model = Sequential([Input((2,)), Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"])
        x, y, spy = np.ones((3, 2)), np.ones((3, 1)), Spy()
        model.evaluate(x, y, batch_size=2, verbose=0, callbacks=[spy])
        assert seen == [
            ("on_test_begin", []),
            ("on_test_batch_begin", 0, []),
            ("on_test_batch_end", 0, ["loss", "mae"]),
            ("on_test_batch_begin", 1, []),
            ("on_test_batch_end", 1, ["loss", "mae"]),
            ("on_test_end", ["loss", "mae"]),
        ]
        assert spy.model is model
        assert spy.params == {"epochs": 1, "steps": 2, "verbose": 0}
        seen.clear()
        model.predict(x, callbacks=spy)
        assert seen == [
            ("on_predict_begin", []),
            ("on_predict_batch_begin", 0, []),
            ("on_predict_batch_end", 0, ["outputs"]),
            ("on_predict_end", []),
        ]
        seen.clear()
        model.fit(x, y, verbose=0, validation_data=(x, y), callbacks=spy)
        assert [event for event in seen if "test" in event[0]] == [
            ("on_test_begin", []),
            ("on_test_batch_begin", 0, []),
            ("on_test_batch_end", 0, ["loss", "mae"]),
            ("on_test_end", ["loss", "mae"]),
        ]
        with pytest.raises(TypeError, match="predict callbacks: expected a list of Callback objects"):
            model.predict(x, callbacks=[print])

    def test_terminate_on_nan(self, capsys):
        model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse")
        x, y = np.full((4, 2), 1e30), np.zeros((4, 1))
        with np.errstate(all="ignore"):
            history = model.fit(x, y, epochs=3, verbose=0, callbacks=[TerminateOnNaN()])
        assert history.epoch == [0]
        assert np.isnan(history.history["loss"]).all()
        assert "TerminateOnNaN: The loss is inf at step 1" in capsys.readouterr().out

    def test_the_repr_of_a_history(self):
        _, history = train([], 2)
        assert repr(history) == "<History of 2 epochs: loss>"


class TestWeightAveraging:
    """Two batches an epoch; the layer of batch norm has weights that no gradient moves."""

    X = np.random.default_rng(0).normal(size=(10, 2))
    Y = X[:, :1]

    def fit(self, callbacks, first, last, model=None, **options):
        if model is None:
            set_random_seed(3)
            model = Sequential([Input((2,)), BatchNormalization(), Dense(1)])
            model.compile(SGD(0.1, momentum=0.9), "mse")
        options |= {"batch_size": 5, "verbose": 0, "callbacks": callbacks}
        self.history = model.fit(self.X, self.Y, epochs=last, initial_epoch=first, **options)
        return model

    def assert_equal(self, model, weights, **tolerance):
        for mine, expected in zip(model.get_weights(), weights, strict=True):
            np.testing.assert_allclose(mine, expected, **tolerance)

    def test_the_model_gets_the_mean_of_the_weights_after_every_step(self):
        class Keep(Callback):
            def on_train_batch_end(self, batch, logs):
                after_step.append(self.model.get_weights())

        after_step: list[list[np.ndarray]] = []
        self.fit([Keep()], 0, 3)
        averaged = self.fit([WeightAveraging(start_from_epoch=1)], 0, 3)
        self.assert_equal(averaged, [np.mean(ws, axis=0) for ws in zip(*after_step[2:], strict=True)], rtol=1e-5)

    def test_training_goes_on_from_the_last_step_not_from_the_mean(self):
        averaging = WeightAveraging()
        self.fit([averaging], 0, 3)
        self.assert_equal(self.fit([], 0, 3), averaging.latest, rtol=0)

    def test_validation_measures_the_mean(self):
        model = self.fit([WeightAveraging()], 0, 3, validation_data=(self.X, self.Y))
        assert model.evaluate(self.X, self.Y) == pytest.approx(self.history.history["val_loss"][-1])

    def test_before_its_first_epoch_nothing_changes(self):
        self.assert_equal(self.fit([WeightAveraging(2)], 0, 2), self.fit([], 0, 2).get_weights(), rtol=0)

    @pytest.mark.parametrize("interrupted", [1, 2, 3])
    def test_a_resumed_training_has_the_same_mean(self, tmp_path, interrupted):
        path = tmp_path / "model"
        self.fit([WeightAveraging(1), ModelCheckpoint(path)], 0, interrupted)
        resumed = self.fit([WeightAveraging(1)], interrupted, 4, Sequential.load(path))
        self.assert_equal(resumed, self.fit([WeightAveraging(1)], 0, 4).get_weights(), rtol=0)

    @pytest.mark.parametrize(
        ("state", "words"),
        [
            ({}, "WeightAveraging state: expected a number steps, found None"),
            ({"steps": 2}, "WeightAveraging state, mean"),
            ({"steps": 2, "mean": [1.0], "latest": []}, "WeightAveraging state, mean: expected 6 arrays"),
        ],
    )
    def test_a_damaged_state(self, state, words):
        averaging = WeightAveraging()
        averaging.set_model(self.fit([], 0, 1))
        with pytest.raises((ValueError, TypeError), match=words):
            averaging.set_state(state)


class TestResuming:
    """A training that was interrupted, saved and loaded goes on as if it had not been interrupted."""

    FIGURES = (5, 4, 4.5, 3, 3.5, 3.2, 3.1, 3.3, 1, 1)

    def fit(self, model, folder, first, last, **options):
        """The name of the best file contains its epoch; an interrupted run resumes from the other file."""
        x = np.random.default_rng(0).normal(size=(10, 2))
        self.stopper = EarlyStopping(patience=4, restore_best_weights=True)
        callbacks = [
            ModelCheckpoint(folder / "last.safetensors"),  # it also saves the states of the callbacks after it
            Scripted(self.FIGURES),
            ModelCheckpoint(folder / "best-{epoch}.safetensors", save_best_only=True),
            self.stopper,
            LearningRateScheduler(lambda epoch, rate: rate * 0.9),
            ReduceLROnPlateau(factor=0.5, patience=2),
        ]
        return model.fit(x, x[:, :1], epochs=last, initial_epoch=first, verbose=0, callbacks=callbacks, **options)

    def make(self):
        set_random_seed(3)
        model = Sequential([Input((2,)), Dense(1)])
        model.compile(SGD(0.01, momentum=0.9), "mse")
        return model

    @pytest.mark.parametrize("interrupted", [1, 2, 3, 4, 5, 6, 7])
    def test_everything_is_as_without_the_interruption(self, tmp_path, interrupted):
        whole, parts = tmp_path / "whole", tmp_path / "parts"
        expected = self.make()
        history = self.fit(expected, whole, 0, 10)
        assert history.epoch == list(range(8))
        self.fit(self.make(), parts, 0, interrupted)
        resumed = Sequential.load(parts / "last.safetensors")
        history_of_the_rest = self.fit(resumed, parts, resumed.epochs_trained, 10)

        assert history_of_the_rest.epoch == list(range(interrupted, 8))
        assert history_of_the_rest.whole == history.whole == {"epoch": history.epoch, **history.history}
        assert (self.stopper.stopped_epoch, self.stopper.best_epoch) == (7, 3)
        assert sorted(path.name for path in parts.iterdir()) == sorted(path.name for path in whole.iterdir())
        assert not (parts / "best-6.safetensors").exists()
        assert resumed.optimizer.learning_rate == expected.optimizer.learning_rate
        for mine, its in zip(resumed.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, its)

    def test_the_best_is_not_forgotten_in_a_fit_that_goes_on(self, tmp_path):
        model = self.make()
        self.fit(model, tmp_path, 0, 4)
        self.fit(model, tmp_path, 4, 6)
        assert not (tmp_path / "best-6.safetensors").exists()

    def test_a_fit_from_epoch_0_begins_anew(self, tmp_path):
        self.fit(self.make(), tmp_path, 0, 4)
        model = Sequential.load(tmp_path / "last.safetensors")
        history = self.fit(model, tmp_path / "anew", 0, 2)
        assert history.whole["epoch"] == [0, 1]
        assert (tmp_path / "anew" / "best-1.safetensors").exists()

    def test_monitoring_another_metric_begins_anew(self, tmp_path):
        train([ModelCheckpoint(tmp_path / "best", "loss", save_best_only=True)], 2)
        model = Sequential.load(tmp_path / "best")
        saver = ModelCheckpoint(tmp_path / "other", "accuracy", save_best_only=True)
        saver.set_model(model)
        saver.set_state(model.callbacks.get_state()["ModelCheckpoint"])
        assert saver.best is None

    def test_the_state_of_a_custom_callback(self, tmp_path):
        class Counter(Callback):
            seen = 0

            def on_train_batch_end(self, batch, logs):
                self.seen += 1

            def get_state(self):
                return {"seen": self.seen, "squares": np.arange(3) ** 2}

            def set_state(self, state):
                self.seen = state["seen"]

        first, second = Counter(), Counter()
        train([first, Counter(), ModelCheckpoint(tmp_path / "model")], 2)
        model = Sequential.load(tmp_path / "model")
        x = np.zeros((10, 2))
        model.fit(x, x[:, :1], epochs=3, initial_epoch=2, verbose=0, callbacks=[second])
        assert second.seen == first.seen + 1
        assert sorted(model.callbacks.get_state()) == ["Counter", "Counter_1", "History"]

    @pytest.mark.parametrize(
        ("name", "state", "words"),
        [
            ("EarlyStopping", {"wait": "long"}, "EarlyStopping state: expected a number wait, found 'long'"),
            ("EarlyStopping", {"best": "low"}, "EarlyStopping state: expected a number best"),
            ("EarlyStopping", {"best_weights": [1, 2]}, "EarlyStopping state, best_weights"),
            ("ModelCheckpoint_1", {"best": [1]}, "ModelCheckpoint state: expected a number best"),
            ("History", {"loss": np.ones(1)}, "History state: expected arrays of one length"),
            ("History", {"epoch": np.ones(2), "loss": [None, 3]}, "History state: expected arrays of one length"),
            ("History", {"epoch": np.ones(2), "loss": {"a": [1, 2]}}, "History state: expected arrays of one length"),
            ("History", {"epoch": 3}, "History state: expected arrays of one length"),
        ],
    )
    def test_a_damaged_state(self, tmp_path, name, state, words):
        model = self.make()
        self.fit(model, tmp_path, 0, 2)
        states = model.callbacks.get_state()
        model.callbacks = CallbackList([], None, {**states, name: {**states[name], **state}})
        with pytest.raises(ValueError, match=words):
            self.fit(model, tmp_path, 2, 3)


def test_csv_logger_of_validations_that_begin_later(tmp_path):
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    data, path = (np.ones((2, 2)), np.ones((2, 1))), tmp_path / "log.csv"
    for first in (0, 2):
        logger = CSVLogger(path, append=first > 0)
        options = {"validation_data": data, "validation_freq": 2, "initial_epoch": first, "callbacks": [logger]}
        history = model.fit(*data, epochs=first + 2, verbose=0, **options).history
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    assert [row["val_loss"] for row in rows[::2]] == ["NA", "NA"]
    assert float(rows[3]["val_mae"]) == history["val_mae"][0]


def test_csv_logger_writes_and_goes_on(tmp_path):
    path = tmp_path / "runs" / "log.csv"
    _, history = train([CSVLogger(path)], 2)
    train([CSVLogger(path, append=True)], 1)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "0"]
    assert [float(row["loss"]) for row in rows[:2]] == history.history["loss"]
