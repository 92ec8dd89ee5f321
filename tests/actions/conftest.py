"""What several sub-commands are tried with: a folder, a key known by its fingerprint alone, an organisation."""

from collections.abc import Callable
from pathlib import Path

import pytest
from keys import make_key
from organisation import Organisation

from mistral_nb.actions.context import Context
from mistral_nb.api.sandbox import Sandbox
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


@pytest.fixture
def org(sandbox: Sandbox, environ: dict[str, str], tmp_path: Path, new_context: Callable[..., Context]) -> Organisation:
    """Its Admin key is in the environment."""
    return Organisation(sandbox, environ, tmp_path / "work", new_context)
