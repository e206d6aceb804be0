"""Files appear complete or not at all, even if the writing process is killed; errors are sentences."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from minicnn.files import atomic_writer

posix = pytest.mark.skipif(os.name != "posix", reason="of POSIX file systems")


def write(path, content=b"new"):
    with atomic_writer(path) as file:
        file.write(content)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_a_file_and_its_folder(tmp_path):
    write(tmp_path / "a" / "b" / "file")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"


def test_a_name_as_long_as_names_may_be(tmp_path):
    write(tmp_path / ("ü" * 127))
    assert [len(name) for name in os.listdir(tmp_path)] == [127]


@posix
class TestWhatIsKept:
    def test_a_symbolic_link_stays_one_and_its_target_is_replaced(self, tmp_path, path):
        target = tmp_path / "elsewhere" / "best.safetensors"
        write(target, b"old")
        path.symlink_to(target)
        (tmp_path / "second").symlink_to(path)
        write(tmp_path / "second")
        assert path.is_symlink()
        assert (tmp_path / "second").is_symlink()
        assert target.read_bytes() == b"new"
        assert not target.is_symlink()

    def test_a_link_to_a_file_that_is_not_there_yet(self, tmp_path, path):
        path.symlink_to(tmp_path / "elsewhere" / "best.safetensors")
        write(path)
        assert path.is_symlink()
        assert path.read_bytes() == b"new"

    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
    def test_the_mode_of_an_existing_file(self, path, mode):
        path.write_bytes(b"old")
        path.chmod(mode)
        write(path)
        assert stat.S_IMODE(path.stat().st_mode) == mode

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files away")
    def test_the_owner_of_an_existing_file(self, path):
        path.write_bytes(b"old")
        os.chown(path, 1234, 4321)
        path.chmod(0o640)
        write(path)
        status = path.stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 4321, 0o640)

    def test_a_new_file_has_the_mode_that_the_umask_leaves(self, path):
        plain = path.with_name("plain")
        plain.touch()
        write(path)
        assert path.stat().st_mode == plain.stat().st_mode

    def test_the_umask_of_the_process_is_never_changed(self, path, monkeypatch):
        monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("other threads would make files with this umask"))
        write(path)


@posix
class TestUnfinishedFilesOfKilledProcesses:
    KILLED = """
import os, signal, sys
from minicnn.files import atomic_writer
with atomic_writer(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    if sys.argv[2] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    print("writing", flush=True)
    sys.stdin.readline()
"""

    def start(self, path, fate):
        command = [sys.executable, "-c", self.KILLED, str(path), fate]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def unfinished(self, path):
        return [name for name in os.listdir(path.parent) if name.endswith(".unfinished")]

    def test_are_deleted_by_the_next_write_of_the_same_file(self, path):
        write(path, b"old")
        with self.start(path, "dies") as process:
            process.wait()
        assert path.read_bytes() == b"old"
        assert len(self.unfinished(path)) == 1
        write(path.with_name("other"))
        assert len(self.unfinished(path)) == 1
        write(path)
        assert sorted(os.listdir(path.parent)) == [path.name, "other"]

    def test_of_a_running_process_are_kept(self, path):
        with self.start(path, "lives") as process:
            assert process.stdout.readline() == "writing\n"
            write(path, b"ours")
            assert len(self.unfinished(path)) == 1
            process.communicate("go on\n")
        assert path.read_bytes() == b"half"  # the last one to end
        assert os.listdir(path.parent) == [path.name]

    def test_files_with_similar_names_are_kept(self, path):
        names = {".model.safetensors.unfinished", ".model.safetensors.0123.unfinished", "model.safetensors.bak"}
        for name in names:
            path.with_name(name).touch()
        write(path)
        assert set(os.listdir(path.parent)) == names | {path.name}


def test_threads_that_write_one_file_leave_one_of_their_contents(path):
    contents = [bytes([number]) * 100_000 for number in range(4)]
    write(path, contents[0])
    errors = []

    def writer(content):
        try:
            for _ in range(20):
                write(path, content)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=writer, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert path.read_bytes() in contents
    assert not errors
    assert os.listdir(path.parent) == [path.name]


@contextmanager
def without_root():
    """As a user to whom permissions apply."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


class TestSentences:
    def fails(self, path, kind, reason):
        with pytest.raises(kind) as caught:
            write(path)
        assert str(caught.value).startswith(f"{path} cannot be written: {reason}")
        assert "Nothing was changed" in str(caught.value)
        return caught.value

    def test_a_directory(self, tmp_path):
        self.fails(tmp_path, IsADirectoryError, "this is a directory")

    def test_a_file_where_a_directory_should_be(self, tmp_path, path):
        write(path)
        self.fails(path / "model", NotADirectoryError, "a part of the path is a file")
        self.fails(path / "deeper" / "model", NotADirectoryError, "a part of the path is a file")

    @posix
    def test_permission_denied(self, tmp_path):
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o555)
        with without_root():
            self.fails(closed / "model", PermissionError, "permission denied")

    @posix
    def test_a_device_is_not_replaced(self, path):
        os.mkfifo(path)
        self.fails(path, OSError, "this is a device or a pipe")
        assert stat.S_ISFIFO(path.stat().st_mode)

    @posix
    def test_a_working_directory_that_was_deleted(self, tmp_path, monkeypatch):
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        with pytest.raises(FileNotFoundError, match="name cannot be written: no such file"):
            write("name")

    def test_circular_links(self, path):
        path.symlink_to(path)
        self.fails(path, OSError, "the symbolic links go round in a circle")

    @pytest.mark.parametrize(
        ("number", "reason"),
        [
            (errno.ENOSPC, "the disk is full"),
            (errno.EDQUOT, "the disk quota is used up"),
            (errno.EROFS, "the file system is read-only"),
            (errno.EIO, "the disk reports an error"),
        ],
    )
    @pytest.mark.parametrize("call", ["open", "fsync", "replace"])
    def test_the_old_file_stays_whatever_the_system_reports(self, path, monkeypatch, number, reason, call):
        write(path, b"old")

        def failing(*arguments):
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            error = self.fails(path, OSError, reason)
        assert error.errno == number
        assert path.read_bytes() == b"old"
        assert os.listdir(path.parent) == [path.name]

    @posix
    def test_a_full_disk(self, path):
        import resource

        write(path, b"old")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        try:
            with pytest.raises(OSError, match=re.escape(str(path)) + " cannot be written: the file is larger than"):
                write(path, bytes(1 << 20))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert path.read_bytes() == b"old"
        assert os.listdir(path.parent) == [path.name]

    def test_other_errors_in_the_block_are_left_alone(self, path):
        lost = ConnectionResetError(errno.ECONNRESET, "lost")
        with pytest.raises(ConnectionResetError) as caught, atomic_writer(path):
            raise lost
        assert caught.value is lost
        assert os.listdir(path.parent) == []
