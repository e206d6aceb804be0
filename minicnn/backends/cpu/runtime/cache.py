"""The kernel cache: compiled kernels on disk, in the user's cache directory, by the content of their sources.

Numba would put them beside the sources, where a reinstallation deletes them and a read-only one cannot have them. It
would also look at the date of one file, though a kernel consists of functions from several.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir

from .numba_internals import CacheLocator, cache_class, numba_cache_dir


@cache
def directory() -> Path:
    """The directory of these sources' kernels: in $NUMBA_CACHE_DIR if that is set, else in the user's cache."""
    package = Path(__file__).parent.parent
    sources = sha256(b"".join(path.read_bytes() for path in sorted(package.rglob("*.py"))))
    return Path(numba_cache_dir or user_cache_dir("minicnn", appauthor=False)) / f"kernels-{sources.hexdigest()[:16]}"


class _InUsersCache(CacheLocator):
    """Tells Numba where a function's compiled code lies; Numba adds its own version and the CPU's name."""

    def __init__(self, function: Any) -> None:
        self._line = function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(directory())

    def get_source_stamp(self) -> str:
        return directory().name

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, function: Any, file: str) -> _InUsersCache | None:
        locator = cls(function)
        try:
            locator.ensure_cache_path()
        except OSError:  # no place to write in
            return None
        return locator


_KernelCache = cache_class(_InUsersCache)


def cached(kernel: Any) -> Any:
    """The compiled function, kept on disk from now on; where nothing can be written, every process compiles it."""
    with suppress(RuntimeError):  # Numba found no place
        kernel._cache = _KernelCache(kernel.py_func)
    return kernel
