"""Expiry: accepted input, where it is shown, and what a wrong clock does."""

import os
from collections.abc import Callable
from datetime import date, datetime

import pytest

from mistral_nb.command_context import Context
from mistral_nb.config import ProjectSettings
from mistral_nb.errors import KeyExpired, WrongUsage
from mistral_nb.keys import expiry
from mistral_nb.keys.expiry import build_reminder
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import RememberedKey, Workspace
from support.commands import TODAY, act
from support.keys import make_key

NewContext = Callable[..., Context]

TYPED = [
    ("2027-03-31", "2027-03-31", True),
    (" 90d ", "2027-05-30", True),
    ("1 day", "2027-03-02", True),
    ("0d", "2027-03-01", True),
    ("2027-03-01", "2027-03-01", True),
    ("2028-02-29", "2028-02-29", True),
    ("never", None, True),
    ("", None, False),
    ("unknown", None, False),
]


@pytest.mark.parametrize(("text", "on", "known"), TYPED)
def test_accepted_input(text: str, on: str | None, known: bool) -> None:
    assert expiry.parse_expiry(text, TODAY) == (on, known)


@pytest.mark.parametrize("text", ["2027-02-29", "2027-02-28", "2027-13-01", "tomorrow", "-3d", "9999999d", "90"])
def test_invalid_and_past_dates_are_refused(text: str) -> None:
    with pytest.raises(WrongUsage):
        expiry.parse_expiry(text, TODAY)


def test_a_year_from_a_leap_day_is_a_date() -> None:
    assert expiry.parse_expiry("365d", date(2028, 2, 29)).on == "2029-02-28"
    assert expiry.parse_expiry("366d", date(2028, 2, 29)).on == "2029-03-01"


SAID = [
    ("2027-04-01", "in 31 days", "ok"),
    ("2027-03-15", "in 14 days", "ok"),
    ("2027-03-14", "in 13 days", "warn"),
    ("2027-03-02", "in 1 day,", "warn"),
    ("2027-03-01", "TODAY, 2027-03-01", "warn"),
    ("2027-02-28", "EXPIRED on 2027-02-28, 1 day ago", "bad"),
]


def keep(context: Context, workspace: str = "prod", **fields: object) -> None:
    context.key_manager.keep(workspace, make_key(), fields, "file")


@pytest.mark.parametrize(("on", "words", "state"), SAID)
def test_status_shows_it(on: str, words: str, state: str, new_context: NewContext) -> None:
    keep(new_context(), expires=on, expiry_known=True)
    (row,) = [row for row in act(new_context(), "status").report.rows if row.label == "kept: prod"]
    assert words in row.value
    assert row.state == state


def test_never_is_distinguished_from_unknown(new_context: NewContext) -> None:
    keep(new_context(), "a", expiry_known=True)
    keep(new_context(), "b")
    shown = act(new_context(), "status").shown
    assert "expires: never" in shown
    assert "expires: unknown" in shown


REMINDED = [
    ("2027-03-15", ""),
    ("2027-03-14", "expires in 13 days, on 2027-03-14: %mistral_key rotate prod"),
    ("2027-03-01", "expires TODAY, on 2027-03-01: %mistral_key rotate prod"),
    ("2027-02-01", "EXPIRED on 2027-02-01: %mistral_key rotate prod"),
    ("what a person wrote", ""),
    (None, ""),
]


@pytest.mark.parametrize(("on", "words"), REMINDED)
def test_loading_shows_it_in_one_line_from_the_index_only(on: str | None, words: str, new_context: NewContext) -> None:
    keep(new_context(), expires=on)
    context = new_context()
    context.__dict__["stores"] = None  # none is opened
    line = build_reminder(context)
    assert line.endswith(words)
    assert bool(line) == bool(words)
    assert "\n" not in line


def test_the_most_urgent_comes_first_and_only_the_active_one(new_context: NewContext) -> None:
    keep(new_context(), "a", expires="2027-03-10")
    keep(new_context(), "b", expires="2027-02-01")
    assert build_reminder(new_context()).startswith("b …")
    assert build_reminder(new_context()).endswith("(1 more: %mistral_key status)")
    act(new_context(), "switch", workspace="a")
    assert build_reminder(new_context()).startswith("a …")


def test_a_damaged_index_does_not_prevent_loading(new_context: NewContext) -> None:
    os.makedirs(new_context().config.home)
    with open(new_context().index.path, "w") as file:
        file.write("{")
    assert build_reminder(new_context()) == ""


def test_use_refuses_an_expired_key_without_force(new_context: NewContext, environ: dict[str, str]) -> None:
    keep(new_context(), expires="2027-02-28", expiry_known=True)
    with pytest.raises(KeyExpired, match="today is 2027-03-01 by this computer's clock") as caught:
        act(new_context(), "switch", workspace="prod")
    assert "rotate prod" in caught.value.todo
    assert "--force" in caught.value.todo
    assert "MISTRAL_API_KEY" not in environ
    acted = act(new_context(), "switch", workspace="prod", force=True)
    assert "EXPIRED on 2027-02-28" in acted.shown
    assert "MISTRAL_API_KEY" in environ


def test_on_its_last_day_a_key_is_used(new_context: NewContext, environ: dict[str, str]) -> None:
    keep(new_context(), expires="2027-03-01", expiry_known=True)
    act(new_context(), "switch", workspace="prod")
    assert "MISTRAL_API_KEY" in environ


@pytest.mark.parametrize("now", [datetime(2020, 1, 1), datetime(2027, 6, 1)])
def test_a_clock_wrong_by_days_is_reported(now: datetime, new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context(), "login", {"key": sandbox.make_key("prod")}, workspace="prod", expires="90d")
    if now.year == 2020:  # behind: Mistral accepted a key later than now
        assert "This computer's clock says 2020-01-01" in act(new_context(now=lambda: now), "status").shown
        assert "This computer's clock" in act(new_context(now=lambda: now), "doctor").shown
    else:  # ahead: the refusal names the date it goes by, and Mistral's answer is the better witness
        with pytest.raises(KeyExpired, match="today is 2027-06-01"):
            act(new_context(now=lambda: now), "switch", workspace="prod")
        shown = act(new_context(now=lambda: now), "verify", workspace="prod").shown
        assert "but accepted: the date or this computer's clock is wrong" in shown
        assert "This computer's clock" in act(new_context(), "status").shown
        act(new_context(), "verify", workspace="prod")
    assert "This computer's clock" not in act(new_context(), "status").shown


@pytest.mark.parametrize(("typed", "noted"), [("30d", "2027-03-31"), ("2028-02-29", "2028-02-29"), ("never", None)])
def test_a_stored_keys_expiry_is_changed_without_the_key(
    typed: str, noted: str | None, new_context: NewContext
) -> None:
    keep(new_context(), expires="2027-02-01", expiry_known=True, name="laptop")
    before = new_context().key_manager.read("prod")
    acted = act(new_context(), "edit", workspace="prod", expires=typed)
    assert acted.person.asked == []
    entry = new_context().key_manager.workspaces()["prod"]
    assert (entry.expires, entry.expiry_known, entry.name) == (noted, True, "laptop")
    assert new_context().key_manager.read("prod") == before


AGES = [('"90d"', 90), ('"30 days"', 30), ("45", 45), ('"soon"', None), ("true", None), ("0", None), ('""', None)]


@pytest.mark.parametrize(("written", "days"), AGES)
def test_the_project_s_age_policy(written: str, days: int | None) -> None:
    import tomllib

    assert expiry.max_age_days(ProjectSettings(table=tomllib.loads(f"rotate_after = {written}"))) == days


def test_the_age_policy_reminds(new_context: NewContext) -> None:
    keep(new_context())
    with new_context().index.edit() as contents:
        for mark, seen in contents.remembered.items():
            contents.remembered[mark] = seen._replace(since="2026-11-01T00:00:00Z")
    assert build_reminder(new_context()) == ""
    with open(os.path.join(str(new_context().folder), "pyproject.toml"), "w") as file:
        file.write('[tool.mistral-nb]\nrotate_after = "90d"\n')
    assert "this project rotates after 90: %mistral_key rotate prod" in build_reminder(new_context())
    assert "120 days old, and this project rotates after 90" in act(new_context(), "status").shown
    assert build_reminder(new_context(now=lambda: datetime(2027, 1, 30))) == ""


def test_an_invalid_age_counts_as_none() -> None:
    assert expiry.age_in_days(None, TODAY) is None
    assert expiry.age_in_days(RememberedKey("f", 32, "abcd", "live", "who knows"), TODAY) is None
    assert expiry.age_in_days(RememberedKey("f", 32, "abcd", "live", "2027-02-27T23:00:00Z"), TODAY) == 2
    assert expiry.clock_warning([Workspace("file", "current", "f", "abcd", verified="who knows")], datetime.now()) == ""


def test_a_reminder_is_shown_once(new_context: Callable[..., Context], sandbox: Sandbox) -> None:
    act(new_context("cli"), "login", {"key": sandbox.make_key()}, workspace="prod", expires="0d")
    assert "Expires: TODAY" in act(new_context(), "edit", workspace="prod", expires="0d").shown
    assert "This key expires TODAY" in act(new_context(), "switch", workspace="prod").shown
