"""The kernel cache: machine code on disk, so that only the first run ever has to compile.

Loading a kernel runs it, so nothing is read that another user could have written: the directory and the file have to
belong to this user or to root, and nobody else may write there. Every file begins with a digest of its name and
content. A file that is damaged in any way is removed, and the kernel is compiled again. No trouble here ends a run.

    <user's cache or $NUMBA_CACHE_DIR>/kernels-<digest of sources and versions>/<function>-<digest of its types>.kernel
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp

from platformdirs import user_cache_dir

from .numba_internals import numba_cache_dir, versions

KEPT_DIRECTORIES = 8
"""Number of kernel directories that stay, the most recently used ones: other versions of minicnn, Python or Numba."""

_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_HAS_OWNERS = hasattr(os, "geteuid")  # Windows protects a user's directories by access lists instead


@cache
def directory() -> Path | None:
    """The directory of these sources' kernels; None, after a sentence on stderr, where none can be used."""
    parent = Path(numba_cache_dir or user_cache_dir("minicnn", appauthor=False))
    try:
        path = Path(os.path.realpath(parent / f"kernels-{_sources()}"))
        _make(path)
        _check(path, path.stat(), writable=_BY_OTHERS)
        _check_parents(path)
    except OSError as error:
        place = error.filename or parent
        _report(f"kernels are compiled anew in every run, as there is no cache for them. {place}: {error.strerror}")
        return None
    with suppress(OSError):  # not writable: somebody has filled it for others to read
        os.utime(path)
        _remove_old_directories(path)
    return path


def load(name: str) -> bytes | None:
    """The content that was saved under this name, or None if there is none that can be trusted."""
    if (path := _path(name)) is None:
        return None
    found = b""
    with suppress(OSError), open(path, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        _check(path, status, writable=_BY_OTHERS)
        if stat.S_ISREG(status.st_mode):
            found = file.read()
    digest, content = found[: sha256().digest_size], found[sha256().digest_size :]
    if digest == _digest(name, content):
        return content
    drop(name)  # if there is one
    return None


def save(name: str, content: bytes) -> None:
    """Keep this content under this name. Readers see all of it or nothing, also when several processes write."""
    if (path := _path(name)) is None:
        return
    try:
        _replace(path, _digest(name, content) + content)
    except OSError as error:
        _report(f"compiled kernels are not kept for the next run. {path.parent}: {error.strerror}")


def drop(name: str) -> None:
    """Remove the file of this name: its content is of no use."""
    if (path := _path(name)) is not None:
        with suppress(OSError):
            path.unlink()


def _path(name: str) -> Path | None:
    place = directory()
    return None if place is None else place / f"{name}.kernel"


def _digest(name: str, content: bytes) -> bytes:
    return sha256(name.encode() + b"\0" + content).digest()


def _sources() -> str:
    """A digest of all that decides what a kernel is compiled to, other than its types and the processor."""
    package = Path(__file__).parent.parent
    sources = sha256(f"{versions} {sys.version}".encode())
    for path in sorted(package.rglob("*.py")):
        sources.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return sources.hexdigest()[:16]


def _make(path: Path) -> None:
    """Make the directory and its missing parents, for this user alone. The one they are made in is checked first."""
    missing = [parent for parent in (path, *path.parents) if not parent.exists()]
    if missing:
        _check_parents(missing[-1])
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)


def _check_parents(path: Path) -> None:
    """Raise PermissionError if another user could put another directory in this one's place."""
    for parent in path.parents:
        status = parent.stat()
        sticky = status.st_mode & stat.S_ISVTX  # only owners rename and remove what is inside, as in /tmp
        # many systems create home directories with a private group that may write
        _check(parent, status, writable=0 if sticky else stat.S_IWOTH)


def _check(path: Path, status: os.stat_result, writable: int) -> None:
    """Raise PermissionError unless this user or root owns the path and nobody has the permissions `writable`."""
    if not _HAS_OWNERS:
        return
    if status.st_uid not in (0, os.geteuid()):
        raise PermissionError(0, "it belongs to another user, whose code is not run", str(path))
    if status.st_mode & writable:
        raise PermissionError(0, "other users may write there, and their code is not run", str(path))


def _open_at_once(path: str, flags: int) -> int:
    """An opener that follows no link, and does not wait for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _replace(path: Path, content: bytes) -> None:
    """Write a file for this user alone, all at once."""
    descriptor, temporary = mkstemp(dir=path.parent, prefix=f"{path.stem}.", suffix=".tmp")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _remove_old_directories(path: Path) -> None:
    """Remove the kernels of other versions beside this directory, all but those used last."""
    owner = path.stat().st_uid
    found = [(other.lstat(), other) for other in path.parent.glob("kernels-" + "[0-9a-f]" * 16)]
    own = [
        (status.st_mtime, other) for status, other in found if stat.S_ISDIR(status.st_mode) and status.st_uid == owner
    ]
    for _, other in sorted(own, reverse=True)[KEPT_DIRECTORIES:]:
        shutil.rmtree(other, ignore_errors=True)


@cache
def _report(sentence: str) -> None:
    """Say this once on stderr."""
    print(f"minicnn: {sentence}", file=sys.stderr)
