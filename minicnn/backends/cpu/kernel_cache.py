"""Where compiled kernels are kept: in the user's cache directory, by the content of the sources they came from.

Numba would put them beside the sources, where a reinstallation deletes them and a read-only one cannot have them, and
would look at one file's date alone, though a kernel is made of functions from several.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import config as numba_config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from platformdirs import user_cache_dir


@cache
def directory() -> Path:
    """The directory of these sources' kernels: in $NUMBA_CACHE_DIR if that is set, else in the user's cache."""
    sources = sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))
    return (
        Path(getattr(numba_config, "CACHE_DIR", "") or user_cache_dir("minicnn", appauthor=False))
        / f"kernels-{sources.hexdigest()[:16]}"
    )


class _InUsersCache(_CacheLocator):
    """Numba's way to ask where a function's compiled code lies; it adds its own version and the CPU's name."""

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


class _Files(CompileResultCacheImpl):
    _locator_classes = (_InUsersCache,)  # type: ignore[assignment]


class _KernelCache(FunctionCache):
    _impl_class = _Files


def cached(kernel: Any) -> Any:
    """The compiled function, kept from now on; where nothing can be written, it is compiled in every process."""
    with suppress(RuntimeError):  # Numba found no place
        kernel._cache = _KernelCache(kernel.py_func)
    return kernel
