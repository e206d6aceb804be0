"""The study of the report's future work, in small: nothing is measured twice, and the page says what was measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minicnn.datasets.checksums import SAMPLE_DIRECTORY

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "examples")]

from experiment.checkpoint import RunError  # noqa: E402

from examples.future_work import options, text, transfer  # noqa: E402
from examples.future_work.recipes import RECIPES, network, tuned  # noqa: E402
from examples.future_work.results import Results  # noqa: E402
from examples.future_work.training import train  # noqa: E402


def split(count):
    rng = np.random.default_rng(0)
    return rng.random((count, 28, 28, 1), np.float32), np.eye(10)[np.arange(count) % 10]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains(name):
    found = [train(RECIPES[name], seed, split(20), split(10), epochs=2) for seed in (0, 0)]
    for run in found:
        del run["seconds"]
    assert found[0] == found[1]
    assert np.isfinite(list(found[0].values())).all()


def test_what_a_search_found_is_trained():
    recipe = tuned("Grid search", 0.003, 32)
    assert recipe.title == "Grid search: learning rate 0.003, batches of 32"
    assert (recipe.optimizer(100).learning_rate, recipe.batch_size) == (0.003, 32)


class TestResults:
    def test_nothing_is_measured_twice(self, tmp_path):
        calls = []

        def measure():
            calls.append(1)
            return {"accuracy": 0.5}

        for _ in range(2):
            results = Results(tmp_path / "results.json", {"epochs": 3})
            assert results.once("baseline", "0", measure) == {"accuracy": 0.5}
        assert len(calls) == 1

    def test_other_settings_are_refused(self, tmp_path):
        path = tmp_path / "results.json"
        Results(path, {"epochs": 3}).once("baseline", "0", dict)
        with pytest.raises(RunError, match="was begun with {'epochs': 3}, not {'epochs': 4}"):
            Results(path, {"epochs": 4})
        path.write_text("{}")
        with pytest.raises(RunError, match="is damaged"):
            Results(path, {"epochs": 3})


def test_images_of_new_classes():
    x, y = split(40)
    few, labels = transfer.first_of_each(transfer.of_classes((x, y), 7, 10), 2)
    np.testing.assert_array_equal(labels, [0, 1, 2, 0, 1, 2])
    np.testing.assert_array_equal(few, x[[7, 8, 9, 17, 18, 19]])


def test_transfer_trains_the_head_alone(monkeypatch):
    monkeypatch.setattr(transfer, "LEAST_STEPS", 2)
    model = transfer.with_head(network(), transfer.KNOWN)
    before = model.get_weights()
    found = transfer.accuracies(model, 0, split(40), split(20), epochs=1, images=2)
    assert found.keys() == {"transfer", "scratch"}
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_page_has_the_means_spreads_and_differences():
    runs = {"loss": 0.5, "train_accuracy": 0.9}
    content = {
        "settings": {"epochs": 8, "training_images": 5000, "test_images": 10000},
        "baseline": {str(seed): {**runs, "accuracy": accuracy} for seed, accuracy in enumerate((0.80, 0.82, 0.84))},
        "l2": {str(seed): {**runs, "accuracy": accuracy} for seed, accuracy in enumerate((0.83, 0.83, 0.83))},
        "grid": {"0": {**runs, "accuracy": 0.81}},
        "searches": {"grid": {"learning_rate": 0.001, "batch_size": 32, "accuracy": 0.85, "trainings": 9}},
        "transfer": {f"10-{seed}": {"transfer": 0.9, "scratch": 0.8} for seed in range(3)},
    }
    _, _, table, _, _, searches, _, _, new_classes, *_ = text.page(content).blocks
    assert [row[:3] for row in table.rows] == [
        ["Model 5: Adam, dropout 0.2, batches of 64", "0.8200 ± 0.0200", ""],
        ["L2 penalty, 0.0001", "0.8300 ± 0.0000", "+1.00 ± 1.15"],  # 0.02 / √3
        ["Grid search: learning rate 0.001, batches of 32", "0.8100", "−1.00"],
    ]
    (item,) = searches.items
    assert item.startswith("Grid search, 9 trainings: learning rate 0.001, batches of 32, accuracy 0.8500")
    assert new_classes.rows == [["10", "0.9000 ± 0.0000", "0.8000 ± 0.0000", "+10.00 ± 0.00"]]


def test_grid_search(monkeypatch):
    pytest.importorskip("sklearn")
    import grid_search

    monkeypatch.setattr(grid_search, "GRID", {"learning_rate": [0.001, 0.01], "batch_size": [16]})
    x, y = split(40)
    done = grid_search.search(x, y.argmax(axis=1), epochs=1)
    assert len(done.cv_results_["params"]) == 2
    assert done.best_params_["learning_rate"] in (0.001, 0.01)


class TestOptuna:
    @pytest.fixture(autouse=True)
    def optuna(self):
        pytest.importorskip("optuna").logging.set_verbosity(30)

    def test_a_search_goes_on_in_its_file(self, tmp_path):
        import optuna_search

        x, y = split(40)
        journal = tmp_path / "runs" / "journal"
        numbers = []
        for trials in (1, 3, 3):
            study = optuna_search.search(x, y.argmax(axis=1), 1, trials, journal)
            numbers.append(len(study.trials))
        assert numbers == [1, 3, 3]
        assert len({trial.params["learning_rate"] for trial in study.trials}) == 3

    def test_a_trial_that_falls_behind_ends(self):
        import optuna
        import optuna_search

        class Trial:
            reported: list = []  # noqa: RUF012

            def report(self, value, step):
                self.reported.append((value, step))

            def should_prune(self):
                return len(self.reported) == 2

        pruning = optuna_search.Pruning(Trial())
        pruning.on_epoch_end(0, {"val_accuracy": 0.5})
        with pytest.raises(optuna.TrialPruned):
            pruning.on_epoch_end(1, {"val_accuracy": 0.25})
        assert Trial.reported == [(0.5, 0), (0.25, 1)]


def test_published_options(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["future_work"])
    assert options.are_published(options.parse())
    monkeypatch.setattr(sys, "argv", ["future_work", "--limit", "100"])
    assert not options.are_published(options.parse())


def test_the_published_page_is_that_of_its_data():
    """docs/future-work.md has been written by the program from docs/data/future-work.json."""
    from reproduce.markdown import markdown

    from examples.future_work.program import COMMENT

    content = json.loads((ROOT / "docs" / "data" / "future-work.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "future-work.md").read_text(encoding="utf-8")
    assert page == markdown(text.page(content), COMMENT, "")


def test_the_command(tmp_path):
    """From measured results to the page, without training."""
    path = tmp_path / "results.json"
    settings = {"backend": "numpy", "data": "sample", "training_images": 30, "test_images": 1000, "epochs": 1}
    run = {"loss": 2.0, "accuracy": 0.25, "train_accuracy": 0.5, "seconds": 1.0}
    path.write_text(json.dumps({"settings": settings, "baseline": {"0": run}}), encoding="utf-8")
    command = [sys.executable, "-m", "examples.future_work", "--limit", "30", "--epochs", "1", "--report-only"]
    environment = os.environ | {"MINICNN_DATA": str(SAMPLE_DIRECTORY)}
    done = subprocess.run(
        [*command, "--backend", "numpy", "--out", str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "| Model 5: Adam, dropout 0.2, batches of 64 | 0.2500 |" in (tmp_path / "future-work.md").read_text("utf-8")
