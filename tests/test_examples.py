"""The examples run from the command line as their help says: results in files, errors as sentences, resumable."""

from __future__ import annotations

import csv
import json
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn.datasets import SampleDataWarning, load_fashion_mnist
from minicnn.datasets.checksums import SAMPLE_DIRECTORY

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PARAMETERS = {
    "baseline": 83_142,
    "model1": 93_446,
    "model2": 99_786,
    "model3": 147_274,
    "model4": 93_322,
    "model5": 241_546,
    "model5_residual": 435_306,
    "model6": 241_546,
    "model7": 289_962,
}
FILES = {
    "settings.json",
    "metrics.json",
    "history.csv",
    "classification_report.txt",
    "model.safetensors",
    "training_curves.png",
    "confusion_matrix.png",
    "classification_report.png",
    "roc_curves.png",
    "samples.png",
}
# One thread: the runs share the machine with other tests, and their metrics must be reproducible.
ENVIRONMENT = os.environ | {"MINICNN_DATA": str(SAMPLE_DIRECTORY), "OPENBLAS_NUM_THREADS": "1"}
OPTIONS = ("device", "backend", "epochs", "batch_size", "learning_rate", "seed", "limit", "data_dir")
SMALL = ("--backend", "numpy", "--limit", "100")


def command(model: str, *arguments: object) -> list[str]:
    return [sys.executable, str(EXAMPLES / f"{model}.py"), *map(str, arguments)]


def start(model: str, *arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(model, *arguments), cwd=cwd, env=ENVIRONMENT | environment, capture_output=True, text=True, timeout=120
    )


def hidden(folder: Path, *packages: str) -> dict[str, str]:
    """The environment of a process that cannot import these packages."""
    lines = ["import sys", *(f"sys.modules[{package!r}] = None" for package in packages)]
    (folder / "sitecustomize.py").write_text("\n".join(lines), encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(EXAMPLES.parent)])}


def metrics_in(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def history_in(folder: Path) -> list[dict[str, str]]:
    """The metrics of the epochs, without the seconds."""
    with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
        return [{name: figure for name, figure in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def weights_in(folder: Path) -> list[np.ndarray]:
    return minicnn.load_model(folder / "model.safetensors").get_weights()


@pytest.mark.parametrize(("model", "parameters"), PARAMETERS.items())
def test_the_architecture_has_the_parameters_of_its_keras_twin(model, parameters, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example = runpy.run_path(str(EXAMPLES / f"{model}.py"))
    assert example["build_model"]().count_params() == parameters
    assert f"{parameters:,} parameters" in example["__doc__"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """finished(model): the process and the folder of a small run of two epochs, made once, from a folder elsewhere."""

    @cache
    def run(model: str) -> tuple[subprocess.CompletedProcess[str], Path]:
        elsewhere = tmp_path_factory.mktemp(model)
        done = start(model, *SMALL, "--epochs", 2, cwd=elsewhere)
        assert done.returncode == 0, done.stderr
        return done, elsewhere / "runs" / model

    return run


@pytest.mark.parametrize("model", PARAMETERS)
def test_a_run_compares_itself_with_the_report_and_writes_all_files(model, finished):
    pytest.importorskip("matplotlib")
    done, folder = finished(model)
    assert {path.name for path in folder.iterdir()} == FILES
    for picture in folder.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")

    record, history = metrics_in(folder), history_in(folder)
    assert [row["epoch"] for row in history] == ["1", "2"]
    assert record["metrics"]["loss"] == float(history[-1]["val_loss"])
    assert record["metrics"]["accuracy"] == float(history[-1]["val_accuracy"])
    assert set(record["metrics"]) == set(record["report"]) == {"loss", "accuracy", "precision", "recall", "f1"}
    for name in record["metrics"]:
        assert f"{record['metrics'][name]:>10.4f}{record['report'][name]:>10.4f}" in done.stdout
    assert record["settings"]["data_is_sample"]
    assert "embedded sample" in done.stderr
    assert "Total params" in done.stdout


def test_quiet_prints_metrics_only_and_another_seed_gives_others(finished, tmp_path):
    options = ("--epochs", 2, "--seed", 1, "--out", "results", "--quiet", "--explore")
    done = start("model3", *SMALL, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    assert "results" in done.stdout
    assert "Epoch" not in done.stdout + done.stderr
    assert len(done.stdout.splitlines()) < 15
    assert metrics_in(tmp_path / "results")["metrics"] != metrics_in(finished("model3")[1])["metrics"]
    page = (tmp_path / "results" / "explorer.html").read_text(encoding="utf-8")
    assert str(Path("results", "explorer.html")) in done.stdout
    assert "Ankle boot" in page
    assert '"steps": [0]' in page  # the recording


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent Ctrl-C on Windows")
def test_a_run_interrupted_by_ctrl_c_resumes_bit_for_bit(finished, tmp_path):
    arguments = (*SMALL, "--epochs", 4)
    whole = start("model4", *arguments, "--out", "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    assert history_in(tmp_path / "whole")[:2] == history_in(finished("model4")[1])  # the same seed, the same metrics

    arguments = (*arguments, "--out", "parts")
    with subprocess.Popen(
        command("model4", *arguments),
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored, if pytest runs in the background
    ) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("Epoch 1/4"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "of 4 epochs are kept in parts. To go on: python " in errors
    assert "model4.py --resume --out parts\n" in errors
    assert 1 <= minicnn.load_model(tmp_path / "parts" / "model.safetensors").epochs_trained < 4

    resumed = start("model4", "--resume", "--out", "parts", cwd=tmp_path)  # the other options come from the run
    assert resumed.returncode == 0, resumed.stderr
    for ours, theirs in zip(weights_in(tmp_path / "parts"), weights_in(tmp_path / "whole"), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert history_in(tmp_path / "parts") == history_in(tmp_path / "whole")
    assert metrics_in(tmp_path / "parts")["metrics"] == metrics_in(tmp_path / "whole")["metrics"]


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent Ctrl-C on Windows")
def test_ctrl_c_while_the_libraries_are_imported_is_a_sentence(tmp_path):
    # A process that was started in the background may ignore the signal.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); signal.raise_signal(signal.SIGINT)"
    (tmp_path / "minicnn.py").write_text(code)
    done = start("baseline", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (130, "baseline.py: interrupted\n")


def test_without_a_working_matplotlib_only_the_figures_are_missing(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ValueError('a wrong MPLBACKEND')")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = start("baseline", *SMALL, "--epochs", "1", cwd=tmp_path, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert "matplotlib cannot be imported: a wrong MPLBACKEND" in done.stdout


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that nobody can write into")
def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    done = start("baseline", *SMALL, "--out", "/proc/results", cwd=tmp_path)
    assert done.returncode == 2
    assert "baseline.py: error: /proc/results cannot be written: " in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGPIPE")
def test_a_closed_pipe_ends_a_run_quietly(tmp_path):
    """As in `python examples/model5.py | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    run = command("baseline", *SMALL, "--epochs", "2")
    done = subprocess.run(run, cwd=tmp_path, env=ENVIRONMENT, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == 141, done.stderr
    (notice,) = done.stderr.splitlines()
    assert "embedded sample" in notice


def test_a_console_without_unicode_and_one_without_stderr(tmp_path):
    arguments = (*SMALL, "--epochs", "1")
    done = start("baseline", *arguments, cwd=tmp_path, PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    if os.name == "posix":
        closed = f"exec {shlex.join(command('baseline', *arguments, '--out', 'again'))} 2>&-"
        assert (
            subprocess.run(["sh", "-c", closed], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.DEVNULL).returncode
            == 0
        )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--resume", "--seed", "7"], "was started with seed 0 and cannot be resumed with seed 7"),
        (["--resume", "--limit", "5"], "was started with limit 100 and cannot be resumed with limit 5"),
        (["--resume", "--device", "gpu"], "was started with device cpu and cannot be resumed with device gpu"),
        (["--resume", "--epochs", "1"], "has 2 epochs already, more than 1"),
        (
            SMALL,
            "holds a run already: Baseline, 2 of 2 epochs on 100 images, val_accuracy {val_accuracy:.4f}, saved on ",
        ),
        (["--limit", "5"], "  --resume      resume it\n  --overwrite   replace it\n  --out DIR     keep it"),
        (["--resume", "--overwrite"], "not allowed with argument --resume"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, (list, tuple)) else "",
)
def test_no_run_is_replaced_without_overwrite_or_resumed_with_other_options(arguments, sentence, finished, tmp_path):
    _, folder = finished("baseline")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = start("baseline", *arguments, "--out", folder, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert sentence.format(val_accuracy=float(history_in(folder)[-1]["val_accuracy"])) in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_model_7_prints_its_accuracy_with_mirror_images_too(finished):
    done, _ = finished("model7")
    assert re.search(r"^Accuracy with mirror images: 0\.\d{4}$", done.stdout, re.MULTILINE)


def test_a_run_with_a_schedule_is_not_trained_for_longer(finished, tmp_path):
    _, folder = finished("model7")
    for epochs, code in ((3, 2), (2, 0)):
        done = start("model7", "--resume", "--epochs", epochs, "--quiet", "--out", folder, cwd=tmp_path)
        assert done.returncode == code
        assert ("has a learning-rate schedule for 2 epochs; with 3 it is another run" in done.stderr) == bool(code)


def test_a_run_of_another_model_is_not_resumed(finished, tmp_path):
    done = start("model1", "--resume", "--out", finished("baseline")[1], cwd=tmp_path)
    assert done.returncode == 2
    assert "was started with model Baseline and cannot be resumed with model Model 1" in done.stderr


def test_a_resumed_run_keeps_its_options_and_may_train_for_longer(finished, tmp_path):
    options = "--batch-size", 32, "--lr", 0.002, "--seed", 5, "--backend", "numpy", "--limit", 60, "--out", "run"
    whole = start("model2", *options[:-1], "whole", "--epochs", 3, cwd=tmp_path)
    begun = start("model2", *options, "--epochs", 1, cwd=tmp_path)
    longer = start("model2", "--resume", "--out", "run", "--epochs", 3, cwd=tmp_path)
    again = start("model2", "--resume", "--out", "run", cwd=tmp_path)
    assert [done.returncode for done in (whole, begun, longer, again)] == [0] * 4, longer.stderr + again.stderr
    assert [line[:9] for line in longer.stdout.splitlines() if line.startswith("Epoch")] == ["Epoch 2/3", "Epoch 3/3"]
    assert "epochs: 3, 3 of them done already" in again.stdout
    assert metrics_in(tmp_path / "run")["settings"] == metrics_in(tmp_path / "whole")["settings"]
    assert metrics_in(tmp_path / "run")["metrics"] == metrics_in(tmp_path / "whole")["metrics"]
    for ours, theirs in zip(weights_in(tmp_path / "run"), weights_in(tmp_path / "whole"), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_overwrite_replaces_a_run_and_its_results(finished, tmp_path):
    folder = shutil.copytree(finished("baseline")[1], tmp_path / "run")
    arguments = ("--backend", "numpy", "--limit", 50, "--epochs", 1, "--out", "run")
    done = start("baseline", *arguments, "--overwrite", cwd=tmp_path, **hidden(tmp_path, "matplotlib"))
    assert done.returncode == 0, done.stderr
    assert metrics_in(folder)["settings"]["training_images"] == 50
    assert len(history_in(folder)) == 1
    assert not list(folder.glob("*.png"))  # those of the earlier run


def test_a_run_without_a_complete_epoch_may_be_replaced(tmp_path):
    failed = start("baseline", *SMALL, "--lr", "1e30", "--out", "run", cwd=tmp_path)
    assert failed.returncode == 2
    done = start("baseline", *SMALL, "--epochs", 1, "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("settings.json", b""),
        ("settings.json", b"[1, 2]"),
        ("settings.json", b"\xff\xfe{"),
        ("settings.json", b'{"epochs": -3}'),
        ("settings.json", b'{"seed": [5]}'),
        ("settings.json", b'{"backend": "abacus"}'),
        ("settings.json", b"[" * 100_000),
        ("history.csv", b""),
        ("history.csv", b"epoch,loss\n1,0.5\n"),
        ("history.csv", b"epoch,loss,accuracy,val_loss,val_accuracy,seconds\n1,a,b,c,d,e\n"),
        ("history.csv", b"epoch,loss,accuracy,val_loss,val_accuracy,seconds\n1,1,1,1,1,1\n2,1,1,1,1,1\n"),
        ("history.csv", b"\0" * 1000),
        ("history.csv", b'"' + b"x" * 200_000),
        ("model.safetensors", b"PK\3\4"),
    ],
)
def test_a_damaged_run_is_a_sentence(name, content, finished, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from experiment.checkpoint import Checkpoint, RunError

    folder = shutil.copytree(finished("baseline")[1], tmp_path / "run")
    typed, defaults = {"resume": True, **dict.fromkeys(OPTIONS)}, {"epochs": 10}
    checkpoint, settings = Checkpoint(folder), json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    assert checkpoint.options(Namespace(**typed), defaults).epochs == checkpoint.resume(settings).epochs_trained == 2
    (folder / name).write_bytes(content)
    with pytest.raises(RunError, match=r"the run in .* is damaged: .*; replace it with --overwrite"):
        _ = checkpoint.options(Namespace(**typed), defaults), checkpoint.resume(settings)
    typed |= {"resume": False, "overwrite": False}
    with pytest.raises(RunError, match="holds a run already"):
        checkpoint.options(Namespace(**typed), defaults)
    assert checkpoint.options(Namespace(**typed | {"overwrite": True}), defaults).epochs == 10


def test_help_names_every_option_and_its_default(tmp_path):
    done = start("model6", "--help", cwd=tmp_path)
    assert done.returncode == 0
    for words in (
        "--device {cpu,gpu,auto}",
        "25, as in the report",
        "(default: 64)",
        "(default: 0.001)",
        "runs/model6",
    ):
        assert words in " ".join(done.stdout.split())
    assert "python examples/model6.py" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--epochs", "0"], "argument --epochs: expected a whole number of at least 1, found '0'"),
        (["--batch-size", "many"], "argument --batch-size: expected a whole number of at least 1, found 'many'"),
        (["--limit", "-5"], "argument --limit: expected"),
        (["--lr", "nan"], "argument --lr: expected a number above 0, found 'nan'"),
        (["--lr", "1e300"], "argument --lr: expected a number above 0, at most 3.40282e+38, found '1e300'"),
        (["--epochs", "9" * 20], "argument --epochs: expected a whole number of at least 1, at most 2.14748e+09"),
        (["--seed", "1.5"], "argument --seed: expected a whole number of at least 0"),
        (["--device", "tpu"], "argument --device: invalid choice"),
        (["--device", "cpu", "--backend", "cupy"], "cupy does not run on the cpu, choose numba or numpy"),
        (["--device", "gpu"], "CuPy"),
        (["--data-dir", "nowhere"], "expected the four files of Fashion-MNIST in nowhere"),
        (["--out", __file__], "argument --out: expected a folder, found a file"),
        (["--out", "n" * 300], "argument --out: expected a folder, found 'nnn"),
        (["--out", f"{__file__}/in"], "argument --out: expected a folder, found"),
        (["--resume"], "holds no run to resume; start one without --resume"),
        (["--epoch-count", "3"], "unrecognized arguments: --epoch-count"),
        (["--lr", "1e30", *SMALL], "The loss is"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_a_sentence_and_exit_code_2(arguments, sentence, tmp_path):
    done = start("baseline", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "baseline.py: error: " in done.stderr
    assert sentence in done.stderr


def test_device_auto_computes_somewhere_and_says_where(tmp_path):
    few = SMALL[SMALL.index("--limit") :]  # without its --backend
    done = start("baseline", *few, "--device", "auto", "--out", "results", cwd=tmp_path, **hidden(tmp_path, "cupy"))
    assert done.returncode == 0, done.stderr
    assert "baseline.py: computing on the CPU. " in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_packages_for_figures_a_run_trains_and_says_what_is_missing(finished, tmp_path):
    arguments = (*SMALL, "--epochs", 2, "--out", "run")
    done = start("model3", *arguments, cwd=tmp_path, **hidden(tmp_path, "sklearn", "matplotlib"))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    whole = finished("model3")[1]
    assert metrics_in(tmp_path / "run")["metrics"] == metrics_in(whole)["metrics"]
    for name in ("loss", "accuracy"):
        assert f"{name:<16}{metrics_in(whole)['metrics'][name]:>10.4f}" in done.stdout
    missing = FILES - {path.name for path in (tmp_path / "run").iterdir()}
    assert missing == {name for name in FILES if name.endswith(".png")}
    sentence = done.stdout[done.stdout.index("Without matplotlib, these figures are skipped: ") :]
    assert all(name in sentence for name in missing)
    assert "pip install matplotlib, then python " in sentence

    pytest.importorskip("matplotlib")
    drawn = start("model3", "--resume", "--out", "run", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert "Epoch " not in drawn.stdout
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


def test_the_scores_by_class_are_scikit_learns(finished):
    score = pytest.importorskip("sklearn.metrics").precision_recall_fscore_support
    _, folder = finished("model5")
    with pytest.warns(SampleDataWarning):
        _, test = load_fashion_mnist(SAMPLE_DIRECTORY)
    images, labels = (array[:100] for array in test)
    predictions = minicnn.load_model(folder / "model.safetensors").predict(images[..., None] / 255).argmax(axis=1)
    expected = np.transpose(score(labels, predictions, labels=range(10), zero_division=0))
    table = (folder / "classification_report.txt").read_text(encoding="utf-8").splitlines()
    for row, scores in zip(table[1:11], expected, strict=True):
        assert row.split()[-4:] == [*(f"{number:.4f}" for number in scores[:3]), f"{scores[3]:.0f}"]
    assert table[11].split()[2:] == [*(f"{number:.4f}" for number in expected[:, :3].mean(axis=0)), "100"]
