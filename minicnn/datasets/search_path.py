"""Directories of this machine where Fashion-MNIST may already be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .. import arguments
from ..errors import explain
from .checksums import NAMES

# In search order, after minicnn's cache. An unset variable is not replaced, so its path names no directory.
SEARCH_PATH = (
    "/usr/share/datasets/fashion-mnist",  # Debian and Ubuntu: apt-get install dataset-fashion-mnist
    "$KERAS_HOME/datasets/fashion-mnist",  # Keras
    "~/.keras/datasets/fashion-mnist",
    "data/FashionMNIST/raw",  # torchvision, for common values of its `root`
    "FashionMNIST/raw",
    "~/data/FashionMNIST/raw",
    "~/.cache/torch/FashionMNIST/raw",
    "~/.torch/datasets/FashionMNIST/raw",
)


def named(data_dir: str | os.PathLike[str] | None = None) -> Path | None:
    """The directory in `data_dir`, otherwise in $MINICNN_DATA, otherwise None.

    Raises FileNotFoundError if it lacks one of the four files.
    """
    for named_by, directory in (("data_dir", data_dir), ("$MINICNN_DATA", os.environ.get("MINICNN_DATA") or None)):
        if directory is not None:
            return require_files(expand(arguments.path(named_by, directory)), named_by)
    return None


def found() -> Iterator[Path]:
    """Of minicnn's cache and the directories of SEARCH_PATH, in this order, those that have all four files."""
    return (place for place in (cache_directory(), *map(expand, SEARCH_PATH)) if not missing_files(place))


def require_files(directory: Path, named_by: str) -> Path:
    """The directory. Raises FileNotFoundError if one of the four files is not in it."""
    missing = missing_files(directory)
    if not missing:
        return directory
    finding = f"no {', no '.join(missing)}" if os.path.isdir(directory) else "no such directory"
    expected = f"the four files of Fashion-MNIST in {directory} ({', '.join(NAMES)}; each plain or .gz)"
    remedy = f"Put them there, or leave {named_by} unset to search the usual directories."
    raise FileNotFoundError(explain(named_by, expected, finding, remedy))


def missing_files(directory: Path) -> list[str]:
    """Those of the four files that are not in the directory, neither plain nor gzipped."""
    return [name for name in NAMES if file_in(directory, name) is None]


def file_in(directory: Path, name: str) -> Path | None:
    """The plain or gzipped file of this name, or None. The plain one is preferred because it is faster to read."""
    candidates = (directory / name, directory / f"{name}.gz")
    # Unlike Path.is_file, os.path.isfile does not raise for directories that this user may not enter.
    return next((path for path in candidates if os.path.isfile(path)), None)


def cache_directory(data_set: str = "fashion-mnist") -> Path:
    """The folder for minicnn's downloads of a data set, in the user's cache directory."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("minicnn", appauthor=False)) / data_set


def expand(path: str | os.PathLike[str]) -> Path:
    """The path with `~` and `$VARIABLES` replaced."""
    return Path(os.path.expandvars(os.path.expanduser(path)))
