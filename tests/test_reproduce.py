"""The reproduction of the report: resumable after any kill, its numbers scikit-learn's, its page complete in itself."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from minicnn import load_model
from minicnn.datasets import FashionMNIST
from minicnn.datasets.checksums import SAMPLE_DIRECTORY

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = os.environ | {"MINICNN_DATA": str(SAMPLE_DIRECTORY), "OPENBLAS_NUM_THREADS": "1"}
SMALL = ("--backend", "numpy", "--limit", "100", "--seeds", "1")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "examples.reproduce", *map(str, arguments)]


def start(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)


def results_in(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def without_seconds(runs: list[dict]) -> list[dict]:
    return [{name: value for name, value in run.items() if name != "seconds"} for run in runs]


@pytest.fixture(autouse=True)
def examples(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The folder of a small reproduction of the Baseline that nothing has interrupted."""
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("whole")
    done = start(*SMALL, "--models", "baseline", "--epochs", 3, "--out", folder)
    assert done.returncode == 0, done.stderr
    assert "Baseline, seed 0: epoch 3/3 - val_loss " in done.stdout
    assert " - left 00:0" in done.stdout
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_reproduction_goes_on_bit_for_bit_and_trains_nothing_twice(whole, tmp_path):
    arguments = (*SMALL, "--models", "baseline", "--epochs", 3, "--out", tmp_path)
    with subprocess.Popen(command(*arguments), cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "epoch 1/3" in process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    done = start(*arguments)
    assert done.returncode == 0, done.stderr
    assert "epoch 1/3" not in done.stdout
    ours, theirs = (folder / "runs" / "baseline-seed0" for folder in (tmp_path, whole))
    assert (ours / "predictions.npy").read_bytes() == (theirs / "predictions.npy").read_bytes()
    weights = [load_model(folder / "model.safetensors").get_weights() for folder in (ours, theirs)]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
    runs = [results_in(folder)["models"]["baseline"]["runs"] for folder in (tmp_path, whole)]
    assert without_seconds(runs[0]) == without_seconds(runs[1])


def test_what_is_trained_is_only_reported(whole):
    before = (whole / "results.json").read_bytes()
    done = start(*SMALL, "--models", "baseline", "--epochs", 3, "--out", whole)
    assert done.returncode == 0, done.stderr
    assert "epoch" not in done.stdout
    assert (whole / "results.json").read_bytes() == before


def test_the_page_needs_nothing_else(whole):
    text = (whole / "reproduction.html").read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|srcset|href)="([^"]{1,30})', text)
    assert addresses
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    assert not re.findall(r"https?://|@import|url\(", text)
    anchors = re.findall(r'href="#([^"]*)"', text)
    assert anchors
    assert set(anchors) <= set(re.findall(r' id="([^"]*)"', text))


def test_the_markdown_has_its_figures(whole):
    text = (whole / "reproduction.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((.*?)\)", text)
    assert links
    assert all((whole / link).read_bytes().startswith(b"\x89PNG") for link in links)


def test_the_published_page_is_that_of_its_data():
    """docs/reproduction.md has been written by the program from docs/data/reproduction.json, with all its figures."""
    from examples.reproduce.content import document
    from examples.reproduce.markdown import markdown
    from examples.reproduce.program import COMMENT, IMAGES

    text = document(json.loads((ROOT / "docs" / "data" / "reproduction.json").read_text(encoding="utf-8")))
    assert (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8") == markdown(text, COMMENT, IMAGES)
    assert all((ROOT / "docs" / IMAGES / f"{name}.png").exists() for name in text.pictures)


def test_a_longer_training_goes_on_where_the_shorter_one_ended(tmp_path):
    from reproduce.network import Network
    from reproduce.plan import build_model
    from reproduce.progress import Progress

    rng = np.random.default_rng(0)
    split = rng.integers(0, 256, (40, 28, 28), dtype=np.uint8), np.arange(40) % 10
    data = FashionMNIST(split, split, "here", False)
    options = Namespace(limit=None, learning_rate=0.001, batch_size=20, data_dir=None, shards=None)

    def network(name: str, epochs: int, shorter: Network | None = None) -> Network:
        job = Network(name, name, 3, epochs, 1.0, build_model("baseline"), tmp_path / name, shorter)
        progress = Progress([job], 2, quiet=True)
        progress.begin(job)
        job.run(data, options, progress)
        assert job.finished
        return job

    longer = network("longer", 3, shorter=network("shorter", 2))
    assert longer.history()["loss"] == network("at once", 3).history()["loss"]
    assert (tmp_path / "longer/predictions.npy").read_bytes() == (tmp_path / "at once/predictions.npy").read_bytes()


@pytest.mark.parametrize("content", [b"\x93NUMPY", b"\xff\xfe", b"epoch,loss\n1,0.5\n"])
def test_a_damaged_file_is_a_sentence(content, tmp_path):
    from experiment.checkpoint import RunError
    from reproduce.files import load_array
    from reproduce.network import Network
    from reproduce.plan import build_model

    for name in ("history.csv", "predictions.npy"):
        (tmp_path / name).write_bytes(content + b"\n0")
    with pytest.raises(RunError, match=r"history.csv is damaged: .*; delete its folder to train this again"):
        Network("baseline", "Baseline", 0, 3, 1.0, build_model("baseline"), tmp_path).history()
    with pytest.raises(RunError, match=r"predictions.npy is damaged: "):
        load_array(tmp_path / "predictions.npy", (100, 10))


def test_the_metrics_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    from reproduce.results import evaluate

    rng = np.random.default_rng(1)
    labels = np.arange(300) % 10
    logits = rng.normal(size=(300, 10)) + 2 * np.eye(10)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = evaluate(labels, probabilities)
    answers = probabilities.argmax(axis=1)
    assert found["accuracy"] == metrics.accuracy_score(labels, answers)
    expected = metrics.precision_recall_fscore_support(labels, answers, average="macro")[:3]
    np.testing.assert_allclose([found[name] for name in ("precision", "recall", "f1")], expected, rtol=1e-14)
    np.testing.assert_allclose(found["loss"], metrics.log_loss(labels, probabilities), rtol=1e-12)
    np.testing.assert_allclose(found["auc_macro"], metrics.roc_auc_score(labels, probabilities, multi_class="ovr"))
    assert found["confusion"] == metrics.confusion_matrix(labels, answers).tolist()
    assert "loss" not in evaluate(labels, logits, probabilities=False)


@pytest.mark.parametrize(
    ("accuracies", "losses", "words"),
    [
        ([0.90, 0.92], [0.25, 0.29], "reproduced within one standard deviation: accuracy "),
        ([0.93, 0.94], [0.25, 0.29], "in part: loss reproduced within one standard deviation, accuracy not: "),
        (
            [0.93, 0.94],
            [0.15, 0.16],
            "not: accuracy 2.50 points above the report (3.5 standard deviations), loss ",
        ),
        ([0.93], [0.15], "one seed, no verdict: accuracy 2.00 points above the report, loss 0.1200 below the report"),
    ],
)
def test_verdicts(accuracies, losses, words):
    from reproduce.verdicts import verdict

    report = {"accuracy": 0.91, "recall": 0.91, "loss": 0.27}
    runs = [{"accuracy": a, "recall": a, "loss": loss} for a, loss in zip(accuracies, losses, strict=True)]
    assert verdict(report, runs).startswith(words)
    contradictory = verdict(report | {"recall": 0.84}, runs)
    assert contradictory.startswith("cannot be reproduced, the row contradicts itself: accuracy ")


def test_a_folder_is_for_one_process(whole):
    lock = pytest.importorskip("filelock").FileLock(whole / ".lock")
    with lock:
        refused = start(*SMALL, "--models", "baseline", "--epochs", 3, "--out", whole)
    assert refused.returncode == 2
    assert f"another process works in {whole}; wait for its end" in refused.stderr
    assert start(*SMALL, "--models", "baseline", "--epochs", 3, "--out", whole, "--report-only").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--models", "svm"], "svm learns from Model 5's features, so name model5, too"),
        (["--models", "model9"], "argument --models: invalid choice: 'model9'"),
        (["--seeds", "0"], "argument --seeds: expected a whole number of at least 1, found '0'"),
        (
            [*SMALL, "--epochs", "2"],
            "was begun with epochs 3, not 2; --out DIR begins another one",
        ),
        (
            [*SMALL, "--epochs", "3", "--first-seed", "5", "--report-only"],
            "is finished yet; start without",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_is_a_sentence(arguments, sentence, whole):
    before = (whole / "results.json").read_bytes()
    done = start(*arguments, "--out", whole)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert (whole / "results.json").read_bytes() == before
