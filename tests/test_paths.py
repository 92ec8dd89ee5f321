"""The folder of index and vault is where platformdirs puts it, though that is not asked on Linux."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mistral_nb.paths import identify_folder

_BOTH = (
    "import os; from mistral_nb.paths import data_folder; from platformdirs import user_data_dir; "
    "print(data_folder(os.environ)); print(user_data_dir('mistral-nb', appauthor=False))"
)


@pytest.mark.parametrize(
    "more", [{}, {"XDG_DATA_HOME": "/data"}, {"XDG_DATA_HOME": ""}, {"XDG_DATA_HOME": "relative"}, {"HOME": "/h é/"}]
)
def test_it_is_where_platformdirs_puts_it(more: dict[str, str]) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("XDG_DATA_HOME", "MISTRAL_NB_HOME")}
    done = subprocess.run([sys.executable, "-c", _BOTH], env=env | more, capture_output=True, text=True, check=True)
    ours, theirs = done.stdout.splitlines()
    assert ours == theirs


def test_a_folder_is_identified_by_its_place_and_no_path_is_told(tmp_path: Path) -> None:
    place = tmp_path / "a folder"
    place.mkdir()
    (tmp_path / "link").symlink_to(place)
    identity = identify_folder(str(place))
    assert identity == identify_folder(str(tmp_path / "link")) != identify_folder(str(tmp_path))
    assert len(identity) == 16 and int(identity, 16) >= 0
