"""The console of every example: its encoding, and how a run ends early: an exit code, at most a sentence, no traceback.

It is imported first and imports nothing that takes time, since loading the libraries takes a second.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import NoReturn


def end(code: int, message: str) -> NoReturn:
    """End the process with this exit code and message."""
    print(f"{program()}: {message}", file=sys.stderr)
    sys.exit(code)


def program() -> str:
    """The script's name, or that of the package that python -m runs."""
    path = Path(sys.argv[0])
    return path.parent.name if path.name == "__main__.py" else path.name


def explain_end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Python's hook for uncaught exceptions.

    Ctrl-C prints a sentence and gives exit code 130. If the reader of a pipe has ended, as in `… | head -1`, the run
    ends without a message, with exit code 141, as SIGPIPE ends other programs. Finished epochs are saved.
    """
    if isinstance(error, KeyboardInterrupt):
        end(130, str(error) or "interrupted")
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes stdout again at its end
        sys.exit(141)
    sys.__excepthook__(kind, error, traceback)


sys.excepthook = explain_end
if isinstance(sys.stdout, io.TextIOWrapper):  # a log file on Windows has no code for ×, for example
    sys.stdout.reconfigure(errors="replace")
