"""CSVLogger: the metrics of every epoch in a file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TextIO

from .. import arguments
from ..errors import explain
from ..files import explained
from .base import Callback, Logs


class CSVLogger(Callback):
    """Writes one line per epoch to a CSV file: epoch and all metrics; append=True appends to an existing file."""

    def __init__(self, filename: str | Path, separator: str = ",", append: bool = False) -> None:
        self.filename = arguments.path("CSVLogger filename", filename)
        self.separator = arguments.text("CSVLogger separator", separator)
        if len(self.separator) != 1 or self.separator in '\r\n"':
            raise ValueError(explain("CSVLogger separator", "one character", repr(separator), 'Example: ",".'))
        self.append = arguments.flag("CSVLogger append", append)
        self._file: TextIO | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        with explained(self.filename, "cannot be written", "Choose another path for the CSV file."):
            self._open()

    def _open(self) -> None:
        self._has_header = self.append and self.filename.exists() and self.filename.stat().st_size > 0
        self.filename.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.filename.open("a" if self.append else "w", newline="", encoding="utf-8")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        assert self._file is not None
        writer = csv.DictWriter(self._file, ["epoch", *logs], delimiter=self.separator)
        if not self._has_header:
            writer.writeheader()
            self._has_header = True
        writer.writerow({"epoch": epoch, **logs})
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
