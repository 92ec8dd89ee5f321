"""An Admin key that is kept: `login --admin`, what uses it, and what refuses it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.command_context import Context
from mistral_nb.errors import AdminFailed, KeyRefused, WrongUsage
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.watchlist import build_watchlist
from support.commands import act
from support.organisation import Organisation

NewContext = Callable[..., Context]


@pytest.fixture
def org(sandbox: Sandbox, environ: dict[str, str], tmp_path: Path, new_context: NewContext) -> Organisation:
    """Its Admin key is kept, not in the environment."""
    made = Organisation(sandbox, environ, tmp_path / "work", new_context)
    del environ["MISTRAL_ADMIN_API_KEY"]
    made.run("login", "--admin", given=made.admin_key.reveal())
    return made


@pytest.mark.slow
def test_it_is_used_from_its_store(org: Organisation) -> None:
    assert org.contents.workspaces["admin"].kind == "admin"
    org.run("rotate", "prod", "--yes")
    assert set(org.there) == {org.kept} != {org.key.tail}
    assert "accepted" in org.run("verify", "admin").stdout
    assert "an Admin key" in org.run("status").stdout
    assert org.admin_key.reveal() not in org.said


@pytest.mark.slow
@pytest.mark.parametrize("words", [("run", "-w", "admin", "--", "true"), ("curl", "-w", "admin", "/v1/models")])
def test_it_is_refused_by_commands_that_need_an_ordinary_key(words: tuple[str, ...], org: Organisation) -> None:
    assert "is an Admin key" in org.run(*words, code=125).stderr


@pytest.mark.slow
def test_use_refuses_it(org: Organisation, new_context: NewContext, environ: dict[str, str]) -> None:
    with pytest.raises(WrongUsage, match="is an Admin key: it does not work with models"):
        act(new_context(), "switch", workspace="admin")
    assert "MISTRAL_API_KEY" not in environ
    act(new_context(), "switch")  # of the two the only ordinary one
    assert environ["MISTRAL_API_KEY"] == org.key.reveal()


@pytest.mark.slow
def test_an_ordinary_key_is_not_stored_as_one(org: Organisation, new_context: NewContext) -> None:
    with pytest.raises(KeyRefused, match="The Admin API refused"):
        act(new_context("cli"), "login", {"key": org.sandbox.make_key()}, workspace="other", admin=True)
    with pytest.raises(WrongUsage, match="holds an ordinary key"):
        act(new_context("cli"), "login", {"key": org.admin_key}, workspace="prod", admin=True)
    with pytest.raises(WrongUsage, match="holds an Admin key"):
        act(new_context("cli"), "login", {"key": org.sandbox.make_key()}, workspace="admin")


@pytest.mark.slow
def test_a_leaked_one_is_checked_with_the_admin_api(org: Organisation) -> None:
    done = org.run("revoke", "admin", "--yes", code=1)
    assert f"Mistral still accepts …{org.admin_key.tail}" in done.stdout
    assert "If that was a mistake" not in done.stdout, "login does not take an Admin key back"
    assert org.contents.remembered[org.admin_key.fingerprint].state == "compromised"


@pytest.mark.slow
def test_it_is_rotated_manually(org: Organisation) -> None:
    new = org.sandbox.admin.make_key()
    org.run("rotate", "admin", given=new.reveal())
    entry = org.contents.workspaces["admin"]
    assert (entry.tail, entry.kind) == (new.tail, "admin")


@pytest.mark.slow
def test_one_in_the_environment_comes_first_and_is_looked_for_in_what_is_saved(org: Organisation) -> None:
    other = org.sandbox.admin.make_key()
    org.environ["MISTRAL_ADMIN_API_KEY"] = other.reveal()
    org.run("usage")
    assert org.sandbox.requests[-1].tail == other.tail
    watchlist = build_watchlist(environ=org.environ)
    assert other in watchlist.known
    assert {org.admin_key.fingerprint, other.fingerprint} <= {seen.fingerprint for seen in watchlist.remembered}


def test_without_one_the_error_says_where_to_get_it(new_context: NewContext) -> None:
    for name, flags in (("list", {"remote": True}), ("usage", {})):
        with pytest.raises(WrongUsage, match="mistral-nb login --admin, or set MISTRAL_ADMIN_API_KEY"):
            act(new_context("cli"), name, **flags)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        ("your_admin_key_here", WrongUsage, "does not contain a key"),
        ("prod", AdminFailed, "the ordinary key of workspace prod"),
    ],
)
def test_a_variable_without_an_admin_key_is_named(
    value, error, said, org, new_context, environ: dict[str, str]
) -> None:
    environ["MISTRAL_ADMIN_API_KEY"] = org.key.reveal() if value == "prod" else value
    with pytest.raises(error, match=said):
        act(new_context("cli"), "usage")
    assert said.split(" of ")[0] in org.run("doctor", code=1).stdout or value != "prod"


@pytest.mark.slow
def test_another_address_can_be_set_but_only_mistrals_or_local(org, new_context, environ: dict[str, str]) -> None:
    environ["MISTRAL_NB_ADMIN_API"] = f"{org.sandbox.url}/v1/admin/"
    act(new_context("cli"), "usage")
    environ["MISTRAL_NB_ADMIN_API"] = "https://admin.example.org"
    with pytest.raises(Exception, match="Admin keys are not sent there"):
        act(new_context("cli"), "usage")


@pytest.mark.slow
def test_an_old_one_is_checked_with_the_admin_api(org: Organisation) -> None:
    new = org.sandbox.admin.make_key()
    org.run("rotate", "admin", given=new.reveal())
    done = org.run("verify", "admin", "--old", code=1)
    assert f"…{org.admin_key.tail}  Mistral still accepts it" in done.stdout
    assert "the Backoffice" in done.stdout
    org.run("revoke", "admin", "--yes", code=1)
    done = org.run("revoke", "admin", "--yes", code=1)  # again, from its copy
    assert f"Mistral still accepts …{new.tail} until you delete it: the Backoffice" in done.stdout
