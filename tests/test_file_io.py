"""Files are old or new, private from the first byte, and locks end with their processes."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from mistral_nb.file_io import (
    hold_lock,
    hold_lock_with_children,
    is_readable_by_others,
    locks_for_children,
    make_private_folder,
    remove_stale_temp_files,
    write_atomically,
)
from support.patience import PATIENCE
from support.processes import started

LOCKS = [hold_lock, hold_lock_with_children]


def test_a_file_is_written_private(tmp_path):
    path = tmp_path / "file"
    write_atomically(str(path), b"content")
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not is_readable_by_others(str(path))


def test_a_mode_is_kept_when_it_is_given(tmp_path):
    path = tmp_path / "file"
    write_atomically(str(path), b"content", 0o644)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert is_readable_by_others(str(path))


def test_a_failed_write_leaves_only_the_old_file(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "in the way").write_text("")
    with pytest.raises(IsADirectoryError if os.name == "posix" else PermissionError):
        write_atomically(str(path), b"content")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_the_temporary_name_of_a_long_one_has_whole_characters_and_is_swept(tmp_path):
    path = tmp_path / f"x{'é' * 60}"
    seen = []
    write_atomically(str(path), b"new", before_replace=lambda: seen.extend(os.listdir(os.fsencode(tmp_path))))
    assert [name.decode("utf-8", "strict")[:14] for name in seen] == [".mistral-nb-xé"]
    (tmp_path / os.fsdecode(seen[0])).write_bytes(b"left by one that was killed")
    remove_stale_temp_files(str(path))
    assert os.listdir(tmp_path) == [path.name]


def test_the_last_check_runs_after_writing_and_can_stop_the_move(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen = []

    def look():
        [temporary] = (entry for entry in tmp_path.iterdir() if entry != path)
        seen.append(temporary.read_bytes())
        raise InterruptedError

    with pytest.raises(InterruptedError):
        write_atomically(str(path), b"new", before_replace=look)
    assert seen == [b"new"]
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("file", b"old")]


@pytest.mark.slow
def test_a_reader_never_sees_half_a_file(tmp_path):
    path = str(tmp_path / "file")
    sizes = (1, 1 << 20)
    write_atomically(path, b"x")
    done = threading.Event()

    def write():
        for turn in range(200):
            write_atomically(path, b"x" * sizes[turn % 2])
        done.set()

    threading.Thread(target=write).start()
    while not done.is_set():
        with open(path, "rb") as file:
            assert len(file.read()) in sizes


def test_sweeping_takes_the_temp_files_of_one_path_alone(tmp_path):
    mine, other = tmp_path / ".mistral-nb-file-x.tmp", tmp_path / ".mistral-nb-files-x.tmp"
    mine.write_text("")
    other.write_text("")
    remove_stale_temp_files(str(tmp_path / "file"))
    assert not mine.exists()
    assert other.exists()
    remove_stale_temp_files(str(tmp_path / "no folder" / "file"))


def test_a_new_folder_is_private_and_an_existing_one_is_unchanged(tmp_path):
    make_private_folder(str(tmp_path / "a" / "b"))
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    (tmp_path / "c").mkdir(mode=0o755)
    make_private_folder(str(tmp_path / "c"))
    assert is_readable_by_others(str(tmp_path / "c"))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_held_lock_is_waited_for_until_the_timeout(tmp_path, lock):
    path = str(tmp_path / "lock")
    with lock(path, 1), pytest.raises(TimeoutError), lock(path, 0.1):
        pass
    with lock(path, 0):
        pass


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_ends_with_its_process(tmp_path, lock):
    path = str(tmp_path / "lock")
    script = f"""
import sys, time
from mistral_nb.file_io import {lock.__name__}
with {lock.__name__}(sys.argv[1], 1):
    print(flush=True)
    time.sleep(60)
"""
    with started([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(TimeoutError), lock(path, 0):
            pass
    with lock(path, 1):
        pass


def test_a_child_that_is_given_the_lock_keeps_it_after_its_parent_was_killed(tmp_path):
    path = str(tmp_path / "lock")
    script = """
import subprocess, sys, time
from mistral_nb.file_io import hold_lock_with_children, locks_for_children
with hold_lock_with_children(sys.argv[1], 1):
    fds = locks_for_children() if sys.argv[2] == "given" else ()
    subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], pass_fds=fds)
    print(flush=True)
    time.sleep(60)
"""
    for given, held in (("given", True), ("not given", False)):
        reading, writing = os.pipe()
        words = [sys.executable, "-c", script, path, given]
        with started(words, stdin=reading, stdout=subprocess.PIPE) as parent:
            os.close(reading)
            parent.stdout.readline()
        try:
            with hold_lock_with_children(path, 0):
                assert not held
        except TimeoutError:
            assert held
        os.close(writing)  # the child reads the end, and ends
        with hold_lock_with_children(path, 5 * PATIENCE):
            pass


def test_a_released_lock_is_not_passed_to_a_child(tmp_path):
    with hold_lock_with_children(str(tmp_path / "lock"), 1):
        assert len(locks_for_children()) == 1
    assert locks_for_children() == ()
