"""Atomic file writes: a file appears complete or not at all, even if the process is killed while it writes."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows refuses to delete an open file, so no lock is needed there
    fcntl = None  # type: ignore[assignment]

REASONS: dict[int | None, str] = {
    errno.ENOENT: "no such file",
    errno.ENODEV: "this is a device or a pipe, not a file",
    errno.EIO: "the disk reports an error",
    errno.EFBIG: "the file is larger than the file system or a limit of this process allows",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.EISDIR: "this is a directory",
    errno.ENOTDIR: "a part of the path is a file, not a directory",
    errno.EEXIST: "a part of the path is a file, not a directory",
    errno.ELOOP: "the symbolic links go round in a circle",
    errno.ENAMETOOLONG: "the name is too long",
}


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A temporary binary file to write to, renamed to `path` at the end of the block; missing folders are made.

    If the block fails, an existing file stays unchanged and the temporary file is deleted. Temporary files of earlier
    writers of this path that were killed are deleted, too. A symbolic link stays a link: its target is replaced. An
    existing file's mode is kept, and its owner if that is permitted.
    Raises OSError with the path and the reason if the file cannot be written.
    """
    with explained(path, "cannot be written", "Nothing was changed: a file that was there before is as it was."):
        target = Path(os.path.realpath(path))
        before = _replaceable(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        file, unfinished = _new_file(target)
        try:
            with file:
                yield file
                file.flush()
                if before is not None:
                    _take_over(file.fileno(), before)
                os.fsync(file.fileno())
                if fcntl is not None:  # while the lock is held, so that no other process deletes the finished file
                    os.replace(unfinished, target)
            if fcntl is None:
                os.replace(unfinished, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(unfinished)
            raise


@contextmanager
def explained(path: str | os.PathLike[str], failure: str, remedy: str) -> Iterator[None]:
    """Inside the block, a file system error is raised again with a plain message about `path`, in the same class."""
    try:
        yield
    except OSError as error:
        if error.errno not in REASONS or _elsewhere(error.filename, path):  # of a network, say, or about another file
            raise
        sentence = type(error)(f"{os.fspath(path)} {failure}: {REASONS[error.errno]}. {remedy}")
        sentence.errno = error.errno
        raise sentence from error


def _elsewhere(filename: str | None, path: str | os.PathLike[str]) -> bool:
    """Whether an error names a file that lies in none of the path's folders."""
    if filename is None or filename == os.fspath(path):
        return False
    return Path(os.path.realpath(filename)).parent not in Path(os.path.realpath(path)).parents


def _replaceable(target: Path) -> os.stat_result | None:
    """The status of the existing file, or None. Raises OSError if it must not be replaced."""
    try:
        before = target.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(before.st_mode):  # realpath follows all links except those that form a cycle
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if stat.S_ISDIR(before.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(before.st_mode):
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return before


def _new_file(target: Path) -> tuple[BinaryIO, Path]:
    """A new file in the target's folder, locked while the writing process lives."""
    while True:
        unfinished = target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}.unfinished")
        file = open(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666), "wb")  # noqa: SIM115
        if fcntl is None:
            return file, unfinished
        with suppress(OSError):  # a file system without locks: _sweep cannot lock there either
            fcntl.flock(file, fcntl.LOCK_EX)
        if unfinished.exists():  # otherwise another process swept it between open and flock
            return file, unfinished
        file.close()


def _prefix(target: Path) -> str:
    """The prefix of the names of a target's unfinished files, cut to 200 bytes: a file name has at most 255."""
    return f".{os.fsdecode(os.fsencode(target.name)[:200])}."


def _sweep(target: Path) -> None:
    """Delete the unfinished files of this target whose writers are dead: those that no process has locked."""
    pattern = re.compile(rf"{re.escape(_prefix(target))}[0-9a-f]{{16}}\.unfinished")
    for leftover in target.parent.iterdir():
        if pattern.fullmatch(leftover.name):
            with suppress(OSError):  # its writer lives, or another process deletes it
                if fcntl is None:
                    leftover.unlink()
                    continue
                with leftover.open("r+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    leftover.unlink()


def _take_over(descriptor: int, before: os.stat_result) -> None:
    """Give a file the owner and the mode of the file that it replaces."""
    if fcntl is None:
        return
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        with suppress(PermissionError):  # only root may change a file's owner
            os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
