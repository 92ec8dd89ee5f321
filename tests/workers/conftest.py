"""The pytest process is the client: its own environment, without a key before and after."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mistral_nb import environment


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("MISTRAL") and not name.startswith("MISTRAL_NB_TEST")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MISTRAL_NB_HOME", str(tmp_path / "home"))
    yield
    environment.deactivate()
