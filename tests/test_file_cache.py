"""A file is parsed once until it changes."""

import os

import pytest

from mistral_nb.file_cache import ParsedFileCache, remember_last


class Parser:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, path: str) -> str:
        self.calls += 1
        with open(path, encoding="utf-8") as file:
            return file.read()


@pytest.fixture
def parser():
    return Parser()


def test_a_file_is_parsed_once(tmp_path, parser):
    cache, file = ParsedFileCache(parser), tmp_path / "a"
    file.write_text("one")
    assert cache.get(str(file)) is cache.get(str(file))
    assert parser.calls == 1


def _rewrite(file):
    file.write_text("longer")


def _replace_by_one_with_its_time_and_size(file):
    other = file.with_name("other")
    other.write_text("two")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    os.replace(other, file)


def _set_its_time(file):
    file.write_text("two")
    os.utime(file, ns=(1, 1))


@pytest.mark.parametrize("change", [_rewrite, _replace_by_one_with_its_time_and_size, _set_its_time])
def test_a_changed_file_is_parsed_again(tmp_path, parser, change):
    cache, file = ParsedFileCache(parser), tmp_path / "a"
    file.write_text("one")
    assert cache.get(str(file)) == "one"
    change(file)
    assert cache.get(str(file)) == file.read_text() != "one"


def test_an_error_is_raised_each_time_and_a_file_that_comes_later_is_read(tmp_path, parser):
    cache, file = ParsedFileCache(parser), tmp_path / "a"
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            cache.get(str(file))
    file.write_text("one")
    assert cache.get(str(file)) == "one"
    file.unlink()
    with pytest.raises(FileNotFoundError):
        cache.get(str(file))


def test_many_files_do_not_fill_the_memory(tmp_path, parser):
    cache = ParsedFileCache(parser)
    for number in range(200):
        file = tmp_path / str(number)
        file.write_text(str(number))
        assert cache.get(str(file)) == str(number)
    assert len(cache._kept) < 100


def test_the_last_value_is_kept_for_the_same_object_alone():
    calls = []
    function = remember_last(lambda argument: calls.append(argument) or tuple(argument))
    first, equal = [1, 2], [1, 2]
    assert function(first) is function(first)
    assert function(equal) == (1, 2)
    assert len(calls) == 2
