"""The cells of a page: they share their variables, as in a notebook."""

from __future__ import annotations

import ast
import linecache
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from traceback import StackSummary, TracebackException
from types import CodeType
from typing import Any

SHOWN = {".html": "text/html", ".png": "image/png", ".svg": "image/svg+xml"}
"""The files that a page shows below the cell that wrote them, and their types."""


class Cells:
    """The session of one page. `folder` is for the files that its cells write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables: dict[str, Any] = {"__name__": "__main__"}
        self.sources: set[str] = set()
        """The names of the code that the reader can see: a traceback shows these lines only."""
        self._known = self._files()

    def run(self, name: str, code: str) -> bool:
        """Run a cell, and print the value of an expression at its end. Returns whether it raised no exception."""

        def execute() -> None:
            for part in self.compiled(name, code):
                exec(part, self.variables)

        return self.attempt(execute)

    def attempt(self, action: Callable[[], Any]) -> bool:
        """Call the action, and print the exception that it raises. Returns whether it raised none."""
        try:
            action()
        except BaseException as error:  # SystemExit, too: the page goes on
            trace = TracebackException.from_exception(error)
            trace.stack = StackSummary.from_list([frame for frame in trace.stack if frame.filename in self.sources])
            print("".join(trace.format()).rstrip(), file=sys.stderr)
            return False
        return True

    def compiled(self, name: str, code: str) -> list[CodeType]:
        """The cell's statements; a last one that is an expression prints its value, as a notebook does."""
        self.sources.add(name)
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        statements = ast.parse(code, name).body
        last = statements[-1:] if statements and isinstance(statements[-1], ast.Expr) else []
        rest = ast.Module(statements[: len(statements) - len(last)], type_ignores=[])
        parts: dict[str, Any] = {"exec": rest, "single": ast.Interactive(last)}
        return [compile(part, name, mode, dont_inherit=True) for mode, part in parts.items()]

    def pictures(self) -> list[dict[str, str]]:
        """The pages and pictures that were written since the last call."""
        found = self._files()
        new = [path for path, written in found.items() if self._known.get(path) != written]
        self._known = found
        return [_shown(path) for path in sorted(new)]

    def _files(self) -> dict[Path, tuple[int, int]]:
        paths = [path for path in self.folder.iterdir() if path.suffix in SHOWN]
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}


def _shown(path: Path) -> dict[str, str]:
    """A file as the page gets it: its name, its type, its content in base64."""
    return {"name": path.name, "type": SHOWN[path.suffix], "content": b64encode(path.read_bytes()).decode()}
