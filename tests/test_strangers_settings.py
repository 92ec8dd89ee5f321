"""What a repository brings along can't lower protection, switch a workspace unasked, or choose a store or a host.

`TABLE` names every setting of ``[tool.mistral-nb]`` that the code reads, and the other files that a repository has.
"""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import mistral_nb
from mistral_nb import config
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import CannotAsk, WrongUsage
from mistral_nb.keys.expiry import max_age_days
from mistral_nb.redaction.findings import KNOWN, REMEMBERED, REPORTED
from mistral_nb.redaction.redact import redact
from mistral_nb.storage.index import Index
from mistral_nb.watchlist import build_watchlist
from support.commands import act
from support.git_repos import notebook, uses
from support.keys import make_key


class Stranger(NamedTuple):
    """A folder with a stranger's settings, and a person with a remembered key and one in the environment."""

    folder: Path
    environ: dict[str, str]
    known: Key
    remembered: Key

    def write(self, line: str) -> None:
        (self.folder / "pyproject.toml").write_text(f"[tool.mistral-nb]\n{line}\n")

    def tiers(self, key: Key) -> set[str]:
        """How a key in a notebook of this folder counts; also that it is taken out of it."""
        data = notebook(f"{uses(key)}  # mistral-nb: keep")
        result = redact(data, build_watchlist(str(self.folder), environ=self.environ), name="a.ipynb")
        assert (key.reveal().encode() not in result.data) == bool(
            {f.tier for f in result.findings} & {KNOWN, REMEMBERED}
        )
        return {finding.tier for finding in result.findings}

    @property
    def config(self) -> config.Config:
        return config.load(self.environ, str(self.folder))


@pytest.fixture
def stranger(tmp_path: Path, environ: dict[str, str]) -> Stranger:
    folder = tmp_path / "stranger"
    folder.mkdir()
    known, remembered = make_key(), make_key()
    Index(environ["MISTRAL_NB_HOME"]).remember(remembered)
    del environ["MISTRAL_NB_STORE"]
    return Stranger(folder, environ | {"MISTRAL_API_KEY": known.reveal()}, known, remembered)


def a_workspace_is_asked_about(stranger: Stranger) -> None:
    stranger.write('workspace = "prod"')
    environ = {name: value for name, value in stranger.environ.items() if name != "MISTRAL_API_KEY"}
    context = Context(environ=environ, folder=str(stranger.folder))
    with pytest.raises(CannotAsk, match="requires confirmation"):
        act(context, "verify")
    with pytest.raises(WrongUsage, match="is not used"):
        act(context, "verify", {"project": "no"})
    assert "MISTRAL_API_KEY" not in environ


def known_and_remembered_keys_are_kept_from_no_removal(stranger: Stranger) -> None:
    other = make_key()
    keys = (stranger.known, stranger.remembered, other)
    stranger.write(f"keep = {[key.fingerprint for key in keys]}")
    assert stranger.tiers(stranger.known) == {KNOWN}
    assert stranger.tiers(stranger.remembered) == {REMEMBERED}
    assert not stranger.tiers(other) & {KNOWN, REMEMBERED}  # the control: a suspected one it may keep


def the_person_s_own_choice_of_a_prompt_goes_first(stranger: Stranger) -> None:
    for theirs, own in (("getpass", "widget"), ("widget", "getpass")):
        stranger.write(f'prompt = "{theirs}"')
        assert stranger._replace(environ={**stranger.environ, "MISTRAL_NB_PROMPT": own}).config.prompt == own
        assert stranger.config.prompt == theirs  # the control: both are masked, so it may choose


def more_is_guarded_and_never_less(stranger: Stranger) -> None:
    stranger.write("guard_terminal = false")
    assert config.guards_terminal({"MISTRAL_NB_GUARD_TERMINAL": "1"}, str(stranger.folder))
    stranger.write("guard_terminal = true")
    assert config.guards_terminal({}, str(stranger.folder))


def a_reminder_comes_or_not(stranger: Stranger) -> None:
    for value in ('"1d"', '"x"', "3", "[]", "-1"):
        stranger.write(f"rotate_after = {value}")
        assert max_age_days(stranger.config.project) in (1, 3, None)


def no_store_is_chosen(stranger: Stranger) -> None:
    for store in ("file", "memory", "keyring", "no such"):
        stranger.write(f'store = "{store}"')
        assert stranger.config.store == "auto"
    assert stranger._replace(environ={**stranger.environ, "MISTRAL_NB_STORE": "file"}).config.store == "file"


def no_host_and_no_folder_is_chosen(stranger: Stranger) -> None:
    before = stranger.config
    stranger.write('api = "https://example.org"\nhome = "/tmp/x"\nkey_file = "/tmp/x"\npassphrase_file = "/tmp/x"')
    assert stranger.config._replace(project=before.project) == before
    assert "example.org" in str(stranger.config.project.table)  # the control: it was read


def a_list_of_revoked_keys_only_reports(stranger: Stranger) -> None:
    other = make_key()
    listed = "\n".join(key.fingerprint for key in (stranger.known, stranger.remembered, other))
    (stranger.folder / ".mistral-nb-revoked").write_text(listed)
    assert stranger.tiers(stranger.known) == {KNOWN}
    assert stranger.tiers(stranger.remembered) == {REMEMBERED}
    assert stranger.tiers(other) == {REPORTED}


READ_BY_US = {  # a setting → what a stranger's may do with it
    "workspace": a_workspace_is_asked_about,
    "keep": known_and_remembered_keys_are_kept_from_no_removal,
    "prompt": the_person_s_own_choice_of_a_prompt_goes_first,
    "guard_terminal": more_is_guarded_and_never_less,
    "rotate_after": a_reminder_comes_or_not,
}
NOT_A_PROJECT_S: dict[str, Callable[[Stranger], None]] = {
    "store": no_store_is_chosen,
    "api, home, key_file, passphrase_file": no_host_and_no_folder_is_chosen,
    ".mistral-nb-revoked": a_list_of_revoked_keys_only_reports,
}
TABLE = READ_BY_US | NOT_A_PROJECT_S


@pytest.mark.parametrize("setting", TABLE)
def test_what_a_stranger_s_setting_may_do(setting, stranger):
    TABLE[setting](stranger)


def test_the_table_has_every_setting_that_the_code_reads():
    """A project's settings are read as ``….table.get("name")`` and ``….table["name"]``, or by `_read_choice`."""
    found = set()
    for file in Path(mistral_nb.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("table.get"):
                found |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
            if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith(".table"):
                found.add(ast.unparse(node.slice).strip("'"))
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "_read_choice"
                and ast.unparse(node.args[1]) == "project"
            ):
                found.add(ast.unparse(node.args[2]).strip("'"))
    assert found == set(READ_BY_US)
