"""How long a passphrase has to be, and from which files it is read."""

import os
from pathlib import Path

import pytest

from mistral_nb.api_key import Secret
from mistral_nb.errors import PassphraseTooShort
from mistral_nb.storage.vault_passphrase import check_new_passphrase, is_guarded, is_too_short, read_regular_file


@pytest.mark.parametrize("text", ["", "short", "elevenchars", "e\u0301" * 11])
def test_fewer_than_12_characters_are_too_few_for_a_new_one(text: str) -> None:
    assert is_too_short(Secret(text))
    with pytest.raises(PassphraseTooShort, match="at least 12 characters"):
        check_new_passphrase(Secret(text))


@pytest.mark.parametrize("text", ["twelve chars", "e\u0301" * 12, "pässwörter-und-mehr", "1234567890 12345"])
def test_12_characters_are_enough(text: str) -> None:
    assert not is_too_short(Secret(text))
    check_new_passphrase(Secret(text))


def test_one_of_8_characters_is_looked_for() -> None:
    assert [is_guarded(Secret("x" * length)) for length in (0, 7, 8, 12)] == [False, False, True, True]


def test_no_word_of_a_notebooks_own_is_looked_for() -> None:
    assert not any(is_guarded(Secret(word)) for word in ("metadata", "cell_type", "execution", "text/plain"))
    assert is_guarded(Secret("the metadata"))


def test_a_regular_file_is_read_and_a_pipe_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a passphrase\r\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert read_regular_file(str(tmp_path / "file")) == Secret("a passphrase")
    assert read_regular_file(str(tmp_path / "binary")) is None
    assert read_regular_file(str(tmp_path / "nowhere")) is None
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert read_regular_file(str(tmp_path / "pipe")) is None
