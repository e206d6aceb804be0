"""Where compiled code is kept between runs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import platformdirs

HERE = Path(__file__).parent


@cache
def directory() -> Path:
    """The folder for code compiled from these sources, for this processor, by this g++, with this CuPy and NumPy."""
    place = Path(platformdirs.user_cache_dir("minicnn")) / "mockgpu" / fingerprint_of_all()
    place.mkdir(parents=True, exist_ok=True)
    return place


@cache
def fingerprint_of_all() -> str:
    sources = sorted(path for pattern in ("core/*", "cuda/*", "*.py", "*.txt") for path in HERE.glob(pattern))
    compiler = subprocess.run(["g++", "-v"], capture_output=True, text=True, check=True).stderr
    versions = [f"{package} {version(package)}" for package in ("cupy-cuda12x", "numpy")]
    return fingerprint([*(path.read_text("utf-8") for path in sources), compiler, processor(), *versions])


def processor() -> str:
    """The properties of the processor that -march=native depends on."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").split("\n\n")[0].splitlines()
    return "\n".join(line for line in lines if line.startswith(("model", "vendor_id", "flags")))


def fingerprint(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The file of this name in the cache; `make` writes it if it is missing.

    The file appears complete or not at all, also to other processes.
    """
    finished = directory() / name
    if not finished.exists():
        with tempfile.TemporaryDirectory(dir=directory()) as workshop:
            unfinished = Path(workshop) / name
            make(unfinished)
            os.replace(unfinished, finished)
    return finished
