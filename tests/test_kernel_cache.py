"""The kernel cache runs only code that this user has compiled, and a damaged cache never ends a run."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

cache = pytest.importorskip("minicnn.backends.cpu.runtime.cache")

ROOT = Path(__file__).resolve().parents[1]
CONTENT = b"machine code" * 100
SOMEBODY = 12345  # another user
needs_owners = pytest.mark.skipif(os.name == "nt", reason="file permissions work differently on Windows")

TRAIN = """
import numpy as np, minicnn
from minicnn.layers import Dense
minicnn.use_backend("numba")
model = minicnn.Sequential([minicnn.Input((3,)), Dense(2)])
model.compile("sgd", "mse")
print(model.train_on_batch(np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)))
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The directory of an empty cache."""
    monkeypatch.setattr(cache, "numba_cache_dir", str(tmp_path / "own"))
    forget()
    yield cache.directory()
    forget()


def forget() -> None:
    """Forget what has been loaded, as in a new process."""
    cache.directory.cache_clear()
    cache._report.cache_clear()


def become_another_user(monkeypatch, *paths: Path) -> None:
    """From now on, these paths belong to another user: root changes their owner, others change os.getuid."""
    if os.getuid() == 0:
        for path in paths:
            os.chown(path, SOMEBODY, SOMEBODY)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)


def train(directory: Path) -> str:
    """Train in a new process; returns what it wrote to stderr."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(directory), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", TRAIN], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0
    return done.stderr


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """The directory of a cache with all kernels of a training step; tests work on copies."""
    parent = tmp_path_factory.mktemp("cache")
    assert train(parent).startswith("minicnn: compiling its kernels")
    return parent


def files_of(parent: Path) -> list[Path]:
    return sorted(parent.glob("kernels-*/*"))


def test_what_is_saved_is_loaded(place):
    assert cache.load("name") is None
    cache.save("name", CONTENT)
    assert cache.load("name") == CONTENT
    cache.save("name", b"")
    assert cache.load("name") == b""
    cache.drop("name")
    cache.drop("name")
    assert cache.load("name") is None


@needs_owners
def test_everything_is_made_for_this_user_alone(place):
    before = os.umask(0)
    try:
        cache.save("name", CONTENT)
    finally:
        os.umask(before)
    (file,) = place.iterdir()
    assert [path.stat().st_mode & 0o777 for path in (place.parent, place, file)] == [0o700, 0o700, 0o600]


DAMAGE = {
    "empty": lambda content: b"",
    "halved": lambda content: content[: len(content) // 2],
    "a bit of the content": lambda content: content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
    "a bit of the digest": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "longer": lambda content: content + b"x",
    "foreign": lambda content: b"PK\3\4" + bytes(1000),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_removed(place, damage):
    cache.save("name", CONTENT)
    (file,) = place.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert cache.load("name") is None
    assert not file.exists()
    cache.save("name", CONTENT)
    assert cache.load("name") == CONTENT


def test_a_kernel_under_another_kernels_name_is_removed(place):
    cache.save("name", CONTENT)
    shutil.copy(place / "name.kernel", place / "other.kernel")
    assert cache.load("other") is None
    assert cache.load("name") == CONTENT


def test_a_directory_in_the_place_of_a_file(place):
    (place / "name.kernel").mkdir()
    assert cache.load("name") is None
    cache.save("name", CONTENT)


@needs_owners
def test_a_pipe_or_a_link_in_the_place_of_a_file(place, tmp_path):
    os.mkfifo(place / "name.kernel")
    assert cache.load("name") is None
    cache.save("name", CONTENT)
    (place / "name.kernel").rename(tmp_path / "elsewhere")
    (place / "name.kernel").symlink_to(tmp_path / "elsewhere")
    assert cache.load("name") is None
    assert (tmp_path / "elsewhere").exists()


@needs_owners
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_not_loaded(place, mode):
    cache.save("name", CONTENT)
    (place / "name.kernel").chmod(mode)
    assert cache.load("name") is None


@needs_owners
def test_a_file_of_another_user_is_not_loaded(place, monkeypatch):
    cache.save("name", CONTENT)
    become_another_user(monkeypatch, place / "name.kernel")
    assert cache.load("name") is None


@needs_owners
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_directory_that_others_can_write_is_not_used(place, capsys, mode):
    cache.save("name", CONTENT)
    place.chmod(mode)
    assert_not_used(place, capsys, f"{place}: other users may write there")


@needs_owners
def test_a_directory_of_another_user_is_not_used(place, monkeypatch, capsys):
    cache.save("name", CONTENT)
    become_another_user(monkeypatch, place)
    assert_not_used(place, capsys, "it belongs to another user")


@needs_owners
def test_nothing_is_made_or_used_in_the_home_of_another_user(place, monkeypatch, capsys, tmp_path):
    """As after `sudo -E`."""
    cache.save("name", CONTENT)
    (tmp_path / "home").mkdir()
    become_another_user(monkeypatch, place.parent, tmp_path / "home")
    assert_not_used(place, capsys, "it belongs to another user")
    monkeypatch.setattr(cache, "numba_cache_dir", str(tmp_path / "home" / "cache"))
    assert_not_used(place, capsys, "it belongs to another user")
    assert not any((tmp_path / "home").iterdir())


@needs_owners
def test_a_parent_in_which_everybody_may_rename(place, capsys):
    """With the sticky bit, as in /tmp, only owners may."""
    cache.save("name", CONTENT)
    place.parent.chmod(0o1777)
    forget()
    assert cache.load("name") == CONTENT
    place.parent.chmod(0o777)
    assert_not_used(place, capsys, f"{place.parent}: other users may write there")


def assert_not_used(place: Path, capsys, reason: str) -> None:
    """Nothing is loaded or written, and one sentence says why not."""
    forget()
    before = sorted(place.iterdir())
    assert cache.load("name") is None
    cache.save("new", CONTENT)
    assert sorted(place.iterdir()) == before
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "minicnn: kernels are compiled anew in every run" in sentence
    assert reason in sentence


def test_a_loop_of_links_or_a_file_for_a_directory(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("file", "loop"):
        monkeypatch.setattr(cache, "numba_cache_dir", str(tmp_path / name))
        forget()
        assert cache.load("name") is None
        cache.save("name", CONTENT)
        assert "kernels are compiled anew in every run" in capsys.readouterr().err
    forget()


def test_a_full_disk_is_one_sentence(place, monkeypatch, capsys):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    for name in ("a", "b"):
        cache.save(name, CONTENT)
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence == f"minicnn: compiled kernels are not kept for the next run. {place}: No space left on device"
    assert not any(place.iterdir())


def test_a_read_only_cache_is_read(place, monkeypatch, capsys):
    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    cache.save("name", CONTENT)
    for where, name in ((os, "utime"), (os, "unlink"), (cache, "mkstemp")):  # root may write everywhere
        monkeypatch.setattr(where, name, refuse)
    forget()
    assert cache.load("name") == CONTENT
    for name in ("a", "b"):
        cache.save(name, CONTENT)
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence == f"minicnn: compiled kernels are not kept for the next run. {place}: Permission denied"


def test_the_kernels_of_a_few_other_versions_stay(place):
    others = [place.parent / f"kernels-{number:016x}" for number in range(20)]
    for age, other in enumerate(others):
        other.mkdir()
        os.utime(other, (1e9 - age, 1e9 - age))
    (place.parent / "kernels-of-mine").mkdir()
    forget()
    assert cache.directory() == place
    left = {path.name for path in place.parent.iterdir()}
    assert left == {place.name, "kernels-of-mine", *(other.name for other in others[: cache.KEPT_DIRECTORIES - 1])}


def test_threads_write_and_read_one_name(place):
    def write_and_read(number):
        cache.save("name", bytes([number]) * 10_000)
        found = cache.load("name")
        return found is not None and len(set(found)) == 1 and len(found) == 10_000

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(write_and_read, range(200)))
    assert [path.name for path in place.iterdir()] == ["name.kernel"]


def test_a_second_process_loads_and_says_nothing(filled):
    before = files_of(filled)
    assert train(filled) == ""
    assert files_of(filled) == before


def test_any_damage_heals(filled, tmp_path):
    """A file of a training step is damaged in each way; the next run replaces them, the one after it only loads."""
    parent = shutil.copytree(filled, tmp_path / "copy")
    for file, damage in zip(files_of(parent), DAMAGE.values(), strict=False):
        file.write_bytes(damage(file.read_bytes()))
    assert train(parent).startswith("minicnn: compiling its kernels")
    assert train(parent) == ""


def test_content_that_numba_cannot_use_heals(filled, tmp_path):
    """The digest is correct: another build of Numba may have saved this content."""
    parent = shutil.copytree(filled, tmp_path / "copy")
    for file, content in zip(files_of(parent), [b"no pickle", pickle.dumps(1), pickle.dumps(())], strict=False):
        file.write_bytes(cache._digest(file.stem, content) + content)
    assert train(parent).startswith("minicnn: compiling its kernels")
    assert train(parent) == ""


def test_two_processes_that_compile_at_once(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(train, [tmp_path, tmp_path]))
    assert train(tmp_path) == ""


@needs_owners
def test_a_filled_cache_that_is_read_only_is_used(filled, tmp_path):
    parent = shutil.copytree(filled, tmp_path / "copy")
    (place,) = parent.iterdir()
    for path, mode in ((place, 0o555), (parent, 0o555)):
        path.chmod(mode)
    try:
        assert train(parent) == ""
    finally:
        parent.chmod(0o755)
        place.chmod(0o755)
