"""The output of a training on terminals of several widths, in pipes and in a notebook."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="no pseudo-terminals on Windows")
import fcntl  # noqa: E402
import struct  # noqa: E402
import termios  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]

TRAIN = """
import time
import numpy as np
import minicnn
from minicnn.layers import Dense

class Slow(minicnn.callbacks.Callback):
    def on_train_batch_end(self, batch, logs):
        time.sleep(0.06)

minicnn.use_backend("numpy")
minicnn.set_random_seed(0)
x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
model = minicnn.Sequential([minicnn.Input((3,)), Dense(2, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, batch_size=4, epochs=2, validation_data=(x, y), callbacks=[Slow()], verbose="auto")
"""
LINE = r"Epoch {0}/2 - loss: \d\.\d{{4}} - accuracy: \d\.\d{{4}} - val_loss: \d\.\d{{4}} - val_accuracy: \d\.\d{{4}}"
WHOLE = [LINE.format(1), LINE.format(2)]
BAR = r"Epoch 1/2 +\d+% \|.{10,}\| left \d\d:\d\d, fit \d\d:\d\d"


def run(columns: int, streams: tuple[str, ...], code: str = TRAIN, **environment: str) -> tuple[str, str]:
    """Run code with these of its streams on a terminal of that width; returns what the terminal and a pipe got."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    places = {stream: terminal if stream in streams else subprocess.PIPE for stream in ("stdout", "stderr")}
    variables = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "PYTHONIOENCODING": "utf-8"} | environment
    with subprocess.Popen([sys.executable, "-c", code], env=variables, **places) as process:  # type: ignore[call-overload]
        os.close(terminal)
        written = b""
        while chunk := _read(main):
            written += chunk
        piped = b"".join(filter(None, process.communicate(timeout=60)))
    os.close(main)
    assert process.returncode == 0, (written, piped)
    return written.decode(), piped.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # on Linux this means that the other end is closed
        return b""


def screen(written: str, columns: int) -> list[str]:
    """The rows that a terminal shows in the end. A row that is too long goes on in the next one."""
    rows = []
    for line in written.split("\r\n"):
        row = ""
        for part in line.split("\r"):
            row = part + row[len(part) :]
        rows += [row[start : start + columns].rstrip() for start in range(0, max(len(row), 1), columns)]
    return rows[:-1] if rows[-1] == "" else rows


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_terminal_shows_a_bar_and_at_an_epochs_end_the_whole_line_instead(columns):
    written, _ = run(columns, ("stdout", "stderr"))
    drawn = [part for part in re.split("[\r\n]+", written) if "%" in part]
    assert any(re.match(BAR, part) for part in drawn)
    assert max(map(len, drawn)) < columns
    metrics = [" - loss: " in part for part in drawn], [" - accuracy: " in part for part in drawn]
    assert [any(shown) for shown in metrics] == [columns >= 80, columns >= 120]

    rows = screen(written, columns)
    lines = [line.replace(" - val_", "\n            val_", 1) if columns < 90 else line for line in WHOLE]
    assert re.fullmatch("\n".join(lines), "\n".join(rows))


def test_lines_go_to_standard_output_while_the_bar_is_on_the_terminal():
    written, piped = run(80, ("stderr",))
    assert re.fullmatch("\n".join(WHOLE) + "\n", piped)
    assert re.search(BAR, written)
    assert screen(written, 80) == []


@pytest.mark.parametrize(
    ("columns", "streams", "environment", "code"),
    [
        (80, ("stdout",), {}, TRAIN),
        (0, ("stdout", "stderr"), {}, TRAIN),
        (200, ("stdout", "stderr"), {"TERM": "dumb"}, TRAIN),
        (200, ("stdout", "stderr"), {}, TRAIN.replace('"auto"', "2")),
        (80, (), {}, TRAIN.replace('"auto"', "1")),
    ],
    ids=["stderr elsewhere", "unknown width", "dumb", "verbose=2", "no terminal"],
)
def test_lines_only(columns, streams, environment, code):
    written, piped = run(columns, streams, code, **environment)
    assert "%" not in written + piped
    line = (written + piped).replace("\r\n", "\n").replace("\n            val_", " - val_")
    assert re.fullmatch("\n".join(WHOLE) + "\n", line)


def test_an_interrupted_epoch_leaves_no_bar():
    code = TRAIN.replace("time.sleep(0.06)", "time.sleep(0.2)\n        if batch == 5: model.stop_training = 1 / 0")
    code = code.replace("history", "try: history") + "except ZeroDivisionError: print('stopped')"
    written, _ = run(80, ("stdout", "stderr"), code)
    assert re.search(BAR, written)
    assert screen(written, 80) == ["stopped"]


NOTEBOOK = """
import nbformat, nbclient
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell({code!r})])
nbclient.NotebookClient(notebook, timeout=60).execute()
nbformat.write(notebook, {path!r})
"""


@pytest.mark.parametrize("streams", [("stdout", "stderr"), ()], ids=["started from a terminal", "without a terminal"])
def test_a_saved_notebook_holds_the_metrics_as_text(streams, tmp_path):
    for package in ("nbformat", "nbclient", "ipykernel"):
        pytest.importorskip(package)
    run(60, streams, NOTEBOOK.format(code=TRAIN, path=str(tmp_path / "saved.ipynb")))
    saved = json.loads((tmp_path / "saved.ipynb").read_text(encoding="utf-8"))
    bar, *lines = saved["cells"][0]["outputs"]
    assert list(bar["data"]) == ["text/plain"]
    assert re.fullmatch(r"Trained for \d+\.\d seconds\.", "".join(bar["data"]["text/plain"]))
    assert {stream["name"] for stream in lines} == {"stdout"}
    assert re.fullmatch("\n".join(WHOLE) + "\n", "".join(line for stream in lines for line in stream["text"]))
