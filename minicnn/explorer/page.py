"""The exported page: style, module and numbers in one HTML file, which loads nothing from anywhere."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from .. import arguments
from ..files import atomic_writer
from .bundle import bundle, source
from .description import describe, documentation
from .recording import Recording


def write(
    path: Any,
    model: Any,
    x: Any,
    y: Any,
    *,
    class_names: Sequence[str] | None = None,
    recording: Recording | None = None,
    docs: str | None = None,
) -> Path:
    """Write a page about one training step of the batch x, y to an HTML file, and return its path.

    The file contains everything that it shows and loads nothing, so it can be opened from the disk, mailed and put on
    any web server. It appears complete or not at all. A page has the arrays of every sample: about 1 MB per sample
    for Model 5, besides 2 MB of weights and their gradients.

    Args:
        path: of the file, "model.html"; missing folders are made.
        model: a compiled Sequential or Model; it is not changed.
        x: 1 to 16 samples, shape (N, …).
        y: their targets, as the model's loss takes them.
        class_names: the K names of the outputs; None: their numbers.
        recording: what `record` recorded of a training.
        docs: the folder or address of the built documentation, for links to the operations' pages; None: that of this
            source tree, if it has been built.

    Raises TypeError for arguments of other types, RuntimeError if the model is not compiled, ValueError for samples or
    targets that do not fit and for another number of names, OSError if the file cannot be written.
    """
    path = arguments.path("explorer.write: path", path)
    docs = documentation(path) if docs is None else arguments.text("explorer.write: docs", docs)
    description, numbers = describe("explorer.write", model, x, y, class_names, recording, docs)
    parts = {
        "title": escape(f"{description['name']}: one training step"),
        "style": source("explorer.css"),
        "module": bundle(),
        "network": json.dumps(description, allow_nan=False).replace("<", "\\u003c"),
        "numbers": b64encode(gzip.compress(numbers, mtime=0)).decode(),
    }
    text = re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], source("page.html"))
    with atomic_writer(path) as file:
        file.write(text.encode())
    return path
