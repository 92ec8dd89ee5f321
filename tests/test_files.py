"""Files are the old or the new ones, private from the first byte, and locks end with their processes."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from mistral_nb.files import (
    locked,
    locked_with_children,
    locks_for_children,
    make_private_folder,
    open_to_others,
    sweep,
    write_atomically,
)

LOCKS = [locked, locked_with_children]


def test_a_file_is_written_private(tmp_path):
    path = tmp_path / "file"
    write_atomically(str(path), b"content")
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not open_to_others(str(path))


def test_a_mode_is_kept_when_it_is_given(tmp_path):
    path = tmp_path / "file"
    write_atomically(str(path), b"content", 0o644)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert open_to_others(str(path))


def test_what_can_not_be_written_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "in the way").write_text("")
    with pytest.raises(IsADirectoryError if os.name == "posix" else PermissionError):
        write_atomically(str(path), b"content")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_the_temporary_name_of_a_long_one_has_whole_characters_and_is_swept(tmp_path):
    path = tmp_path / f"x{'é' * 60}"
    seen = []
    write_atomically(str(path), b"new", last_look=lambda: seen.extend(os.listdir(os.fsencode(tmp_path))))
    assert [name.decode("utf-8", "strict")[:14] for name in seen] == [".mistral-nb-xé"]
    (tmp_path / os.fsdecode(seen[0])).write_bytes(b"left by one that was killed")
    sweep(str(path))
    assert os.listdir(tmp_path) == [path.name]


def test_the_last_look_comes_after_the_writing_and_can_stop_the_move(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen = []

    def look():
        [temporary] = (entry for entry in tmp_path.iterdir() if entry != path)
        seen.append(temporary.read_bytes())
        raise InterruptedError

    with pytest.raises(InterruptedError):
        write_atomically(str(path), b"new", last_look=look)
    assert seen == [b"new"]
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("file", b"old")]


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
    sweep(str(tmp_path / "file"))
    assert not mine.exists()
    assert other.exists()
    sweep(str(tmp_path / "no folder" / "file"))


def test_a_made_folder_is_private_and_one_that_is_there_stays_as_it_is(tmp_path):
    make_private_folder(str(tmp_path / "a" / "b"))
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    (tmp_path / "c").mkdir(mode=0o755)
    make_private_folder(str(tmp_path / "c"))
    assert open_to_others(str(tmp_path / "c"))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_held_lock_is_waited_for_and_given_up(tmp_path, lock):
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
from mistral_nb.files import {lock.__name__}
with {lock.__name__}(sys.argv[1], 1):
    print(flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE)
    holder.stdout.readline()
    with pytest.raises(TimeoutError), lock(path, 0):
        pass
    holder.kill()
    holder.wait(10)
    holder.stdout.close()
    with lock(path, 1):
        pass


def test_a_child_that_is_given_the_lock_holds_it_after_its_parent_was_killed(tmp_path):
    path = str(tmp_path / "lock")
    script = """
import subprocess, sys, time
from mistral_nb.files import locked_with_children, locks_for_children
with locked_with_children(sys.argv[1], 1):
    fds = locks_for_children() if sys.argv[2] == "given" else ()
    subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], pass_fds=fds)
    print(flush=True)
    time.sleep(60)
"""
    for given, held in (("given", True), ("not given", False)):
        reading, writing = os.pipe()
        parent = subprocess.Popen([sys.executable, "-c", script, path, given], stdin=reading, stdout=subprocess.PIPE)
        os.close(reading)
        parent.stdout.readline()
        parent.kill()
        parent.wait(10)
        parent.stdout.close()
        try:
            with locked_with_children(path, 0):
                assert not held
        except TimeoutError:
            assert held
        os.close(writing)  # the child reads the end, and ends
        with locked_with_children(path, 5):
            pass


def test_a_lock_that_was_released_is_given_to_no_child(tmp_path):
    with locked_with_children(str(tmp_path / "lock"), 1):
        assert len(locks_for_children()) == 1
    assert locks_for_children() == ()
