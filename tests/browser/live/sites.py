"""Builds the documentation with live pages, and serves folders."""

from __future__ import annotations

import functools
import os
import runpy
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LIVE = runpy.run_path(str(ROOT / "docs" / "classroom" / "hook.py"))["LIVE"]
"""The names of the live pages."""


class Files(SimpleHTTPRequestHandler):
    """Serves a folder, to pages of other servers as well."""

    def end_headers(self):
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def served(folder: Path):
    """The address at which a folder's files are."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def build(folder: Path, pyodide: str) -> None:
    environment = {**os.environ, "PYODIDE": pyodide, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
