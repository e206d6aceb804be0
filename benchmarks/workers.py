"""The driver's side: a worker process for each rival, with the same number of threads, that answers requests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .rivals import variants

ROOT = Path(__file__).resolve().parents[1]


class WorkerError(RuntimeError):
    """A rival could not execute a request."""


class Worker:
    """A rival in its own process; also a context manager that ends it.

    Between two requests the process is stopped: the threads of some libraries spin after their work, OpenBLAS's for a
    tenth of a second, and would slow the next rival.
    """

    def __init__(
        self, rival: str, python: Path, threads: int, logs: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        self.rival = rival
        self.log = logs / f"{rival}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [str(python), "-m", "benchmarks.worker", rival, str(threads)],
                cwd=ROOT,
                env={**environment(rival, threads), **(variables or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
            )
        confine(self._process.pid, threads)

    def ask(self, call: str, **arguments: Any) -> Any:
        """The worker's answer to a request. Raises WorkerError with the reason if it fails."""
        assert self._process.stdin
        assert self._process.stdout
        self._signal("SIGCONT")
        with suppress(BrokenPipeError):
            print(json.dumps({"call": call, "with": arguments}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        self._signal("SIGSTOP")
        if not line:
            self._process.wait()
            raise WorkerError(f"{self.rival}'s process ended (exit code {self._process.returncode}); see {self.log}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.rival}, asked to {call}: {answer['error']}; see {self.log}")
        return answer["result"]

    def close(self) -> None:
        """End the process and wait for it."""
        assert self._process.stdin
        assert self._process.stdout
        self._signal("SIGCONT")
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _signal(self, name: str) -> None:
        """Send the signal if the system has it."""
        if hasattr(signal, name):
            self._process.send_signal(getattr(signal, name))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def environment(rival: str, threads: int) -> dict[str, str]:
    """This process's environment, with the number of threads in all variables that a rival's libraries read."""
    count = str(threads)
    counted = (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "NPROC",  # XLA's
    )
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return {**inherited, **dict.fromkeys(counted, count), **variants()[rival].variables}


def confine(process: int, threads: int) -> None:
    """Restrict the process to as many CPUs as threads, if the system can, in case a library ignores the variables."""
    if hasattr(os, "sched_setaffinity"):
        with suppress(ProcessLookupError):
            os.sched_setaffinity(process, sorted(os.sched_getaffinity(0))[:threads])


def available_cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
