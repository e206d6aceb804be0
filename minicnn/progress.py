"""The output of `fit`: a progress bar during an epoch, on a terminal or in a notebook, and a line at its end.

The bar goes to standard error, or into a notebook's cell, and disappears. The lines go to standard output and stay.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from time import perf_counter
from typing import Any, TextIO

from . import arguments
from .callbacks import Callback, Logs

LEAST_BAR = 10
"""Minimum columns of the bar itself; metrics that would leave it fewer are not shown beside it."""

DELAY = 0.3
"""Seconds before the bar of an epoch appears. In `… | tee log`, tee has shown the last epoch's line by then."""


class ProgressBar(Callback):
    """Shows the progress of a training: nothing (verbose 0), a line per epoch (2), or also a bar (1 and "auto").

    The bar shows the time left in the epoch and in the whole fit. It needs a terminal of known width or a notebook.
    """

    bar: Any = None
    """tqdm's bar, while an epoch runs."""
    batches_ended = 0.0
    """When the last batch ended."""
    seen: int | None = None
    """How many batches this epoch has had so far."""
    validation_time = 0.0
    """Seconds that the last epoch took after its last batch."""

    def __init__(self, verbose: str | int, batches: int | None, epochs: int) -> None:
        self.level = arguments.verbose("fit verbose", verbose)
        self.output = _output_for_a_bar() if self.level in (1, "auto") else None
        self.batches, self.epochs = batches, epochs  # batches is unknown in the first epoch of a generator

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.began = perf_counter()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch, self.title = epoch, f"Epoch {epoch + 1}/{self.epochs}"
        if self.output is not None and self.batches is not None:
            from tqdm import tqdm

            self.bar = tqdm(total=self.batches, desc=self.title, file=self.output, leave=False, delay=DELAY)

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self.batches_ended, self.seen = perf_counter(), batch + 1
        if self.bar is not None and self.bar.update():  # True when the bar was drawn: a few times a second
            self._describe(logs)

    def _describe(self, logs: Logs) -> None:
        """Draw the bar with the time left and as many metrics as fit."""
        state, clock = self.bar.format_dict, self.bar.format_interval
        batch_time = 1 / state["rate"] if state["rate"] else state["elapsed"] / state["n"]
        epoch_left = (self.batches - state["n"]) * batch_time + self.validation_time
        epoch_time = self.batches * batch_time + self.validation_time
        fit_left = epoch_left + (self.epochs - self.epoch - 1) * epoch_time
        text = f"{self.title} {state['n'] / self.batches:4.0%} |{{bar}}| "
        text += f"left {clock(epoch_left)}, fit {clock(fit_left)}"
        self.bar.ncols = (_columns(self.output) or 80) - 3  # a terminal shows ^C behind it
        for metric in _metrics(logs):
            if len(f"{text} - {metric}") - len("{bar}") + LEAST_BAR <= self.bar.ncols:
                text += f" - {metric}"
        self.bar.bar_format = text
        self.bar.refresh()

    def on_checkpoint(self, epoch: int, logs: Logs) -> None:  # an epoch that is shown as done is saved
        self.validation_time = perf_counter() - self.batches_ended
        self.batches = self.batches or self.seen
        self._remove_bar()
        if self.level != 0:
            line = " - ".join([self.title, *_metrics(logs)])
            if 0 < _columns(sys.stdout) < len(line):  # validation on a line of its own
                line = line.replace(" - val_", "\n" + " " * len(f"{self.title} - ") + "val_", 1)
            _print(line)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._remove_bar()  # the bar of an interrupted epoch
        if isinstance(self.output, Cell):
            self.output.end(f"Trained for {perf_counter() - self.began:.1f} seconds.")

    def _remove_bar(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _print(line: str) -> None:
    """Print a line at once, above the bars that the caller shows, if anybody has imported tqdm."""
    tqdm = sys.modules.get("tqdm")
    with tqdm.tqdm.external_write_mode() if tqdm else nullcontext():
        print(line, flush=True)


def _metrics(logs: Logs) -> list[str]:
    return [f"{name}: {value:{'.4e' if 0 < value < 0.001 else '.4f'}}" for name, value in logs.items()]


class Cell:
    """The output of a notebook's cell as a file that shows only the last text written to it.

    A saved notebook contains that text. (A widget is saved as its first state, "0%".)
    """

    encoding = "utf-8"
    handle: Any = None

    def write(self, text: str) -> None:
        if text := text.strip():
            self._show(text)

    def flush(self) -> None:
        """Nothing to do: `write` shows the text at once."""

    def end(self, text: str) -> None:
        """Replace the text that is shown, if there is any."""
        if self.handle is not None:
            self._show(text)

    def _show(self, text: str) -> None:
        from IPython.display import display

        if self.handle is None:
            self.handle = display({"text/plain": text}, raw=True, display_id=True)
        else:
            self.handle.update({"text/plain": text}, raw=True)


def _output_for_a_bar() -> TextIO | Cell | None:
    """The output on which a bar can be redrawn: a notebook's cell or a terminal; None if there is neither."""
    if "IPython" in sys.modules and hasattr(sys.modules["IPython"].get_ipython(), "kernel"):
        return Cell()
    return sys.stderr if os.environ.get("TERM") != "dumb" and _columns(sys.stderr) else None


def _columns(file: Any) -> int:
    """The width of the terminal that a file writes to; 0 if it is not one, or of unknown width.

    A notebook's file is not a terminal, even if its descriptor is the terminal from which the server was started.
    """
    try:
        return os.get_terminal_size(file.fileno()).columns if file.isatty() else 0
    except (AttributeError, OSError, ValueError):  # no such method; no size; closed
        return 0
