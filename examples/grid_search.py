"""Grid search over learning rate and batch size of Model 5, with scikit-learn.

Every combination is trained and compared on held-out training images; the test images are not touched.
"""

from __future__ import annotations

import argparse

import numpy as np
from model5 import build_model
from sklearn.model_selection import GridSearchCV, ShuffleSplit

from minicnn import Sequential
from minicnn.datasets import load_fashion_mnist
from minicnn.sklearn import CNNClassifier

GRID = {"learning_rate": [0.0003, 0.001, 0.003], "batch_size": [32, 64, 128]}


def network(input_shape: tuple[int, ...], classes: int) -> Sequential:
    """Model 5, as CNNClassifier calls it."""
    return build_model()


def search(x: np.ndarray, labels: np.ndarray, epochs: int, seed: int = 0, verbose: int = 0) -> GridSearchCV:
    """The finished search: best_params_, best_score_, cv_results_. One fifth of the images is held out."""
    classifier = CNNClassifier(network, epochs=epochs, random_state=seed)
    held_out = ShuffleSplit(n_splits=1, test_size=0.2, random_state=seed)
    return GridSearchCV(classifier, GRID, cv=held_out, refit=False, verbose=verbose).fit(x, labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=5000, help="training images (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each training (default: %(default)s)")
    options = parser.parse_args()
    images, labels = (array[: options.limit] for array in load_fashion_mnist().train)
    x = images[..., None].astype("float32") / 255
    done = search(x, labels, options.epochs, verbose=3)
    scores = zip(done.cv_results_["mean_test_score"], done.cv_results_["params"], strict=True)
    for score, params in sorted(scores, key=lambda found: found[0]):
        print(f"{score:.4f}  {params}")
    print(f"Best: {done.best_params_}, held-out accuracy {done.best_score_:.4f}")


if __name__ == "__main__":
    main()
