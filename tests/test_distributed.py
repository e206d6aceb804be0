"""Data-parallel training with real processes: 1, 2 and 4 of them give the same bits, and none waits for ever."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn import Input, Sequential, distributed
from minicnn.datasets.checksums import SAMPLE_DIRECTORY
from minicnn.distributed import DataParallel, tree_sum
from minicnn.layers import Dense

pytest.importorskip("mpi4py")

ROOT = Path(__file__).resolve().parents[1]
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
HANGS = 120  # seconds: many times what a run takes
PROCESSES = {"numpy": (1, 2, 4), "numba": (1, 4)}
BACKENDS = ["numpy", pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="no Numba"))]

SCRIPT = '''
import sys
from pathlib import Path
import numpy as np
import minicnn
from minicnn.distributed import DataParallel
from minicnn.callbacks import EarlyStopping
from minicnn.layers import *
from minicnn.losses import MeanSquaredError

X = np.random.default_rng(0).random((54, 6, 6, 1), np.float32)
Y = np.arange(54) % 3
WEIGHTS = 1.0 + np.arange(54) % 5
folder = Path(sys.argv[1])

def convolutions():
    """The same in every call, but another one on every process: `replicate` has to make them equal."""
    minicnn.set_random_seed(parallel.rank)
    layers = [
        Conv2D(4, 3, kernel_regularizer="l2"), BatchNormalization(), ReLU(), MaxPooling2D(2), Flatten(),
        Dropout(0.3), Dense(3, "softmax"),
    ]
    model = minicnn.Sequential([minicnn.Input((6, 6, 1)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def linear(reduction="sum_over_batch_size", rate=0.002):
    minicnn.set_random_seed(parallel.rank)
    model = minicnn.Sequential([minicnn.Input((6, 6, 1)), Flatten(), Dense(1)])
    model.compile(minicnn.optimizers.SGD(rate), MeanSquaredError(reduction=reduction))
    return model

def train(name, model, y=Y, epochs=2, first=0, **options):
    """Train process 0's model on all processes; process 0 keeps it, and the history."""
    model = parallel.replicate(model)
    options = {"batch_size": 16, "validation_data": (X[:9], y[:9]), "verbose": 0} | options
    history = model.fit(X, y, epochs=epochs, initial_epoch=first, **options).history
    if parallel.rank == 0:
        values = {key: np.array(value) for key, value in history.items()}
        np.savez(folder / f"{name}-{parallel.size}.npz", *model.get_weights(), **values)
        model.save(folder / f"{name}-{parallel.size}.safetensors")
'''

RUNS = """
backend = sys.argv[2]
minicnn.use_backend(backend)
with DataParallel() as parallel:
    train("all", convolutions(), callbacks=EarlyStopping("val_loss"))
    if backend == "numpy":
        train("begun", convolutions(), epochs=1)
        train("few", convolutions(), batch_size=26)  # batches of 26, 26 and 2: fewer than shards
        train("mean", linear(), Y.astype(float))
        train("sum", linear("sum"), Y.astype(float), sample_weight=WEIGHTS)
        train("weighted", linear("mean_with_sample_weight"), Y.astype(float), sample_weight=WEIGHTS)
        try:
            train("diverged", linear(rate=1e38), Y.astype(float))
        except minicnn.NonFiniteError as error:
            (folder / f"error-{parallel.size}-{parallel.rank}.txt").write_text(str(error))
        if parallel.size == 4:
            model = minicnn.load_model(folder / "begun-2.safetensors") if parallel.rank == 0 else None
            train("resumed", model, first=1)
            train("straight", convolutions())
"""

ENDS = """
import os, signal, time
minicnn.use_backend("numpy")
def kill(): os.kill(os.getpid(), signal.SIGKILL)
def fail(): raise OSError("the disk is full")
def sleep(): time.sleep(60)

class End(minicnn.callbacks.Callback):
    def on_train_batch_end(self, batch, logs):
        if parallel.rank == 1 and batch == 1: {"kill": kill, "fail": fail, "sleep": sleep}[sys.argv[2]]()

with DataParallel(timeout=1.0) as parallel:
    train("ended", convolutions(), callbacks=[End()])
"""


def mpiexec(processes: int, code: str, folder: Path, argument: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(SCRIPT + code, encoding="utf-8")
    start = [] if processes == 1 else [str(MPIEXEC), "-n", str(processes)]
    command = [*start, sys.executable, "script.py", str(folder), argument]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANGS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """trained(backend): the folder with the results of 1, 2 and 4 processes."""

    @cache
    def results(backend: str) -> Path:
        folder = tmp_path_factory.mktemp(backend)
        for processes in PROCESSES[backend]:
            done = mpiexec(processes, RUNS, folder, backend)
            assert done.returncode == 0, done.stderr
        return folder

    return results


def arrays_in(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return dict(file)


def assert_same_bits(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].tobytes() == other[name].tobytes(), name


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_number_of_processes_gives_the_same_weights_and_history(trained, backend):
    folder = trained(backend)
    names = {path.stem.rsplit("-", 1)[0] for path in folder.glob("*-1.npz")}
    assert "all" in names
    for name in names:
        one, *others = (arrays_in(folder / f"{name}-{processes}.npz") for processes in PROCESSES[backend])
        assert len(one["loss"]) >= 1
        for other in others:
            assert_same_bits(one, other)


def test_four_processes_resume_what_two_began(trained):
    folder = trained("numpy")
    resumed, straight = (arrays_in(folder / f"{name}-4.npz") for name in ("resumed", "straight"))
    weights = [name for name in straight if name.startswith("arr_")]
    assert_same_bits({name: resumed[name] for name in weights}, {name: straight[name] for name in weights})
    assert resumed["loss"][-1] == straight["loss"][-1]


def test_all_processes_notice_a_loss_that_is_not_finite(trained):
    messages = [path.read_text() for path in trained("numpy").glob("error-*.txt")]
    assert len(messages) == sum(PROCESSES["numpy"])
    assert len(set(messages)) == 1
    assert "at step 2" in messages[0]


@pytest.mark.parametrize(
    ("name", "reduction", "weighted"),
    [("mean", "sum_over_batch_size", False), ("sum", "sum", True), ("weighted", "mean_with_sample_weight", True)],
)
def test_the_sum_of_the_shards_is_the_gradient_of_the_batch(trained, name, reduction, weighted):
    found = arrays_in(trained("numpy") / f"{name}-4.npz")
    x = np.random.default_rng(0).random((54, 6, 6, 1), np.float32)
    y = np.arange(54) % 3.0
    with minicnn.use_backend("numpy"):
        minicnn.set_random_seed(0)
        model = Sequential([Input((6, 6, 1)), minicnn.layers.Flatten(), Dense(1)])
        model.compile(minicnn.optimizers.SGD(0.002), minicnn.losses.MeanSquaredError(reduction=reduction))
        weights = 1.0 + np.arange(54) % 5 if weighted else None
        history = model.fit(x, y, 16, 2, verbose=0, sample_weight=weights, validation_data=(x[:9], y[:9])).history
    for number, array in enumerate(model.get_weights()):
        np.testing.assert_allclose(found[f"arr_{number}"], array, rtol=1e-5, atol=1e-6)
    for metric, values in history.items():
        np.testing.assert_allclose(found[metric], values, rtol=1e-5)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("kill", ""),  # the words are mpiexec's
        ("fail", "the disk is full"),
        ("sleep", "expected an answer of process 1 within 1 seconds"),
    ],
)
def test_a_process_that_ends_or_stops_ends_all_of_them(tmp_path, how, message):
    done = mpiexec(2, ENDS, tmp_path, how)
    assert done.returncode != 0
    assert message in done.stderr
    if message:
        assert "so all of them end" in done.stderr


def example(processes: int, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    start = [] if processes == 1 else [str(MPIEXEC), "-n", str(processes)]
    small = ["--backend", "numpy", "--limit", "40", "--out", "run", "--quiet"]
    command = [*start, sys.executable, str(ROOT / "examples" / "baseline.py"), *small, *options]
    environment = ENVIRONMENT | {"MINICNN_DATA": str(SAMPLE_DIRECTORY)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=HANGS)


def test_an_example_on_two_processes_is_resumed_on_one(tmp_path):
    begun = example(2, tmp_path, "--distributed", "--epochs", "1")
    assert begun.returncode == 0, begun.stderr
    assert begun.stdout.count("The results and the trained model") == 1
    refused = example(1, tmp_path, "--resume", "--epochs", "2")
    assert refused.returncode == 2
    assert "was started with shards 4 and cannot be resumed with no shards" in refused.stderr
    resumed = example(1, tmp_path, "--resume", "--epochs", "2", "--distributed")
    assert resumed.returncode == 0, resumed.stderr
    assert minicnn.load_model(tmp_path / "run" / "model.safetensors").epochs_trained == 2


class World:
    """A communicator of so many processes, of which only this one is there."""

    def __init__(self, size: int) -> None:
        self.COMM_WORLD, self.Request, self.rank, self.size = self, self, 0, size

    def Ibarrier(self) -> None: ...

    def Testall(self, requests: list) -> bool:
        return False


def alone(monkeypatch: pytest.MonkeyPatch, size: int, **options: float) -> DataParallel:
    monkeypatch.setattr(distributed, "imported", lambda *names: World(size))
    return DataParallel(**options)


def test_processes_divide_the_shards(monkeypatch):
    with pytest.raises(ValueError, match=r"expected 1, 2, 4 processes for 4 shards, found 3 processes"):
        alone(monkeypatch, 3)
    with pytest.raises(ValueError, match=r"expected a power of two.* found 6"):
        alone(monkeypatch, 1, shards=6)
    assert list(alone(monkeypatch, 2, shards=8).own_shards) == [0, 1, 2, 3]


def test_a_process_does_not_wait_for_ever(monkeypatch):
    with pytest.raises(
        TimeoutError, match=r"Process 0 of 2: expected an answer of the other processes within 0.01 sec"
    ):
        alone(monkeypatch, 2, timeout=0.01).replicate(None)


def test_what_fit_cannot_share(monkeypatch):
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    model.parallel = alone(monkeypatch, 2)
    x, y = np.zeros((8, 2)), np.zeros(8)
    with pytest.raises(TypeError, match="expected arrays x and y, found an iterable"):
        model.fit(iter([(x, y)]))
    with pytest.raises(ValueError, match="expected at least 4 samples in a batch, one per shard, found 3"):
        model.fit(x, y, batch_size=3)


def test_the_parts_of_all_processes_are_the_batch(monkeypatch):
    for samples in (0, 1, 5, 16, 63):
        one = alone(monkeypatch, 1)
        assert one.own(3, 3 + samples) == slice(3, 3 + samples)
        ends = [(part.start, part.stop) for part in (part_of(monkeypatch, rank, samples) for rank in range(4))]
        assert ends[0][0] == 0
        assert ends[-1][1] == samples
        assert all(before[1] == after[0] for before, after in pairwise(ends))


def part_of(monkeypatch: pytest.MonkeyPatch, rank: int, samples: int) -> slice:
    world = World(4)
    world.rank = rank
    monkeypatch.setattr(distributed, "imported", lambda *names: world)
    return DataParallel().own(0, samples)


def test_tree_sum_adds_neighbours_first():
    large, small = np.float32(2.0**24), np.float32(1)
    arrays = [np.array([number]) for number in (small, large, small, -large)]
    assert tree_sum(arrays)[0] == 1  # 1 + large is rounded to large, 1 − large is exact; from left to right it is 0
