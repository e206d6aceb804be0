"""Callbacks: Keras's names and behaviour."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from minicnn import Input, Sequential, load_model
from minicnn.callbacks import Callback, CSVLogger, EarlyStopping, LearningRateScheduler, ModelCheckpoint
from minicnn.layers import Dense
from minicnn.optimizers import SGD


class Scripted(Callback):
    """Replaces the validation loss of every epoch by the next of the given figures, for the callbacks behind it."""

    def __init__(self, figures):
        self.figures = figures

    def on_epoch_end(self, epoch, logs):
        logs["val_loss"] = self.figures[epoch]


def train(callbacks, epochs, figures=None):
    model = Sequential([Input((2,)), Dense(1)])
    model.compile(SGD(0.01), "mse")
    x = np.random.default_rng(0).normal(size=(10, 2))
    scripted = [] if figures is None else [Scripted(figures)]
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
    with pytest.raises(TypeError, match="Callback objects, found 'csv'"):
        train(["csv"], 1)


class TestEarlyStopping:
    def test_stops_after_patience_epochs_without_improvement(self):
        stopper = EarlyStopping(patience=2)
        _, history = train([stopper], 9, figures=[5, 4, 4.5, 3, 3.5, 3.2, 1, 1, 1])
        assert history.epoch == [0, 1, 2, 3, 4, 5]
        assert (stopper.stopped_epoch, stopper.best_epoch) == (5, 3)

    def test_min_delta_is_what_counts_as_improvement(self):
        _, history = train([EarlyStopping(min_delta=0.5, patience=1)], 9, figures=[5, 4, 3.8, 1, 1, 1, 1, 1, 1])
        assert history.epoch == [0, 1, 2]

    def test_accuracy_wants_to_grow(self):
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

        model, _ = train([Keep(), EarlyStopping(patience=2, restore_best_weights=True)], 9, figures=[3, 1, 2, 2, 2])
        np.testing.assert_array_equal(model.get_weights()[0], kept[1])
        assert (kept[1] != kept[-1]).any()

    def test_waits_for_start_from_epoch(self):
        _, history = train([EarlyStopping(patience=1, start_from_epoch=3)], 6, figures=[1, 2, 3, 4, 5, 6])
        assert history.epoch == [0, 1, 2, 3, 4]

    def test_unknown_figure(self):
        with pytest.raises(ValueError, match="EarlyStopping monitor.*val_loss.*Known: loss"):
            train([EarlyStopping()], 2)

    def test_unknown_mode(self):
        with pytest.raises(ValueError, match="mode.*'up'"):
            EarlyStopping(mode="up")


class TestModelCheckpoint:
    def test_writes_a_file_an_epoch_that_resumes(self, tmp_path):
        model, _ = train([ModelCheckpoint(tmp_path / "m-{epoch:02d}-{loss:.1f}.safetensors")], 2)
        names = sorted(file.name[:5] for file in tmp_path.iterdir())
        assert names == ["m-01-", "m-02-"]
        loaded = load_model(max(tmp_path.iterdir()))
        np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
        assert (loaded.epochs_trained, loaded.optimizer.iterations) == (2, 2)

    def test_keeps_only_the_best(self, tmp_path):
        saver = ModelCheckpoint(tmp_path / "m-{epoch}.safetensors", save_best_only=True, save_weights_only=True)
        train([saver], 4, figures=[3, 4, 2, 2])
        assert sorted(file.name for file in tmp_path.iterdir()) == ["m-1.safetensors", "m-3.safetensors"]


class TestLearningRateScheduler:
    def test_sets_the_rate_before_each_epoch(self):
        model, _ = train([LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)], 3)
        assert model.optimizer.learning_rate == pytest.approx(0.0025)

    def test_refuses_nonsense(self):
        with pytest.raises(ValueError, match="LearningRateScheduler.*None"):
            train([LearningRateScheduler(lambda epoch, rate: None)], 1)


def test_csv_logger_writes_and_goes_on(tmp_path):
    path = tmp_path / "runs" / "log.csv"
    _, history = train([CSVLogger(path)], 2)
    train([CSVLogger(path, append=True)], 1)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "0"]
    assert [float(row["loss"]) for row in rows[:2]] == history.history["loss"]
