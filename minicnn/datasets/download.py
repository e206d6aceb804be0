"""Fetch the four files into minicnn's own cache, from the first address that has them intact."""

from __future__ import annotations

import sys
from pathlib import Path

from .search_path import cache_directory

MIRRORS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)

# The archives as their authors published them, by the SHA-256 of the gzipped file.
ARCHIVES = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}

TIMEOUT = 10.0  # seconds that an address may stay silent


class DownloadError(OSError):
    """No address gave all four files."""


def fetch(*, quiet: bool = False) -> Path:
    """Download what minicnn's cache lacks and return the cache's directory.

    Each file is checked by its SHA-256 and appears under its name only when it is complete. A file that one
    address gave is kept when the next one is tried. The progress bar shows in a terminal, unless `quiet`.
    Raises DownloadError with the reason for each address.
    """
    directory = cache_directory()
    failures = []
    for mirror in MIRRORS:
        try:
            _fetch_all(mirror, directory, quiet)
            return directory
        except (OSError, ValueError) as error:  # of the network and the disk; of pooch for a wrong checksum
            failures.append(f"{mirror}: {_reason(error)}")
    raise DownloadError(f"Fashion-MNIST could not be downloaded ({'; '.join(failures)}).")


def _fetch_all(mirror: str, directory: Path, quiet: bool) -> None:
    import pooch

    pooch.get_logger().setLevel("WARNING" if quiet else "INFO")
    show_bar = not quiet and sys.stderr.isatty()
    downloader = pooch.HTTPDownloader(progressbar=show_bar, chunk_size=1 << 16, timeout=TIMEOUT)
    for archive, sha256 in ARCHIVES.items():
        pooch.retrieve(mirror + archive, f"sha256:{sha256}", fname=archive, path=directory, downloader=downloader)


def _reason(error: Exception) -> str:
    """The error in a few words: requests' own messages fill a screen."""
    import requests

    if isinstance(error, (requests.ConnectionError, requests.Timeout)):
        return "no connection, or no answer in time"
    if isinstance(error, ValueError):
        return "wrong checksum"
    return str(error)
