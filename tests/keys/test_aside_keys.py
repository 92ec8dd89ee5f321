"""Keys that are set aside: shown, offered, stored, deleted, and what is said when their time is over."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, CannotAsk, WrongUsage
from mistral_nb.keys import aside_keys
from mistral_nb.report import Ask
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import COMPROMISED, AsideEntry
from mistral_nb.storage.set_aside import RemovalPlace
from support.commands import act
from support.keys import make_key

NewContext = Callable[..., Context]
NOW = datetime(2027, 3, 1, 12)


def put(
    context: Context, key: Key, *, file: str = "analysis.ipynb", cell: int | None = 3, ago: timedelta | None = None
) -> AsideEntry:
    """Set aside in this context, so long ``ago``."""
    entry = context.set_aside.put(key, RemovalPlace(file, cell, "source"))
    taken = (NOW - (ago or timedelta(minutes=2))).astimezone().astimezone(tz=None)
    from datetime import UTC

    with context.index.edit() as contents:
        changed = entry._replace(taken=taken.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        contents.set_aside[:] = [changed if e.fingerprint == entry.fingerprint else e for e in contents.set_aside]
    return changed


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        ({"seconds": 5}, "just now"),
        ({"minutes": 1}, "1 minute ago"),
        ({"minutes": 59}, "59 minutes ago"),
        ({"hours": 3}, "3 hours ago"),
        ({"days": 2}, "2 days ago"),
        ({"days": -2}, "just now"),
    ],
)
def test_where_and_when_it_was_taken_out(new_context: NewContext, ago: dict[str, int], words: str) -> None:
    context, key = new_context("cli"), make_key()
    entry = put(context, key, ago=timedelta(**ago))
    assert aside_keys.describe(context, entry) == f"…{key.tail}, taken out of analysis.ipynb (cell 3), {words}"
    assert "(cell" not in aside_keys.describe(context, entry._replace(cell=None))


@pytest.mark.parametrize("host", ["cli", "magic"])
def test_login_offers_the_latest_key(new_context: NewContext, sandbox: Sandbox, host: str) -> None:
    key = sandbox.make_key()
    put(new_context("cli"), key)
    acted = act(new_context(host, interactive=True), "login", {"from aside": "yes"}, workspace="dev")
    [question] = [ask.question for ask in acted.person.asked if ask.name == "from aside"]
    assert question == f"…{key.tail}, taken out of analysis.ipynb (cell 3), 2 minutes ago: keep it?"
    context = new_context("cli")
    assert context.key_manager.read("dev") == key
    assert context.set_aside.entries() == ()
    assert key.reveal() not in acted.shown


def test_what_is_declined_stays_and_the_next_one_is_offered(new_context: NewContext, sandbox: Sandbox) -> None:
    keys = [sandbox.make_key() for _ in range(5)]
    for number, key in enumerate(keys):
        put(new_context("cli"), key, ago=timedelta(days=number))
    typed = sandbox.make_key()
    acted = act(new_context("cli", interactive=True), "login", {"from aside": "no", "key": typed}, workspace="dev")
    offered = [ask for ask in acted.person.asked if ask.name == "from aside"]
    assert [ask.question[1:5] for ask in offered] == [key.tail for key in keys[:3]]
    assert [ask.default for ask in offered] == ["no", "no", "no"], "Enter keeps a key that a stranger may have written"
    assert new_context("cli").key_manager.read("dev") == typed
    assert len(new_context("cli").set_aside.entries()) == 5


def test_without_a_person_nothing_is_offered(new_context: NewContext, sandbox: Sandbox) -> None:
    put(new_context("cli"), make_key())
    typed = sandbox.make_key()
    act(new_context("cli"), "login", {"key": typed}, workspace="dev")
    assert new_context("cli").key_manager.read("dev") == typed


def test_a_compromised_key_is_not_offered(new_context: NewContext, sandbox: Sandbox) -> None:
    context, key = new_context("cli"), make_key()
    put(context, key)
    context.index.remember(key, COMPROMISED)
    acted = act(new_context("cli", interactive=True), "login", {"key": sandbox.make_key()}, workspace="dev")
    assert "from aside" not in acted.person.names


class TestFromAside:
    @pytest.mark.parametrize("name", ["", "id", "tail"])
    def test_it_is_stored_and_set_aside_no_longer(self, new_context: NewContext, sandbox: Sandbox, name: str) -> None:
        key = sandbox.make_key()
        entry = put(new_context("cli"), key)
        given = {"": "", "id": entry.id, "tail": f"…{entry.tail}"}[name]
        acted = act(new_context("cli"), "login", {}, workspace="dev", from_aside=given)
        assert acted.report.title.startswith("✓ dev …")
        assert " · from analysis.ipynb · " in acted.report.title
        assert new_context("cli").key_manager.read("dev") == key
        assert new_context("cli").set_aside.entries() == ()

    def test_in_a_notebook_it_is_used_at_once(self, new_context: NewContext, sandbox: Sandbox) -> None:
        key = sandbox.make_key()
        entry = put(new_context("cli"), key)
        context = new_context("magic", interactive=True)
        acted = act(context, "login", {}, workspace="dev", from_aside=entry.id)
        assert context.environ["MISTRAL_API_KEY"] == key.reveal()
        assert acted.person.names == []
        assert key.reveal() not in acted.shown

    def test_of_several_one_is_chosen(self, new_context: NewContext, sandbox: Sandbox) -> None:
        keys = [sandbox.make_key() for _ in range(2)]
        entries = [put(new_context("cli"), key) for key in keys]
        answers = {"which aside": entries[1].id}
        acted = act(new_context("cli"), "login", answers, workspace="dev", from_aside="")
        assert new_context("cli").key_manager.read("dev") == keys[1]
        assert all(entry.tail in acted.shown for entry in entries)
        assert [entry.tail for entry in new_context("cli").set_aside.entries()] == [keys[0].tail]

    @pytest.mark.parametrize(("name", "failed"), [("", "No key is set aside."), ("dev", "No key is set aside.")])
    def test_nothing_there_is_said(self, new_context: NewContext, name: str, failed: str) -> None:
        with pytest.raises(WrongUsage) as raised:
            act(new_context("cli"), "login", from_aside=name)
        assert raised.value.failed == failed

    def test_a_wrong_name_is_said(self, new_context: NewContext) -> None:
        put(new_context("cli"), make_key())
        with pytest.raises(WrongUsage, match="has the id or the last characters dev"):
            act(new_context("cli"), "login", from_aside="dev")

    def test_not_with_an_admin_key(self, new_context: NewContext) -> None:
        with pytest.raises(WrongUsage):
            act(new_context("cli"), "login", from_aside="", admin=True)

    def test_a_refused_key_stays_set_aside(self, new_context: NewContext) -> None:
        key = make_key()
        put(new_context("cli"), key)
        from mistral_nb.errors import KeyRefused

        with pytest.raises(KeyRefused):
            act(new_context("cli"), "login", {"keep refused": "no"}, workspace="dev", from_aside="")
        assert [entry.tail for entry in new_context("cli").set_aside.entries()] == [key.tail]


class TestDeleted:
    def test_logout_deletes_all(self, new_context: NewContext) -> None:
        keys = [make_key() for _ in range(2)]
        for key in keys:
            put(new_context("cli"), key)
        acted = act(new_context("cli"), "logout", {"logout": "yes"}, aside=True)
        assert acted.report.data == {"aside": 2}
        assert all(key.tail in acted.shown for key in keys)
        assert new_context("cli").set_aside.entries() == ()
        assert new_context("cli").stores["file"].read_all() == {}
        assert act(new_context("cli"), "logout", aside=True).report.title == "No keys are set aside."

    def test_a_key_that_a_save_takes_out_again_while_it_asks_stays(self, new_context: NewContext) -> None:
        kept, deleted = make_key(), make_key()
        for key in (kept, deleted):
            put(new_context("cli"), key)

        def yes(_: Ask) -> str:
            put(new_context("cli"), kept, file="b.ipynb")
            return "yes"

        acted = act(new_context("cli"), "logout", {"logout": yes}, aside=True)
        assert (acted.report.exit_code, acted.report.data) == (3, {"aside": 1})
        assert f"…{kept.tail} was removed from b.ipynb again" in acted.shown
        [entry] = new_context("cli").set_aside.entries()
        assert new_context("cli").set_aside.take(entry) == kept

    def test_only_on_a_yes(self, new_context: NewContext) -> None:
        put(new_context("cli"), make_key())
        with pytest.raises(Cancelled):
            act(new_context("cli"), "logout", {"logout": "no"}, aside=True)
        with pytest.raises(CannotAsk, match="--aside --yes"):
            act(new_context("cli"), "logout", aside=True)
        assert len(new_context("cli").set_aside.entries()) == 1
        act(new_context("cli"), "logout", aside=True, yes=True)
        assert new_context("cli").set_aside.entries() == ()

    @pytest.mark.parametrize("given", [{"aside": True, "workspace": "dev"}, {"aside": True, "trace": True}, {}])
    def test_what_does_not_go_together(self, new_context: NewContext, given: dict[str, Any]) -> None:
        with pytest.raises(WrongUsage):
            act(new_context("cli"), "logout", **given)

    def test_after_thirty_days_and_that_is_said(self, new_context: NewContext) -> None:
        key = make_key()
        put(new_context("cli"), key)
        later = new_context("cli", now=lambda: NOW + timedelta(days=31))
        acted = act(later, "status")
        assert f"Deleted, because it was set aside 30 days ago: …{key.tail}" in acted.shown
        assert new_context("cli").set_aside.entries() == ()
        assert key.tail not in act(new_context("cli"), "status").shown


class TestShown:
    @pytest.mark.parametrize("command", ["status", "doctor"])
    @pytest.mark.parametrize(("days", "state"), [(0, ""), (22, ""), (23, "warn"), (30, "warn")])
    def test_a_row_that_warns_seven_days_before_the_end(
        self, new_context: NewContext, command: str, days: int, state: str
    ) -> None:
        key = make_key()
        entry = put(new_context("cli"), key)
        shown = act(new_context("cli", now=lambda: NOW + timedelta(days=days)), command).report
        [row] = [row for row in shown.rows if row.label == "set aside"]
        assert row.state == state
        assert row.value.startswith(f"…{key.tail}, taken out of analysis.ipynb (cell 3), ")
        assert ("will be deleted after 2027-03-31" in row.value) is (state == "warn")
        assert row.repair == f"To keep it: mistral-nb login --from-aside {entry.id}"

    def test_login_says_that_the_end_is_near(self, new_context: NewContext, sandbox: Sandbox) -> None:
        put(new_context("cli"), make_key())
        later = new_context("cli", interactive=True, now=lambda: NOW + timedelta(days=25))
        acted = act(later, "login", {"from aside": "no", "key": sandbox.make_key()}, workspace="dev")
        [question] = [ask.question for ask in acted.person.asked if ask.name == "from aside"]
        assert question.endswith("25 days ago; it will be deleted after 2027-03-31: keep it?")

    def test_many_are_counted(self, new_context: NewContext) -> None:
        for _ in range(7):
            put(new_context("cli"), make_key())
        values = [row.value for row in aside_keys.rows(new_context("cli"))]
        assert (len(values), values[-1]) == (6, "2 more keys")

    def test_json_has_them_without_a_fingerprint(self, new_context: NewContext) -> None:
        key = make_key()
        entry = put(new_context("cli"), key)
        [listed] = act(new_context("cli"), "status").report.data["set_aside"]
        assert listed == {
            "id": entry.id,
            "tail": key.tail,
            "file": "analysis.ipynb",
            "cell": 3,
            "place": "source",
            "taken": "2027-03-01T11:58:00Z",
            "expires": "2027-03-31",
        }
