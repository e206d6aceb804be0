"""CSVLogger: the metrics of every epoch in a file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, TextIO

from .. import arguments
from ..errors import explain
from ..files import explained
from .base import Callback, Logs


class CSVLogger(Callback):
    """Writes one line per epoch to a CSV file: epoch and all metrics, "NA" for those that an epoch does not have.

    append=True appends to an existing file, whose first line names the metrics.
    """

    def __init__(self, filename: str | Path, separator: str = ",", append: bool = False) -> None:
        self.filename = arguments.path("CSVLogger filename", filename)
        self.separator = arguments.text("CSVLogger separator", separator)
        if len(self.separator) != 1 or self.separator in '\r\n"':
            raise ValueError(explain("CSVLogger separator", "one character", repr(separator), 'Example: ",".'))
        self.append = arguments.flag("CSVLogger append", append)
        self._file: TextIO | None = None
        self._columns: list[str] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        with explained(self.filename, "cannot be written", "Choose another path for the CSV file."):
            self._open()

    def _open(self) -> None:
        self.filename.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.filename.open("a+" if self.append else "w", newline="", encoding="utf-8")
        self._columns = []
        if self.append:
            self._file.seek(0)
            self._columns = next(csv.reader(self._file, delimiter=self.separator), [])

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        assert self._file is not None
        is_new = not self._columns
        self._columns = self._columns or self._all_columns(logs)
        options: Any = {"delimiter": self.separator, "restval": "NA", "extrasaction": "ignore"}
        writer = csv.DictWriter(self._file, self._columns, **options)
        if is_new:
            writer.writeheader()
        writer.writerow({"epoch": epoch, **logs})
        self._file.flush()

    def _all_columns(self, logs: Logs) -> list[str]:
        """The epoch, the metrics of the first epoch, and those of a validation, which may begin in a later epoch."""
        validated = [f"val_{name}" for name in self.model.metrics_names]
        return list(dict.fromkeys(["epoch", *logs, *(validated if self.params["validation"] else [])]))

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
