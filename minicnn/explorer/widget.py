"""The explorer in a notebook: Jupyter, VS Code, Colab, marimo, by anywidget."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from .bundle import bundle, source
from .description import describe
from .recording import Recording


def show(
    model: Any,
    x: Any,
    y: Any,
    *,
    class_names: Sequence[str] | None = None,
    recording: Recording | None = None,
    docs: str | None = None,
) -> Any:
    """The page about one training step of the batch x, y as a notebook's widget; the arguments are those of `write`.

    Raises ModuleNotFoundError without anywidget, and the errors of `write`.
    """
    if find_spec("anywidget") is None:
        remedy = "Install it with: pip install 'minicnn-edu[explorer]', or write a page: minicnn.explorer.write"
        raise ModuleNotFoundError(f"minicnn.explorer.show needs anywidget, which cannot be imported. {remedy}")
    import anywidget
    import traitlets

    class Explorer(anywidget.AnyWidget):
        _esm = bundle()
        _css = source("explorer.css")
        network = traitlets.Dict().tag(sync=True)
        numbers = traitlets.Bytes().tag(sync=True)

    network, numbers = describe("explorer.show", model, x, y, class_names, recording, docs)
    return Explorer(network=network, numbers=numbers)
