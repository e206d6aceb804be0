"""Both searches over learning rate and batch size, on the training images: one fifth of them is held out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def grid(x: np.ndarray, labels: np.ndarray, epochs: int) -> dict[str, Any]:
    """The best combination of scikit-learn's grid search, its held-out accuracy, and the number of trainings."""
    import grid_search

    done = grid_search.search(x, labels, epochs)
    return {**done.best_params_, "accuracy": done.best_score_, "trainings": len(done.cv_results_["params"])}


def bayesian(x: np.ndarray, labels: np.ndarray, epochs: int, trials: int, journal: Path) -> dict[str, Any]:
    """The same of Optuna's search, and how many of its trials were pruned."""
    import optuna_search

    study = optuna_search.search(x, labels, epochs, trials, journal)
    pruned = sum(trial.state.name == "PRUNED" for trial in study.trials)
    return {**study.best_params, "accuracy": study.best_value, "trainings": len(study.trials), "pruned": pruned}
