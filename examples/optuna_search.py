"""Bayesian search over learning rate and batch size of Model 5, with Optuna; trials that fall behind are pruned.

Trials are compared on held-out training images; the test images are not touched. The study is a file, so the same
command goes on with a search that was interrupted. Install Optuna by: pip install "minicnn-edu[search]"
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import optuna
from model5 import build_model
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from minicnn import set_random_seed
from minicnn.callbacks import Callback
from minicnn.datasets import load_fashion_mnist
from minicnn.optimizers import Adam


class Pruning(Callback):
    """Reports a metric to Optuna after each epoch, and ends the trial if the study's pruner says so."""

    def __init__(self, trial: optuna.Trial, monitor: str = "val_accuracy") -> None:
        self.trial, self.monitor = trial, monitor

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.trial.report(logs[self.monitor], epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def search(x: np.ndarray, labels: np.ndarray, epochs: int, trials: int, journal: Path, seed: int = 0) -> optuna.Study:
    """The study in the journal file, continued until it has so many trials. A fifth of the images is held out."""

    def objective(trial: optuna.Trial) -> float:
        learning_rate = trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
        batch_size = trial.suggest_categorical("batch_size", [16, 32, 64, 128, 256])
        set_random_seed(seed)
        model = build_model()
        model.compile(Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        watched = Pruning(trial)
        history = model.fit(x, labels, batch_size, epochs, verbose=0, validation_split=0.2, callbacks=watched)
        return history.history["val_accuracy"][-1]

    journal.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name="model5",
        storage=JournalStorage(JournalFileBackend(str(journal))),
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    )
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))  # a continued study draws other numbers
    finished = [trial for trial in study.trials if trial.state.is_finished()]
    study.optimize(objective, n_trials=max(0, trials - len(finished)))
    return study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=5000, help="training images (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=5, help="most epochs of a trial (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=12, help="trials in all (default: %(default)s)")
    parser.add_argument("--journal", type=Path, default=Path("runs", "optuna.journal"), help="file of the study")
    options = parser.parse_args()
    images, labels = (array[: options.limit] for array in load_fashion_mnist().train)
    x = images[..., None].astype("float32") / 255
    study = search(x, labels, options.epochs, options.trials, options.journal)
    pruned = len([trial for trial in study.trials if trial.state == optuna.trial.TrialState.PRUNED])
    print(f"Best of {len(study.trials)} trials, {pruned} of them pruned: {study.best_params}")
    print(f"Held-out accuracy {study.best_value:.4f}")


if __name__ == "__main__":
    main()
