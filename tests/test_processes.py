"""The numba backend beside other processes and threads: forks, pools, signals, and the end of the interpreter.

Each test runs a new process; one that hangs is ended, and the test fails.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

ROOT = Path(__file__).resolve().parents[1]
HANGS = 120  # seconds: many times what a test takes
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

MODEL = '''
import multiprocessing, os, signal, sys, threading, time
import numpy as np
import minicnn
from minicnn.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D

X = np.random.default_rng(0).random((256, 12, 12, 1), np.float32)
Y = np.arange(256) % 4

def new_model(seed=0):
    minicnn.set_random_seed(seed)
    layers = [Conv2D(16, 3, activation="relu"), MaxPooling2D(2), Flatten(), Dropout(0.2), Dense(4, "softmax")]
    model = minicnn.Sequential([minicnn.Input((12, 12, 1)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model

def train_and_predict(seed=0):
    """A model's predictions after training."""
    model = new_model(seed)
    model.fit(X, Y, batch_size=64, epochs=2, verbose=0)
    return model.predict(X)

def train_on_one_thread(seed):
    with minicnn.use_backend("numba", threads=1):
        return train_and_predict(seed)

def check(found, seeds):
    """The children's predictions are those of one thread, to the bit."""
    expected = {seed: train_on_one_thread(seed) for seed in set(seeds)}
    assert len(found) == len(seeds)
    assert all(np.array_equal(predictions, expected[seed]) for predictions, seed in zip(found, seeds))
'''


def run(tmp_path, code: str) -> str:
    """Run code after MODEL, as a script, since pools import it again; what it printed."""
    script = tmp_path / "script.py"
    script.write_text(MODEL + code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, str(script)], env=environment, start_new_session=True, **pipes) as process:
        try:
            printed, said = process.communicate(timeout=HANGS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
            raise
    assert process.returncode == 0, said
    assert "Traceback" not in said
    return printed


POOL = """
if __name__ == "__main__":
    minicnn.use_backend("numba")
    before = train_and_predict()
    seeds = [0, 1, 2, 0]
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        check(pool.map({job}, seeds), seeds)
    assert np.array_equal(train_and_predict(), before)  # the parent still works
"""


@needs_fork
def test_forked_children_train_and_predict_after_the_parent_did(tmp_path):
    """GNU OpenMP ends a forked child that asks its thread pool, so children compute on one thread."""
    run(tmp_path, POOL.format(method="fork", job="train_and_predict"))


@pytest.mark.parametrize("method", [name for name in ("forkserver", "spawn") if os.name != "nt" or name == "spawn"])
def test_fresh_children_train_and_predict(tmp_path, method):
    run(tmp_path, POOL.format(method=method, job="train_on_one_thread"))


JOBLIB = """
from joblib import Parallel, delayed

if __name__ == "__main__":
    minicnn.use_backend("numba")
    train_and_predict()
    seeds = [0, 1, 2, 0]
    job = {job}
    check(Parallel(n_jobs=2, backend="{backend}")(delayed(job)(seed) for seed in seeds), seeds)
"""


@pytest.mark.parametrize(
    ("backend", "job"),
    [("loky", "train_on_one_thread"), pytest.param("multiprocessing", "train_and_predict", marks=needs_fork)],
)
def test_joblibs_processes(tmp_path, backend, job):
    pytest.importorskip("joblib")
    run(tmp_path, JOBLIB.format(backend=backend, job=job))


@needs_fork
def test_a_child_that_is_forked_before_the_first_kernel_has_all_threads(tmp_path):
    code = """
minicnn.use_backend("numba")
from minicnn.backends.cpu.runtime.threads import thread_count
if (child := os.fork()) == 0:
    train_and_predict()
    os._exit(thread_count())
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == thread_count()
if (child := os.fork()) == 0:
    os._exit(thread_count())
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 1
"""
    run(tmp_path, code)


WORK = {
    "train": "train_and_predict()",
    "compile": """
from minicnn.backends.cpu.runtime.compile import parallel

def fill(parts, part, array):
    for i in range(len(array)):
        array[i] = part + 1

array = np.zeros(3)
parallel(fill)(array)
assert array.any()
""",
}


@needs_fork
@pytest.mark.parametrize("work", WORK)
def test_forks_while_another_thread_computes_or_compiles(tmp_path, work):
    """That thread holds locks most of the time; a child that inherits a held lock would wait for ever."""
    no_cache = tmp_path / "file"
    no_cache.touch()
    code = f"""
if {work!r} == "compile":
    os.environ["NUMBA_CACHE_DIR"] = {str(no_cache)!r}
minicnn.use_backend("numba")
work, done = {WORK[work]!r}, threading.Event()

def work_on():
    while not done.is_set():
        exec(work, globals())

thread = threading.Thread(target=work_on, daemon=True)
thread.start()
for _ in range(10):
    time.sleep(0.02)
    if (child := os.fork()) == 0:
        signal.alarm(60)
        exec(work, globals())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
done.set()
thread.join()
"""
    run(tmp_path, code)


@needs_fork
def test_a_fork_while_another_thread_builds_a_network(tmp_path):
    code = """
from minicnn import network
held, done = threading.Event(), threading.Event()

def hold():
    with network._building:
        held.set()
        done.wait()

threading.Thread(target=hold, daemon=True).start()
held.wait()
if (child := os.fork()) == 0:
    signal.alarm(60)
    minicnn.Sequential([Dense(2)]).predict(X[:, 0, :, 0])
    os._exit(0)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
done.set()
"""
    run(tmp_path, code)


def test_threads_train_at_the_same_time(tmp_path):
    """Four threads, each with its own model, get the same results as one thread after the other."""
    code = """
from concurrent.futures import ThreadPoolExecutor
minicnn.use_backend("numba")
models = [new_model(seed) for seed in range(4)]

def train(model):
    return [model.train_on_batch(X, Y) for _ in range(20)], model.get_weights()

with ThreadPoolExecutor(4) as pool:
    together = list(pool.map(train, models))
for seed, (losses, weights) in enumerate(together):
    alone_losses, alone_weights = train(new_model(seed))
    assert losses == alone_losses
    assert all(map(np.array_equal, weights, alone_weights))
"""
    run(tmp_path, code)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.0])
def test_the_interpreter_ends_while_a_daemon_thread_computes(tmp_path, seconds):
    code = f"""
minicnn.use_backend("numba")
train_and_predict()

def work():
    while True:
        train_and_predict()

for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
time.sleep({seconds})
print("ends")
"""
    assert run(tmp_path, code) == "ends\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_ctrl_c_in_a_kernel_is_a_keyboard_interrupt_after_which_everything_goes_on(tmp_path):
    code = """
minicnn.use_backend("numba")
expected = train_and_predict()
interrupts = 0
for number in range(20):
    model = new_model()
    threading.Timer(0.01 * number + 0.005, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        while True:
            model.fit(X, Y, batch_size=64, epochs=2, verbose=0)
            model.predict(X)
    except KeyboardInterrupt:
        interrupts += 1
    model.train_on_batch(X, Y)
assert interrupts == 20
assert np.array_equal(train_and_predict(), expected)
"""
    run(tmp_path, code)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_ctrl_c_while_kernels_are_compiled_is_never_lost(tmp_path):
    """LLVM calls back into Python; exceptions that are raised there are printed and lost."""
    code = f"""
os.environ["NUMBA_CACHE_DIR"] = {str(tmp_path / "empty")!r}
caught = threading.Event()

def interrupt():
    for _ in range(5):
        caught.wait()
        caught.clear()
        time.sleep(0.08)
        os.kill(os.getpid(), signal.SIGINT)

interrupts = 0
caught.set()
threading.Thread(target=interrupt, daemon=True).start()
while True:  # a lost Ctrl-C would leave it waiting until the time limit
    try:
        minicnn.use_backend("numba")
        model = minicnn.Sequential([minicnn.Input((12,)), Dense(4)])
        model.compile("sgd", "mse")
        model.train_on_batch(X[:, 0, :, 0], X[:, 0, :4, 0])
        while interrupts < 5:
            time.sleep(0.1)
        break
    except KeyboardInterrupt:
        interrupts += 1
        caught.set()
print(interrupts)
"""
    assert run(tmp_path, code) == "5\n"
