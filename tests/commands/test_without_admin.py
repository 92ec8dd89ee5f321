"""Without `mistral_nb.admin`, which is optional: every command serves ordinary keys, and says so where it can't."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import ADMIN
from support.commands import act
from support.keys import make_key

NewContext = Callable[..., Context]
NEEDED = "This needs mistral_nb.admin, which is not installed."


@pytest.fixture(autouse=True)
def no_admin(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("mistral_nb.admin.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mistral_nb.admin", None)  # an import of it, or of what is in it, fails


@pytest.fixture
def key(new_context: NewContext, sandbox: Sandbox) -> Key:
    key = sandbox.make_key("prod")
    act(new_context("cli"), "login", {"key": key, "expires": ""}, workspace="prod")
    return key


@pytest.fixture(params=[False, True], ids=["no Admin key", "an Admin key in the environment"])
def environ_with_admin_key(request: pytest.FixtureRequest, environ: dict[str, str]) -> None:
    if request.param:
        environ["MISTRAL_ADMIN_API_KEY"] = make_key().reveal()


@pytest.mark.usefixtures("environ_with_admin_key")
def test_an_ordinary_key_is_verified_rotated_listed_and_revoked(
    new_context: NewContext, sandbox: Sandbox, key: Key
) -> None:
    assert act(new_context("cli"), "verify", workspace="prod").report.exit_code == 0
    new = sandbox.make_key("prod")
    rotated = act(new_context("cli"), "rotate", {"key": new, "expires": ""}, workspace="prod")
    assert rotated.report.data["rotated"]
    sandbox.revoke(key)
    assert act(new_context("cli"), "verify", workspace="prod", old=True).report.exit_code == 0
    listed = act(new_context("cli"), "list")
    assert new.tail in listed.shown
    assert "--remote" not in listed.shown
    assert f"Mistral still accepts …{new.tail}" in act(new_context("cli"), "revoke", workspace="prod").shown


@pytest.mark.parametrize(
    ("name", "flags"),
    [("list", {"remote": True}), ("usage", {}), ("login", {"admin": True}), ("verify", {}), ("rotate", {})],
)
def test_what_needs_an_admin_key_ends_in_one_sentence(
    name: str, flags: dict[str, object], new_context: NewContext, key: Key
) -> None:
    context = new_context("cli")
    if not flags and name != "usage":
        context.key_manager.keep("boss", make_key(), {"kind": ADMIN}, "file")
        flags = {"workspace": "boss"}
    with pytest.raises(MistralNbError) as raised:
        act(context, name, {"key": key}, **flags)
    assert str(raised.value) == NEEDED


def test_an_admin_key_is_taken_out_of_use_all_the_same(new_context: NewContext, key: Key) -> None:
    context = new_context("cli")
    context.key_manager.keep("boss", make_key(), {"kind": ADMIN}, "file")
    with pytest.raises(MistralNbError, match=NEEDED):
        act(context, "revoke", workspace="boss")
    assert list(context.key_manager.workspaces()) == ["prod"]


def test_no_command_imports_it() -> None:
    root = Path(sys.modules["mistral_nb"].__path__[0])
    names = [file.stem for folder in ("commands", "keys") for file in (root / folder).glob("*.py")]
    assert len(names) > 30
    code = """
import importlib, pathlib, sys
sys.modules["mistral_nb.admin"] = None
import mistral_nb
for file in pathlib.Path(mistral_nb.__path__[0]).rglob("*.py"):
    if file.parent.name in ("commands", "keys"):
        importlib.import_module(f"mistral_nb.{file.parent.name}.{file.stem}")
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
