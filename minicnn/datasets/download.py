"""Download the files of a data set into minicnn's cache, from the first mirror that has them intact."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..files import atomic_writer
from .search_path import cache_directory


class Archive(NamedTuple):
    """A file as published by its authors: name, size in bytes, SHA-256."""

    name: str
    size: int
    sha256: str


TIME_LIMIT = 120.0  # seconds for the whole download, all files and all mirrors, if SLOWEST does not allow more
SLOWEST = 270_000  # bytes per second; a large data set has as many seconds as it takes at this rate
PATIENCE = 10.0  # seconds that one mirror may be late, compared with the rate that the time limit needs
POLL = 0.1  # seconds between two checks of a transfer


class DownloadError(OSError):
    """One mirror, or all of them, failed to send the files."""


def fetch(data_set: str, mirrors: Sequence[str], archives: Sequence[Archive], *, quiet: bool = False) -> Path:
    """Download the files that minicnn's cache lacks and return the cache's directory, within a time limit.

    Each file is checked by size and SHA-256 and appears under its name only when it is complete; a damaged one is
    replaced. The next mirror is tried once a mirror is PATIENCE seconds late; complete files are kept. A terminal shows
    a progress bar, unless `quiet`.
    Raises DownloadError with the reason for each mirror, OSError if the cache cannot be written.
    """
    directory = cache_directory(data_set)
    size = sum(archive.size for archive in archives)
    limit = max(TIME_LIMIT, size / SLOWEST)
    deadline = time.monotonic() + limit
    show_bar = not quiet and sys.stderr is not None and sys.stderr.isatty()
    failures = []
    for mirror in mirrors:
        if time.monotonic() > deadline:
            break
        try:
            for archive in archives:
                if not _is_intact(directory / archive.name, archive):
                    content = _download(mirror + archive.name, archive, deadline, limit / size, show_bar)
                    with atomic_writer(directory / archive.name) as file:
                        file.write(content)
            return directory
        except DownloadError as error:
            failures.append(f"{mirror}: {error}")
    raise DownloadError(
        f"no mirror sent the files within {limit:.0f} seconds ({'; '.join(failures)}). "
        f"Download {', '.join(archive.name for archive in archives)} by other means into {directory}."
    )


def _is_intact(path: Path, archive: Archive) -> bool:
    """Whether the file exists and is the published one."""
    if not path.is_file() or path.stat().st_size != archive.size:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == archive.sha256


def _download(url: str, archive: Archive, deadline: float, seconds_per_byte: float, show_bar: bool) -> bytes:
    """The content of the archive at this URL. Raises DownloadError unless it is the published one."""
    from tqdm import tqdm

    transfer = Transfer(url, archive.size)
    try:
        transfer.start()
    except RuntimeError as error:  # in a browser there are no threads
        raise DownloadError(str(error)) from error
    started = time.monotonic()
    try:
        with tqdm(total=archive.size, desc=archive.name, unit="B", unit_scale=True, disable=not show_bar) as bar:
            while transfer.is_alive():
                transfer.join(POLL)
                received = len(transfer.content)
                bar.update(received - bar.n)
                waited = time.monotonic() - started
                if waited > min(deadline - started, PATIENCE + received * seconds_per_byte):
                    raise DownloadError(f"no answer in time ({received:,} bytes in {waited:.1f} seconds)")
    finally:
        transfer.given_up = True
    return transfer.checked(archive)


class Transfer(threading.Thread):
    """Reads one file in the background, so that a caller can stop waiting whatever the server or the DNS does.

    `content` grows to at most `size` bytes plus one part, which shows that the file is too long.
    """

    def __init__(self, url: str, size: int) -> None:
        super().__init__(daemon=True)  # a silent server does not keep the process alive
        self.url, self.size = url, size
        self.content = bytearray()
        self.failure = ""
        self.given_up = False

    def run(self) -> None:
        from http.client import HTTPException
        from urllib.error import HTTPError, URLError
        from urllib.request import urlopen

        try:
            with urlopen(self.url, timeout=PATIENCE) as response:
                while not self.given_up and len(self.content) <= self.size and (part := response.read1(1 << 16)):
                    self.content += part
        except HTTPError as error:
            self.failure = str(error)
        except URLError as error:
            self.failure = f"no connection ({error.reason})"
        except (OSError, HTTPException, ValueError) as error:  # ValueError: a redirect to an invalid URL
            self.failure = f"the connection broke ({error or type(error).__name__})"

    def checked(self, archive: Archive) -> bytes:
        """The content. Raises DownloadError unless it is the archive."""
        received = len(self.content)
        if not self.failure and received != archive.size:
            self.failure = f"{received:,} bytes of {archive.name}, which has {archive.size:,}"
        if not self.failure and hashlib.sha256(self.content).hexdigest() != archive.sha256:
            self.failure = f"{archive.name} with a wrong checksum"
        if self.failure:
            raise DownloadError(self.failure)
        return bytes(self.content)
