"""The folder of index and vault is where platformdirs puts it, though that is not asked on Linux."""

import os
import subprocess
import sys

import pytest

_BOTH = (
    "import os; from mistral_nb.home import home; from platformdirs import user_data_dir; "
    "print(home(os.environ)); print(user_data_dir('mistral-nb', appauthor=False))"
)


@pytest.mark.parametrize(
    "more", [{}, {"XDG_DATA_HOME": "/data"}, {"XDG_DATA_HOME": ""}, {"XDG_DATA_HOME": "relative"}, {"HOME": "/h é/"}]
)
def test_it_is_where_platformdirs_puts_it(more: dict[str, str]) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("XDG_DATA_HOME", "MISTRAL_NB_HOME")}
    done = subprocess.run([sys.executable, "-c", _BOTH], env=env | more, capture_output=True, text=True, check=True)
    ours, theirs = done.stdout.splitlines()
    assert ours == theirs
