"""What `scan` and `scrub` are tried with: a folder, and a key that is known by its fingerprint alone."""

from pathlib import Path

import pytest
from keys import make_key

from mistral_nb.key import Key
from mistral_nb.store.index import Index


@pytest.fixture
def key(environ: dict[str, str]) -> Key:
    """A remembered key: only its fingerprint is here."""
    key = make_key()
    Index(environ["MISTRAL_NB_HOME"]).remember(key)
    return key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made
