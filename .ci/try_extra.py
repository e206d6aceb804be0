"""Tries what an extra of the installed package is for: python .ci/try_extra.py EXTRA.

With "none", everything that needs an extra has to raise an error that names the extra.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import minicnn

FOLDER = Path(tempfile.mkdtemp())
X, Y = np.random.default_rng(0).random((8, 6, 5, 1)), np.arange(8) % 3


def network(input_shape: tuple[int, ...] = (6, 5, 1), classes: int = 3) -> minicnn.Sequential:
    layers = minicnn.layers
    body = [layers.Conv2D(2, 3, activation="relu"), layers.Flatten(), layers.Dense(classes)]
    return minicnn.Sequential([minicnn.Input(input_shape), *body])


def model() -> minicnn.Sequential:
    trained = network()
    trained.compile("adam", minicnn.losses.SparseCategoricalCrossentropy(from_logits=True))
    trained.fit(X, Y, verbose=0)
    return trained


def fast() -> None:
    with minicnn.use_backend("numba"):
        model()


def report() -> None:
    from minicnn.plots import plot_history, save_figure

    save_figure(plot_history({"loss": [2, 1]}), FOLDER / "history.png")


def search() -> None:
    import optuna
    from sklearn.model_selection import GridSearchCV

    from minicnn.sklearn import CNNClassifier

    optuna.create_study().optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    GridSearchCV(CNNClassifier(network), {"epochs": [1]}, cv=2).fit(X, Y)


def onnx() -> None:
    minicnn.export_onnx(model(), FOLDER / "model.onnx")


def h5() -> None:
    model().save(FOLDER / "model.keras")
    minicnn.load_model(FOLDER / "model.keras").predict(X)


def tensorboard() -> None:
    model().fit(X, Y, verbose=0, callbacks=minicnn.callbacks.TensorBoard(FOLDER / "logs", histogram_freq=1))
    assert list(FOLDER.glob("logs/train/*"))


def images() -> None:
    minicnn.utils.save_img(FOLDER / "image.png", X[0])
    assert minicnn.utils.load_img(FOLDER / "image.png").size == (5, 6)


def mpi() -> None:
    from minicnn.distributed import DataParallel

    with DataParallel(shards=2) as parallel:
        parallel.replicate(model()).fit(X, Y, verbose=0)


def explorer() -> None:
    minicnn.explorer.show(model(), X[:1], Y[:1])


EXTRAS = {
    function.__name__: function for function in (fast, report, search, onnx, h5, tensorboard, images, mpi, explorer)
}


def none() -> None:
    """Without extras: a model trains, and each function names the extra that it needs."""
    model().save(FOLDER / "model.safetensors")
    minicnn.load_model(FOLDER / "model.safetensors").predict(X)
    for extra, function in EXTRAS.items():
        try:
            function()
        except (ImportError, minicnn.BackendError) as error:
            print(f"without {extra}: {error}")
            expected = {"fast": "numba", "search": "optuna"}.get(extra, f"[{extra}]")  # Optuna is the user's import
            if expected not in str(error):
                raise
        else:
            raise AssertionError(f"{extra} works without its packages")


if __name__ == "__main__":
    assert "site-packages" in minicnn.__file__, f"not the installed package: {minicnn.__file__}"
    {**EXTRAS, "none": none}[sys.argv[1]]()
    print(f"--- extra {sys.argv[1]}: good")
