"""Fashion-MNIST is found in the documented order, checked, and downloaded if files are missing or damaged."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import tracemalloc
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from minicnn import datasets
from minicnn.datasets import (
    CLASS_NAMES,
    DataFileError,
    SampleDataWarning,
    cifar10,
    download,
    fashion_mnist,
    idx,
    load_fashion_mnist,
    make_sample,
    mnist,
    search_path,
)
from minicnn.datasets.checksums import FULL, NAMES, SAMPLE, SAMPLE_DIRECTORY, DataFile, DataFiles

pytestmark = pytest.mark.filterwarnings("ignore::minicnn.datasets.SampleDataWarning")  # tests of it use pytest.warns

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES


def tiny_arrays() -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    images = [rng.integers(0, 256, (count, 28, 28), dtype=np.uint8) for count in (20, 10)]
    labels = [np.arange(count, dtype=np.uint8) % 10 for count in (20, 10)]
    return [images[0], labels[0], images[1], labels[1]]


TINY = dict(zip(NAMES, map(idx.encode, tiny_arrays()), strict=True))
TINY_FILES = DataFiles(
    *(DataFile(name, idx.decode(TINY[name], name).shape, hashlib.sha256(TINY[name]).hexdigest()) for name in NAMES)
)
TINY_ARCHIVES = {f"{name}.gz": gzip.compress(content) for name, content in TINY.items()}


def put_files(directory: Path, *, packed: bool = True) -> Path:
    directory.mkdir(parents=True)
    for name, content in (TINY_ARCHIVES if packed else TINY).items():
        (directory / name).write_bytes(content)
    return directory


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A test machine: an empty home and cache, no network, and 20 + 10 images in place of the full data set."""
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    monkeypatch.chdir(home / "work")
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(home))
    for variable in ("MINICNN_DATA", "KERAS_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name, appauthor: str(home / "cache" / name))
    assert search_path.SEARCH_PATH[0] == "/usr/share/datasets/fashion-mnist"
    monkeypatch.setattr(search_path, "SEARCH_PATH", (str(home / "system"), *search_path.SEARCH_PATH[1:]))
    monkeypatch.setattr(fashion_mnist, "FULL", TINY_FILES)
    monkeypatch.setattr(fashion_mnist, "MIRRORS", ())
    archives = [
        download.Archive(name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in TINY_ARCHIVES.items()
    ]
    monkeypatch.setattr(fashion_mnist, "ARCHIVES", archives)
    return home


def assert_tiny(data: fashion_mnist.FashionMNIST, source: Path) -> None:
    assert (data.source, data.is_sample) == (str(source), False)
    for found, expected in zip((*data.train, *data.test), tiny_arrays(), strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)


# ---- finding


@pytest.mark.parametrize("packed", [True, False], ids=["gzipped", "plain"])
def test_explicit_directory(machine, packed):
    place = put_files(machine / "mine", packed=packed)
    assert_tiny(load_fashion_mnist(place), place)
    assert_tiny(load_fashion_mnist("~/mine"), place)


def test_a_directory_may_mix_plain_and_gzipped_files(machine):
    place = put_files(machine / "mine")
    (place / f"{TEST_LABELS}.gz").unlink()
    (place / TEST_LABELS).write_bytes(TINY[TEST_LABELS])
    assert_tiny(load_fashion_mnist(place), place)


def test_search_order(machine, monkeypatch):
    """All directories have the files; after each load the used one loses a file, and the next one has to be used."""
    monkeypatch.setenv("MINICNN_DATA", str(put_files(machine / "from-variable")))
    monkeypatch.setenv("KERAS_HOME", str(machine / "keras"))
    implicit = [machine / "cache/minicnn/fashion-mnist", *map(search_path.expand, search_path.SEARCH_PATH)]
    for place in implicit:
        put_files(place)
    named = put_files(machine / "named")
    assert_tiny(load_fashion_mnist(named), named)
    assert_tiny(load_fashion_mnist(), machine / "from-variable")
    monkeypatch.setenv("MINICNN_DATA", "")  # set but empty: as if unset
    for place in implicit:
        assert_tiny(load_fashion_mnist(), place)
        (place / f"{TRAIN_LABELS}.gz").unlink()  # a directory that lacks one file is skipped
    with pytest.warns(SampleDataWarning):
        assert load_fashion_mnist(download=False).is_sample


@pytest.mark.parametrize("home_of", ["~/.keras/datasets/fashion-mnist", "~/data/FashionMNIST/raw"])
def test_directories_of_keras_and_torchvision_are_searched(machine, home_of):
    place = put_files(search_path.expand(home_of))
    assert_tiny(load_fashion_mnist(), place)


def test_a_directory_with_a_name_that_is_too_long_does_not_exist():
    with pytest.raises(FileNotFoundError, match="found no such directory"):
        load_fashion_mnist("n" * 300)


@pytest.mark.parametrize("named_by", ["data_dir", "MINICNN_DATA"])
@pytest.mark.parametrize("defect", ["no such directory", f"no {TRAIN_LABELS}"])
def test_a_named_directory_is_the_only_one_tried(machine, monkeypatch, named_by, defect):
    put_files(machine / "system")
    place = machine / "named"
    if defect != "no such directory":
        put_files(place)
        (place / f"{TRAIN_LABELS}.gz").unlink()
    data_dir = place if named_by == "data_dir" else None
    if data_dir is None:
        monkeypatch.setenv("MINICNN_DATA", str(place))
    with pytest.raises(FileNotFoundError, match=rf"{named_by}: expected the four files .*named.* found {defect}\."):
        load_fashion_mnist(data_dir)


# ---- checking


def replaced(name: str, content: bytes) -> tuple[str, bytes]:
    return f"{name}.gz", gzip.compress(content)


ALTERED_PIXEL = TINY[TEST_IMAGES][:-1] + bytes([TINY[TEST_IMAGES][-1] ^ 1])
ARCHIVE = TINY_ARCHIVES[f"{TRAIN_IMAGES}.gz"]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (f"{TRAIN_IMAGES}.gz", ARCHIVE[: len(ARCHIVE) // 2], "a complete gzip file, found .* do not unpack"),
        (f"{TRAIN_IMAGES}.gz", ARCHIVE[:-8] + bytes(8), "a complete gzip file, found .*CRC"),
        (*replaced(TRAIN_IMAGES, TINY[TRAIN_IMAGES][:-100]), "15,696 bytes.*found 15,596: the file is truncated"),
        (*replaced(TRAIN_LABELS, TINY[TRAIN_LABELS] + b"\x00"), "28 bytes.*found 29: there are bytes after"),
        (*replaced(TEST_LABELS, TINY[TRAIN_LABELS]), r"items of shape \(10,\), found \(20,\)"),
        (*replaced(TEST_IMAGES, TINY[TEST_LABELS]), r"items of shape \(10, 28, 28\), found \(10,\)"),
        (*replaced(TEST_IMAGES, ALTERED_PIXEL), "SHA-256 [0-9a-f]{64} .*, found [0-9a-f]{64}"),
    ],
    ids=["cut gzip", "gzip CRC", "truncated", "trailing", "count", "axes", "checksum"],
)
def test_damaged_file_names_file_expectation_and_finding(machine, file, content, message):
    place = put_files(machine / "mine")
    (place / file).write_bytes(content)
    with pytest.raises(DataFileError, match=f"{file}: expected .*{message}.* Replace or delete this file"):
        load_fashion_mnist(place)


BOMBS = {
    "trailing": (TINY[TRAIN_IMAGES] + bytes(1 << 26), "15,696 bytes.*found 15,697: there are bytes after"),
    "announced": (idx.encode(np.zeros(1 << 26, np.uint8)), r"shape \(20, 28, 28\), found \(67108864,\)"),
    "only announced": (b"\0\0\x08\3" + b"\xff" * 12, r"shape \(20, 28, 28\), found \(4294967295, "),
    "255 axes": (b"\0\0\x08\xff" + b"\xff" * 1020, r"shape \(20, 28, 28\), found \(4294967295, "),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_small_file_that_unpacks_to_much_takes_little_memory(machine, bomb):
    """64 MiB of zeros, gzipped to 64 KiB, and headers that declare as much or more."""
    content, message = BOMBS[bomb]
    place = put_files(machine / "mine")
    (place / f"{TRAIN_IMAGES}.gz").write_bytes(gzip.compress(content))
    tracemalloc.start()
    try:
        with pytest.raises(DataFileError, match=message):
            load_fashion_mnist(place)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_file_that_cannot_be_read_is_skipped(machine, monkeypatch):
    """A directory stands for a file without permission, since root may read all files."""
    place = put_files(machine / "system")
    (place / TRAIN_IMAGES).mkdir()
    monkeypatch.setattr(os.path, "isfile", os.path.exists)
    with pytest.warns(UserWarning, match=f"{TRAIN_IMAGES}: expected a file that can be read, found .*directory"):
        assert load_fashion_mnist(download=False).is_sample


def test_damaged_files_are_skipped_unless_they_were_named(machine):
    place = put_files(machine / "system")
    (place / f"{TEST_LABELS}.gz").write_bytes(b"<html>")
    good = put_files(machine / ".keras/datasets/fashion-mnist")
    with pytest.warns(
        UserWarning, match=f"system/{TEST_LABELS}.gz: expected an IDX file.*found 3c 68.*search continues"
    ):
        assert_tiny(load_fashion_mnist(), good)
    with pytest.raises(DataFileError, match="expected an IDX file"):
        load_fashion_mnist(place)


# ---- fetching


@contextmanager
def serving(answer):
    """An HTTP server on this machine; `answer(handler, file_name)` replies. Yields (address, names asked for)."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path.rpartition("/")[2])
            answer(self, asked[-1])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(handler: BaseHTTPRequestHandler, content: bytes, announced: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(announced or len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def intact(handler, name):
    reply(handler, TINY_ARCHIVES[name])


def corrupt(handler, name):
    reply(handler, b"?" + TINY_ARCHIVES[name][1:])


def cut_short(handler, name):
    reply(handler, TINY_ARCHIVES[name][:-5], announced=len(TINY_ARCHIVES[name]))


def absent(handler, name):
    handler.send_error(404)


def endless(handler, name):
    with suppress(OSError):  # the client has closed the connection
        reply(handler, TINY_ARCHIVES[name] + bytes(1 << 24), announced=1 << 40)


def train_only(handler, name):
    (intact if name.startswith("train") else absent)(handler, name)


@pytest.fixture
def late():
    """An answer that comes only after five seconds, or when the test is over."""
    over = threading.Event()

    def answer(handler, name):
        over.wait(5)
        with suppress(OSError):  # the client has closed the connection
            intact(handler, name)

    yield answer
    over.set()


def test_download_goes_to_the_cache_and_is_found_there_next_time(machine, monkeypatch):
    with serving(intact) as (address, asked):
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (address,))
        for _ in range(2):
            assert_tiny(load_fashion_mnist(quiet=True), machine / "cache/minicnn/fashion-mnist")
    assert sorted(asked) == sorted(TINY_ARCHIVES)


@pytest.mark.parametrize("first", [corrupt, cut_short, absent])
def test_next_mirror_is_tried(machine, monkeypatch, first):
    with serving(first) as (bad, asked_of_bad), serving(intact) as (good, asked_of_good):
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (bad, good))
        assert_tiny(load_fashion_mnist(quiet=True), search_path.cache_directory())
    assert len(asked_of_bad) == 1
    assert sorted(asked_of_good) == sorted(TINY_ARCHIVES)


def test_silent_mirror_times_out(machine, monkeypatch, late):
    monkeypatch.setattr(download, "PATIENCE", 0.2)
    with serving(late) as (hanging, asked_of_hanging), serving(intact) as (good, asked_of_good):
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (hanging, good))
        assert_tiny(load_fashion_mnist(quiet=True), search_path.cache_directory())
    assert len(asked_of_hanging) == 1
    assert sorted(asked_of_good) == sorted(TINY_ARCHIVES)


def test_files_of_an_earlier_mirror_are_kept(machine, monkeypatch):
    with serving(train_only) as (half, _), serving(intact) as (whole, asked_of_whole):
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (half, whole))
        assert_tiny(load_fashion_mnist(quiet=True), search_path.cache_directory())
    assert sorted(asked_of_whole) == [f"{TEST_IMAGES}.gz", f"{TEST_LABELS}.gz"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (absent, "404"),
        (corrupt, "wrong checksum"),
        (cut_short, r"[\d,]+ bytes of .*, which has [\d,]+"),
        (endless, r"[\d,]+ bytes of .*, which has [\d,]+"),
    ],
)
def test_failed_download_falls_back_to_the_sample_and_says_why(machine, monkeypatch, answer, reason):
    with serving(answer) as (address, _):
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (address, address))
        with pytest.warns(SampleDataWarning, match=f"could not be downloaded: .*{reason}") as warned:
            data = load_fashion_mnist(quiet=True)
    assert data.is_sample
    assert any("embedded sample" in str(warning.message) for warning in warned)
    assert not [path for path in search_path.cache_directory().rglob("*") if path.is_file()]


def test_no_network_at_all(machine, monkeypatch):
    with serving(intact) as (address, _):
        pass  # no server listens at this address any more
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (address,))
    with pytest.warns(SampleDataWarning, match="no connection"):
        assert load_fashion_mnist(quiet=True).is_sample


def test_no_threads_as_in_a_browser(machine, monkeypatch):
    def start(transfer):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(download.Transfer, "start", start)
    monkeypatch.setattr(fashion_mnist, "MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.warns(SampleDataWarning, match="can't start new thread"):
        assert load_fashion_mnist().is_sample


def test_cache_that_cannot_be_written_falls_back_to_the_sample(machine, monkeypatch):
    (machine / "cache").write_text("a file where the directory should be")
    with serving(intact) as (address, _):
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (address,))
        with pytest.warns(SampleDataWarning, match="could not be downloaded"):
            assert load_fashion_mnist(quiet=True).is_sample


def test_download_can_be_switched_off(machine, monkeypatch):
    with serving(intact) as (address, asked):
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (address,))
        with pytest.warns(SampleDataWarning):
            assert load_fashion_mnist(download=False).is_sample
    assert asked == []


@pytest.mark.parametrize(("terminal", "quiet"), [(True, False), (True, True), (False, False)])
def test_progress_bar_only_in_a_terminal_and_not_when_quiet(machine, monkeypatch, capsys, terminal, quiet):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with serving(intact) as (address, _):
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (address,))
        load_fashion_mnist(quiet=quiet)
    assert ("100%" in capsys.readouterr().err) == (terminal and not quiet)


@pytest.fixture(params=["body", "headers"])
def dripping(request):
    """An answer that never ends: a byte of its body, or a header, every 20 ms until the test is over."""
    over = threading.Event()

    def answer(handler, name):
        handler.send_response(200)
        if request.param == "body":
            handler.send_header("Content-Length", str(len(TINY_ARCHIVES[name])))
            handler.end_headers()
        handler.flush_headers()
        with suppress(OSError):  # the client has closed the connection
            while not over.wait(0.02):
                handler.wfile.write(b"x")

    yield answer
    over.set()


def test_slow_mirror_is_left_for_the_next_one(machine, monkeypatch, dripping):
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    with serving(dripping) as (slow, asked_of_slow), serving(intact) as (good, asked_of_good):
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (slow, good))
        assert_tiny(load_fashion_mnist(quiet=True), search_path.cache_directory())
    assert len(asked_of_slow) == 1
    assert sorted(asked_of_good) == sorted(TINY_ARCHIVES)


def test_one_time_limit_holds_for_all_files_and_mirrors(machine, monkeypatch, dripping):
    """Of a hundred slow mirrors, only those are tried for which the limit leaves time."""
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    monkeypatch.setattr(download, "TIME_LIMIT", 1.0)
    with serving(dripping) as (slow, asked):
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (slow,) * 100)
        with pytest.warns(SampleDataWarning, match="could not be downloaded: .* within 1 seconds"):
            assert load_fashion_mnist(quiet=True).is_sample
    assert 1 < len(asked) < 10


def test_damaged_download_in_the_cache_is_replaced(machine, monkeypatch):
    place = put_files(search_path.cache_directory())
    (place / f"{TRAIN_LABELS}.gz").write_bytes(TINY_ARCHIVES[f"{TRAIN_LABELS}.gz"][:-1])
    with serving(intact) as (address, asked):
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (address,))
        with pytest.warns(UserWarning, match=f"{TRAIN_LABELS}.gz: expected a complete gzip file.*The search continues"):
            assert_tiny(load_fashion_mnist(quiet=True), place)
    assert asked == [f"{TRAIN_LABELS}.gz"]


FETCH = """
import json, pathlib, sys
from minicnn.datasets import download
mirror, archives, cache = json.loads(sys.argv[1])
download.cache_directory = lambda data_set: pathlib.Path(cache)
download.fetch("fashion-mnist", [mirror], [download.Archive(*archive) for archive in archives], quiet=True)
"""


def test_two_processes_download_at_once(machine, tmp_path):
    """Both ask for every file at the same time, and the cache holds the four complete files and nothing else."""
    both = threading.Barrier(2)

    def together(handler, name):
        both.wait(30)
        intact(handler, name)

    with serving(together) as (address, asked):
        arguments = json.dumps([address, fashion_mnist.ARCHIVES, str(tmp_path / "cache")])
        processes = [subprocess.Popen([sys.executable, "-c", FETCH, arguments]) for _ in range(2)]
        assert [process.wait(60) for process in processes] == [0, 0]
    assert sorted(asked) == sorted(2 * list(TINY_ARCHIVES))
    assert {path.name: path.read_bytes() for path in (tmp_path / "cache").iterdir()} == TINY_ARCHIVES


def test_mirrors_and_checksums_cover_the_four_files():
    assert len(set(fashion_mnist.MIRRORS)) > 1
    for mirror in (*fashion_mnist.MIRRORS, *mnist.MIRRORS, *cifar10.MIRRORS):
        assert mirror.startswith("http")
        assert mirror.endswith("/")
    assert sorted(name for name, _, _ in fashion_mnist.ARCHIVES) == sorted(f"{name}.gz" for name in NAMES)


# ---- the other data sets


def archive_of(name: str, content: bytes) -> download.Archive:
    return download.Archive(name, len(content), hashlib.sha256(content).hexdigest())


def test_mnist_is_downloaded_once(machine, monkeypatch):
    monkeypatch.setattr(mnist, "ARCHIVES", [archive_of(*file) for file in TINY_ARCHIVES.items()])
    monkeypatch.setattr(mnist, "SHAPES", ((20, 28, 28), (20,), (10, 28, 28), (10,)))
    with serving(intact) as (address, asked):
        monkeypatch.setattr(mnist, "MIRRORS", (address,))
        for _ in range(2):
            found = datasets.mnist.load_data()
            for split, expected in zip((*found[0], *found[1]), tiny_arrays(), strict=True):
                np.testing.assert_array_equal(split, expected, strict=True)
    assert sorted(asked) == sorted(TINY_ARCHIVES)
    assert (machine / "cache/minicnn/mnist").is_dir()


def test_mnist_of_keras_is_used(machine, monkeypatch):
    x_train, y_train, x_test, y_test = tiny_arrays()
    folder = machine / ".keras" / "datasets"
    folder.mkdir(parents=True)
    np.savez(folder / "mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    monkeypatch.setattr(mnist, "MIRRORS", ())
    with pytest.raises(OSError, match=r"no mirror sent .* Download train-images.* by other means into .*mnist"):
        mnist.load_data()  # the file has another checksum
    monkeypatch.setattr(mnist, "KERAS_FILE", archive_of("mnist.npz", (folder / "mnist.npz").read_bytes()))
    (found, _), _ = mnist.load_data(path="mnist.npz")
    np.testing.assert_array_equal(found, x_train, strict=True)
    with pytest.raises(ValueError, match="path: expected the name of Keras's file, found 'other.npz'"):
        mnist.load_data("other.npz")


def cifar_archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_cifar10(machine, monkeypatch):
    """Two records a file; a record has its label, and a red, a green and a blue plane."""
    images = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(12, dtype=np.uint8)[:, None] % 10
    records = np.concatenate([labels, images.transpose(0, 3, 1, 2).reshape(12, -1)], axis=1)
    names = ["test_batch.bin", *(f"data_batch_{number}.bin" for number in range(1, 6))]
    files = {name: records[2 * i : 2 * i + 2].tobytes() for i, name in enumerate(names)}
    content = cifar_archive({"readme.html": b"?", **files})
    monkeypatch.setattr(cifar10, "ARCHIVE", archive_of("cifar-10-binary.tar.gz", content))
    with serving(lambda handler, name: reply(handler, content)) as (address, asked):
        monkeypatch.setattr(cifar10, "MIRRORS", (address,))
        (x_train, y_train), (x_test, y_test) = datasets.cifar10.load_data()
        assert asked == ["cifar-10-binary.tar.gz"]
    for found, expected in ((x_train, images[2:]), (y_train, labels[2:]), (x_test, images[:2]), (y_test, labels[:2])):
        np.testing.assert_array_equal(found, expected, strict=True)
    assert (machine / "cache/minicnn/cifar-10/cifar-10-binary.tar.gz").read_bytes() == content
    incomplete = cifar_archive({"test_batch.bin": files["test_batch.bin"]})
    monkeypatch.setattr(cifar10, "ARCHIVE", archive_of("cifar-10-binary.tar.gz", incomplete))
    with serving(lambda handler, name: reply(handler, incomplete)) as (address, asked):
        monkeypatch.setattr(cifar10, "MIRRORS", (address,))
        with pytest.raises(DataFileError, match="expected the six files of the binary version, found no data_batch_1"):
            cifar10.load_data()


def test_a_large_data_set_has_more_time(machine):
    archive = download.Archive("large", 300 * download.SLOWEST, "")
    with pytest.raises(OSError, match="no mirror sent the files within 300 seconds"):
        download.fetch("large", [], [archive], quiet=True)


# ---- the sample


def test_every_use_of_the_sample_says_what_it_is_and_how_to_get_the_rest(machine):
    for _ in range(2):
        with pytest.warns(SampleDataWarning) as warned:
            load_fashion_mnist(download=False, quiet=True)
        notice = str(warned[-1].message)
        for part in ("6,000", "1,000", fashion_mnist.EXPECTED_SAMPLE_ACCURACY):
            assert part in notice
        for remedy in ("apt-get install dataset-fashion-mnist", "data_dir", "$MINICNN_DATA", "network"):
            assert remedy in notice
        assert warned[-1].filename == __file__


def test_sample_is_class_balanced(machine):
    with pytest.warns(SampleDataWarning):
        data = load_fashion_mnist(download=False)
    for (images, labels), count in ((data.train, 600), (data.test, 100)):
        np.testing.assert_array_equal(np.bincount(labels), np.full(10, count))
        assert images.shape == (10 * count, 28, 28)
        assert (images.dtype, labels.dtype) == (np.uint8, np.uint8)
    assert data.is_sample


def test_sample_can_be_named(machine):
    with pytest.warns(SampleDataWarning):
        assert load_fashion_mnist(SAMPLE_DIRECTORY).is_sample


def test_sample_of_a_broken_installation(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(fashion_mnist, "SAMPLE_DIRECTORY", tmp_path / "gone")
    with (
        pytest.warns(SampleDataWarning),
        pytest.raises(
            FileNotFoundError, match=f"expected {TRAIN_IMAGES}.gz in .*gone.*no such file.*Reinstall minicnn"
        ),
    ):
        load_fashion_mnist(download=False)


def test_sample_ships_with_its_licence():
    licence = (SAMPLE_DIRECTORY / "LICENSE").read_text(encoding="utf-8")
    assert "Copyright © 2017 Zalando SE, https://tech.zalando.com" in licence
    assert "The above copyright notice and this permission notice shall be included" in licence
    assert 2e6 < sum(path.stat().st_size for path in SAMPLE_DIRECTORY.iterdir()) < 4e6


def test_first_of_each_class_keeps_the_order():
    labels = np.array([*range(9), 1, 9, 1, 0, *range(10)], np.uint8)
    images = np.arange(len(labels))
    chosen, their_labels = make_sample.first_of_each_class(images, labels, 2)
    np.testing.assert_array_equal(chosen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 17, 18, 19, 20, 21, 22])
    np.testing.assert_array_equal(their_labels, labels[chosen])


def test_sample_is_not_made_from_the_sample(machine, tmp_path):
    with pytest.warns(SampleDataWarning), pytest.raises(FileNotFoundError, match="found the sample"):
        make_sample.write_sample(tmp_path)


def test_sample_of_few_images_is_all_of_them(machine, tmp_path):
    put_files(machine / "system")
    make_sample.write_sample(tmp_path / "sample")
    assert {path.stem: gzip.decompress(path.read_bytes()) for path in (tmp_path / "sample").iterdir()} == TINY


# ---- the full data set, where this machine has it


@pytest.fixture(scope="module")
def full_data() -> fashion_mnist.FashionMNIST:
    data = load_fashion_mnist(download=False)
    if data.is_sample:
        pytest.skip("the full Fashion-MNIST is not on this machine")
    return data


def test_full_data_set(full_data):
    for (images, labels), count in ((full_data.train, 6000), (full_data.test, 1000)):
        np.testing.assert_array_equal(np.bincount(labels), np.full(10, count))
        assert images.shape == (10 * count, 28, 28)
        assert (images.min(), images.max()) == (0, 255)
    np.testing.assert_array_equal(full_data.train[1][:4], [9, 0, 0, 3])


def test_sample_is_what_make_sample_makes(full_data):
    shipped = {path.stem: gzip.decompress(path.read_bytes()) for path in SAMPLE_DIRECTORY.glob("*.gz")}
    assert make_sample.sample_of(full_data) == shipped


# ---- what users see


def test_unpacks_and_matches_keras_load_data(machine):
    put_files(machine / ".keras/datasets/fashion-mnist")
    (x_train, y_train), (x_test, y_test) = load_fashion_mnist()
    assert [array.shape for array in (x_train, y_train, x_test, y_test)] == [(20, 28, 28), (20,), (10, 28, 28), (10,)]
    loaded = datasets.fashion_mnist.load_data()
    assert isinstance(loaded, tuple)
    for found, expected in zip((*loaded[0], *loaded[1]), (x_train, y_train, x_test, y_test), strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)


def test_class_names_are_in_label_order():
    report = "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot"
    assert ", ".join(CLASS_NAMES) == report


def test_full_set_and_sample_differ_in_size_only():
    assert [file.name for file in FULL] == [file.name for file in SAMPLE] == list(NAMES)
    assert [file.shape[1:] for file in FULL] == [file.shape[1:] for file in SAMPLE]


def test_import_is_light():
    script = (
        "import sys, minicnn.datasets; print([m for m in ('platformdirs', 'tqdm', 'http.client') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
