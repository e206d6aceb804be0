"""The estimator in scikit-learn: its conformity checks, searches, ensembles, pools of workers."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from minicnn import Input, Sequential
from minicnn.layers import Conv2D, Dense, Flatten
from minicnn.optimizers import Adam
from minicnn.sklearn import CNNClassifier


def dense_network(input_shape, classes, units=16):
    return Sequential([Input(input_shape), Dense(units, activation="relu"), Dense(classes)])


def image_network(input_shape, classes, filters=4):
    return Sequential(
        [Input(input_shape), Conv2D(filters, 3, activation="relu"), Flatten(), Dense(classes, activation="softmax")]
    )


def images(samples=60, seed=0):
    """Images (N, 6, 6, 1) with a bright column at one of three positions, and the position as a text."""
    rng = np.random.default_rng(seed)
    places = np.arange(samples) % 3
    x = rng.uniform(0, 0.3, (samples, 6, 6, 1)).astype(np.float32)
    x[np.arange(samples), :, 1 + 2 * places] += 0.7
    return x, np.array(["left", "middle", "right"])[places]


@parametrize_with_checks(
    [CNNClassifier(dense_network, epochs=20, learning_rate=0.02, batch_size=16, random_state=0)],
    expected_failed_checks=lambda estimator: {},  # none: tags leave out the checks that do not fit images
)
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    return images(), images(30, seed=1)


def classifier(**options):
    return CNNClassifier(image_network, **{"epochs": 8, "learning_rate": 0.02, "random_state": 3} | options)


def test_it_learns_images_with_names_for_classes(data):
    (x, y), (x_test, y_test) = data
    fitted = classifier().fit(x, y)
    assert fitted.score(x_test, y_test) > 0.9
    assert list(fitted.classes_) == ["left", "middle", "right"]
    assert len(fitted.history_["loss"]) == 8
    np.testing.assert_allclose(fitted.predict_proba(x_test).sum(axis=1), 1, rtol=1e-5)


def test_logits_become_probabilities(data):
    (x, y), _ = data
    flat = x.reshape(len(x), -1)
    fitted = CNNClassifier(dense_network, epochs=1, random_state=0).fit(flat, y)
    logits = fitted.model_.predict(flat)
    exponentials = np.exp(logits)
    np.testing.assert_allclose(
        fitted.predict_proba(flat), exponentials / exponentials.sum(axis=1, keepdims=True), rtol=1e-4
    )


def test_equal_seeds_give_equal_results(data):
    (x, y), _ = data
    first, second, other = (classifier(random_state=seed).fit(x, y) for seed in (3, 3, 4))
    for mine, same, another in zip(*(c.model_.get_weights() for c in (first, second, other)), strict=True):
        np.testing.assert_array_equal(mine, same)
        assert not np.array_equal(mine, another)


def test_clones_and_fits_leave_the_parameters_alone(data):
    (x, y), _ = data
    optimizer = Adam(0.01)
    original = classifier(optimizer=optimizer, learning_rate=0.05, epochs=1)
    original.fit(x, y)
    assert (optimizer.learning_rate, optimizer.iterations) == (0.01, 0)
    assert not hasattr(clone(original), "model_")


def test_a_pickle_predicts_and_goes_on_as_the_original(data):
    (x, y), (x_test, _) = data
    fitted = classifier().fit(x, y)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict_proba(x_test), fitted.predict_proba(x_test))
    for model in (fitted.model_, restored.model_):
        model.fit(x, np.arange(len(x)) % 3, epochs=1, verbose=0)
    for mine, theirs in zip(fitted.model_.get_weights(), restored.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_grid_search_gives_the_same_on_every_pool_of_workers(data, backend):
    (x, y), _ = data
    grid = {"learning_rate": [1e-4, 0.02], "model_options": [{"filters": 2}, {"filters": 4}]}
    scores = []
    for name, jobs in (("sequential", 1), (backend, 2)):
        with joblib.parallel_backend(name, n_jobs=jobs):
            search = GridSearchCV(classifier(epochs=4), grid, cv=3).fit(x, y)
        scores.append(search.cv_results_["mean_test_score"])
        assert search.best_params_["learning_rate"] == 0.02
    np.testing.assert_allclose(scores[0], scores[1], atol=0.02)  # workers have other numbers of threads


def test_dask_workers_fit_it(data):
    distributed = pytest.importorskip("distributed")
    (x, y), _ = data
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_backend("dask"),
    ):
        assert cross_val_score(classifier(), x, y, cv=3).mean() > 0.9


def test_ensembles_with_other_estimators(data):
    (x, y), (x_test, y_test) = data
    flat, flat_test = x.reshape(len(x), -1), x_test.reshape(len(x_test), -1)
    members = [
        ("cnn", make_pipeline(MinMaxScaler(), classifier(image_shape=(6, 6, 1)))),
        ("svm", SVC()),
    ]
    soft = VotingClassifier([members[0], ("linear", LogisticRegression())], voting="soft").fit(flat, y)
    hard = VotingClassifier(members).fit(flat, y)
    stacked = StackingClassifier(members, LogisticRegression(), cv=2).fit(flat, y)
    assert min(ensemble.score(flat_test, y_test) for ensemble in (soft, hard, stacked)) > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shape": (5, 5, 1)}, "image_shape: expected rows of 25 numbers"),
        ({"model_options": {"classes_wrong": 1}}, "classes_wrong"),
        ({"epochs": -1}, "epochs"),
    ],
)
def test_unsuitable_options_are_named(data, options, message):
    (x, y), _ = data
    with pytest.raises((ValueError, TypeError), match=message):
        classifier(**options).fit(x, y)


def test_a_network_with_other_outputs_than_classes_is_refused(data):
    (x, y), _ = data
    with pytest.raises(ValueError, match="3 outputs, one for each class"):
        CNNClassifier(lambda shape, classes: image_network(shape, classes + 1)).fit(x, y)
