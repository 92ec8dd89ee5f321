"""The card runs the same actions as getpass: it answers their questions and shows their steps."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from mistral_nb.api_key import Secret
from mistral_nb.command_runner import drive, load_action
from mistral_nb.command_table import MAGIC, commands_for
from mistral_nb.errors import Cancelled, CannotAsk, MistralNbError
from mistral_nb.prompts.widget.card import Card
from mistral_nb.prompts.widget.conversation import Timing, WidgetUnavailable
from mistral_nb.report import Ask, Report
from mistral_nb.sandbox.sandbox import Sandbox
from support.key_traces import traces
from support.keys import make_key, make_text
from support.widget_page import Page, form

QUICK = Timing(ready_seconds=0.0, gone_seconds=0.0, shown_seconds=0.0)
Prompted = Callable[..., Report]


@pytest.fixture
def prompted(new_context) -> Prompted:
    """Run a sub-command by a card on this page."""

    def run(page: Page, command: str = "login", plainly: Any = None, tell: Any = print, **flags: Any) -> Report:
        card = Card(lambda: page, plainly, tell, QUICK)

        def attempt(answer: Any, show: Any) -> Report:
            context = new_context(has_form=True, interactive=True)
            return drive(load_action(commands_for(MAGIC)[command])(context, **flags), answer, show)

        try:
            return card.run(attempt)
        finally:
            card.close()

    return run


@pytest.fixture
def kept(new_context) -> Callable[[], dict[str, Any]]:
    return lambda: dict(new_context().key_manager.workspaces())


def test_the_form_answers_every_question_of_the_action(prompted, kept, sandbox: Sandbox, environ):
    key = sandbox.make_key(workspace="Team Research", organisation="Acme")
    page = Page({"key": form(key, workspace="prod", name="laptop", expires="90d")})
    report = prompted(page)
    entry = kept()["prod"]
    assert (entry.name, entry.expires, entry.tail) == ("laptop", "2027-05-30", key.tail)
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    assert page.names == ["key"]
    assert (page.left, page.last, page.closed) == (report, None, True)


def test_the_verdict_is_shown_with_workspace_and_organisation_from_the_api(prompted, sandbox: Sandbox):
    key = sandbox.make_key(workspace="Team Research", organisation="Acme")
    page = Page({"key": form(key)})
    report = prompted(page)
    assert "Asking Mistral about it …" in page.lines
    done = page.said[-1]
    verdict = "The API accepts the key. It belongs to workspace Team Research of organisation Acme."
    assert (done["kind"], done["state"], done["lines"][0]) == ("done", "ok", verdict)
    assert "Acme" not in str(report)  # what stays in the notebook is committed


def test_a_form_without_a_workspace_uses_the_name_from_the_api(prompted, kept, sandbox: Sandbox):
    prompted(Page({"key": form(sandbox.make_key(workspace="Team Research"))}))
    assert list(kept()) == ["team-research"]


def test_what_came_with_the_command_is_shown_and_not_asked(prompted, kept, sandbox: Sandbox):
    page = Page({"key": form(sandbox.make_key(), workspace="ignored", name="ignored", expires="never")})
    prompted(page, workspace="prod", key_name="desk", expires="30d")
    assert page.asked[0]["form"]["given"] == {"workspace": "prod", "name": "desk", "expires": "2027-03-31"}
    assert {name: entry.name for name, entry in kept().items()} == {"prod": "desk"}


def test_a_stored_key_needs_no_card(prompted, sandbox: Sandbox):
    prompted(Page({"key": form(sandbox.make_key(), workspace="prod")}))
    page = Page({})
    report = prompted(page, "switch", workspace="prod")
    assert "MISTRAL_API_KEY is set: prod …" in str(report)
    assert page.said == []


def test_the_form_names_the_workspaces_there_are(prompted, sandbox: Sandbox):
    key = sandbox.make_key()
    prompted(Page({"key": form(key, workspace="prod")}))
    page = Page({"key": form(sandbox.make_key(), workspace="dev")})
    prompted(page)
    assert page.asked[0]["form"]["kept"] == {"prod": key.tail}


def test_a_refused_key_stays_and_can_be_saved_anyway(prompted, kept):
    key = make_key()
    page = Page({"key": form(key, workspace="prod"), "keep refused": {"keep refused": "yes"}})
    prompted(page)
    again = page.asked[1]
    assert again["state"] == "bad" and "does not accept the key" in again["lines"][0]
    assert again["form"]["again"] and again["form"]["typed"] == key.tail
    assert again["form"]["draft"] == {"workspace": "prod", "name": "", "expires": ""}
    assert kept()["prod"].verified is None


def test_a_refused_key_can_be_tried_again_without_typing_it_again(prompted, kept, sandbox: Sandbox):
    sandbox.set_fault("401 unauthorized")
    key = sandbox.make_key()

    def a_minute_later(ask: Any) -> dict[str, Any]:
        sandbox.set_fault(None)
        return form("", workspace="prod")

    prompted(Page({"key": form(key, workspace="prod"), "keep refused": a_minute_later}))
    assert kept()["prod"].verified


def test_another_key_can_be_typed_where_one_was_refused(prompted, kept, sandbox: Sandbox):
    right = sandbox.make_key()
    page = Page({"key": form(make_key(), workspace="prod", name="n"), "keep refused": form(right, workspace="dev")})
    prompted(page)
    assert {name: entry.tail for name, entry in kept().items()} == {"dev": right.tail}
    assert page.names == ["key", "keep refused"]


def test_a_key_that_is_refused_again_and_again_leaves_the_form_open(prompted, kept, sandbox: Sandbox):
    right, wrong = sandbox.make_key(), [form(make_key(), workspace="prod") for _ in range(4)]
    page = Page({"key": wrong[0], "keep refused": [*wrong[1:], form(right, workspace="prod")]})
    prompted(page)
    assert page.names == ["key", *["keep refused"] * 4]
    assert all(ask["form"] for ask in page.asked)
    assert kept()["prod"].tail == right.tail


def test_success_is_not_a_warning(prompted, sandbox: Sandbox):
    prompted(Page({"key": form(sandbox.make_key(), workspace="prod")}))
    page = Page({"key": form(sandbox.make_key(), workspace="prod"), "replace": {"replace": "yes"}})
    prompted(page)
    assert (page.asked[1]["state"], page.asked[1]["lines"][0][:24]) == ("", "The API accepts the key.")


@pytest.mark.parametrize("fault", ["hang up", "503", "html"])
def test_a_lost_network_loses_nothing(prompted, kept, sandbox: Sandbox, fault):
    sandbox.set_fault(fault)
    page = Page({"key": form(sandbox.make_key(), workspace="prod", expires="90d", name="n")})
    prompted(page)
    assert kept()["prod"].verified is None
    assert any("keep it" in line for line in page.lines)


def test_an_invalid_key_is_reported_in_the_form(prompted, sandbox: Sandbox):
    page = Page({"key": [form("swordfish"), form(sandbox.make_key(), workspace="prod")]})
    prompted(page)
    assert page.names == ["key", "key"]
    assert page.asked[1]["state"] == "warn" and page.asked[1]["lines"]
    assert "swordfish" not in json.dumps(page.said)


def test_many_mistakes_do_not_end_the_card(prompted, sandbox: Sandbox):
    key = sandbox.make_key()
    page = Page({"key": [*itertools.repeat(form("nothing"), 7), form(key, workspace="prod")]})
    prompted(page)
    assert page.names == ["key"] * 8


def test_an_unusual_shape_needs_confirmation(prompted, kept, sandbox: Sandbox):
    odd = make_text()[:24]
    page = Page({"key": [form(odd), form(sandbox.make_key(), workspace="p")], "odd shape": {"odd shape": "no"}})
    prompted(page)
    assert page.names == ["key", "odd shape", "key"]
    assert page.asked[1]["choices"] == ["yes", "no"] and page.asked[1]["form"] is None


def test_an_occupied_workspace_is_replaced_after_a_yes(prompted, kept, sandbox: Sandbox):
    old, new = sandbox.make_key(), sandbox.make_key()
    prompted(Page({"key": form(old, workspace="prod")}))
    page = Page({"key": form(new, workspace="prod"), "replace": {"replace": "yes"}})
    prompted(page)
    assert f"holds …{old.tail}. Replace it with …{new.tail}?" in page.asked[1]["question"]
    assert kept()["prod"].tail == new.tail


@pytest.mark.parametrize("flags", [{}, {"workspace": "prod"}])
def test_after_a_no_another_name_is_asked_for(prompted, kept, sandbox: Sandbox, flags):
    old, new = sandbox.make_key(), sandbox.make_key()
    prompted(Page({"key": form(old, workspace="prod")}))
    answers = {"key": form(new, workspace="prod"), "replace": {"replace": "no"}, "workspace": {"workspace": "dev"}}
    page = Page(answers)
    prompted(page, **flags)
    assert page.names == ["key", "replace", "workspace"]
    assert {name: entry.tail for name, entry in kept().items()} == {"prod": old.tail, "dev": new.tail}


def test_after_cancelling_that_the_form_is_shown_again_with_the_key(prompted, kept, sandbox: Sandbox):
    old, new = sandbox.make_key(), sandbox.make_key()
    prompted(Page({"key": form(old, workspace="prod")}))
    again = [form(new, workspace="prod"), form("", workspace="dev")]
    page = Page({"key": again, "replace": {"replace": "no"}, "workspace": {"workspace": ""}})
    prompted(page)
    assert page.asked[3]["form"]["typed"] == new.tail
    assert "Choose another workspace name for the new key." in page.asked[3]["lines"][0]
    assert {name: entry.tail for name, entry in kept().items()} == {"prod": old.tail, "dev": new.tail}


def test_a_date_that_is_past_is_asked_for_again(prompted, kept, sandbox: Sandbox):
    page = Page({"key": form(sandbox.make_key(), workspace="p", expires="2020-01-01"), "expires": {"expires": "30d"}})
    prompted(page)
    assert page.names == ["key", "expires"]
    assert "2020-01-01 is in the past" in page.asked[1]["lines"][-1]
    assert kept()["p"].expires == "2027-03-31"


def test_cancel_changes_nothing(prompted, kept):
    page = Page({"key": "cancel"})
    with pytest.raises(Cancelled, match="nothing was changed"):
        prompted(page)
    assert (page.closed, page.left, kept()) == (True, None, {})


class Meanwhile(Page):
    """Says something at a step, once."""

    def __init__(self, step: str, says: Any, answers: Any) -> None:
        super().__init__(answers)
        self.step, self.says = step, [says]

    def send(self, message: Any) -> None:
        super().send(message)
        if message["kind"] == "step" and self.step in message["lines"][-1] and self.says:
            self.came.append(self.says.pop())


@pytest.mark.parametrize("step", ["Asking Mistral about it", "The API accepts the key", "This says nothing about"])
def test_cancel_during_verification_stores_nothing(prompted, kept, environ, sandbox: Sandbox, step):
    if step.startswith("This"):
        sandbox.set_fault("503")
    page = Meanwhile(step, {"kind": "cancel"}, {"key": form(sandbox.make_key(), workspace="prod")})
    with pytest.raises(Cancelled, match="Cancelled; nothing was saved"):
        prompted(page)
    assert (page.closed, page.left, kept()) == (True, None, {})
    assert "MISTRAL_API_KEY" not in environ


@pytest.mark.parametrize("secure", [True, False])
def test_a_page_opened_during_verification_gets_the_current_state(prompted, kept, sandbox: Sandbox, secure):
    ready = {"kind": "ready", "view": 2, "secure": secure}
    page = Meanwhile("Asking Mistral", ready, {"key": form(sandbox.make_key(), workspace="prod")})
    prompted(page)
    assert page.lines.count("Asking Mistral about it …") == 1 + secure  # one that can't seal ends nothing
    assert list(kept()) == ["prod"]


def test_cancel_at_a_later_question_changes_nothing(prompted, kept, environ):
    with pytest.raises(Cancelled):
        prompted(Page({"key": form(make_key(), workspace="prod"), "keep refused": "cancel"}))
    assert kept() == {} and "MISTRAL_API_KEY" not in environ


def test_a_page_that_is_closed_cancels(prompted, kept):
    with pytest.raises(Cancelled, match="closed or reloaded"):
        prompted(Page({"key": "gone"}))
    assert kept() == {}


def test_a_page_that_comes_back_finds_the_question_again(prompted, kept, sandbox: Sandbox):
    page = Page({})

    def reload(ask: Any) -> dict[str, Any]:
        page.came += [{"kind": "ready", "view": 2, "secure": True}, page.reply(ask, form(key, workspace="prod"))]
        return {"kind": "gone", "view": 1}

    key = sandbox.make_key()
    page.answers["key"] = [reload]
    card_timing = QUICK._replace(gone_seconds=5.0)
    assert card_timing.gone_seconds
    card = Card(lambda: page, None, print, card_timing)
    ask = Ask("key", "Key", masked=True)
    assert card.answer(ask) == Secret(key.reveal())
    assert [message["kind"] for message in page.said] == ["ask", "ask", "ask"]  # sent, and to each page that came
    card.close(Report("Done."))
    assert page.last == {"kind": "done", "lines": ["Done."], "state": ""}


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (Page({}, secure=False), "not a secure context"),
        (Page({}, shown=False), "may not support widgets"),
    ],
)
def test_without_a_card_a_plain_prompt_is_used(prompted, kept, sandbox: Sandbox, page, why):
    key, told = sandbox.make_key(), []
    answers = {"key": Secret(key.reveal()), "workspace": "prod"}
    prompted(page, plainly=lambda ask: answers.get(ask.name, ""), tell=told.append)
    assert list(kept()) == ["prod"]
    assert why in told[0] and "Using a plain prompt instead." in told[0]
    assert page.closed and page.left is None


def test_without_a_plain_prompt_the_reason_is_reported_to_the_host(prompted):
    with pytest.raises(WidgetUnavailable, match="not a secure context"):
        prompted(Page({}, secure=False))


def test_a_replayed_answer_is_refused_in_the_card_with_a_sentence(prompted, kept, sandbox: Sandbox):
    key, stolen = sandbox.make_key(), []
    page = Page({})

    def first(ask: Any) -> Any:
        stolen.append(page.reply(ask, form(make_key(), workspace="dev")))
        return stolen[0]

    page.answers |= {"key": [first], "keep refused": [lambda ask: stolen[0], {**form(key, workspace="prod")}]}
    prompted(page)
    assert page.names == ["key", "keep refused", "keep refused"]
    assert page.asked[2]["state"] == "bad" and "each can be opened only once" in page.asked[2]["lines"][0]
    assert list(kept()) == ["prod"]


@pytest.mark.parametrize("noise", [None, 7, "text", [], {}, {"kind": 7}, {"kind": "answer"}, {"kind": "other"}])
def test_invalid_messages_from_a_page_are_ignored(prompted, kept, sandbox: Sandbox, noise):
    page = Page({"key": [lambda ask: page.came.append(page.reply(ask, good)) or noise, lambda _: good]})
    good = form(sandbox.make_key(), workspace="prod")
    prompted(page)
    assert list(kept()) == ["prod"]


def test_nothing_sent_to_the_page_or_left_there_contains_the_key(prompted, sandbox: Sandbox):
    keys = [make_key(), sandbox.make_key(), sandbox.make_key()]
    page = Page(
        {
            "key": [form("no key"), form(keys[0], workspace="prod")],
            "keep refused": [form(keys[1], workspace="prod")],
        }
    )
    report = prompted(page)
    sent = [message for message in page.sent if message and message["kind"] == "answer"]
    places = {
        "to the page": json.dumps(page.said).encode(),
        "from the page": json.dumps(sent).encode(),
        "left": str(report).encode() + report._repr_html_().encode(),
    }
    assert len(sent) == 3
    assert [traces(key.reveal(), places) for key in keys] == [[], [], []]
    assert traces(keys[1].reveal(), {"seen": keys[1].reveal().encode()}) == ["seen"]


@pytest.mark.parametrize("field", ["workspace", "name", "expires"])
def test_a_key_typed_into_another_field_does_not_come_back_in_the_draft(prompted, sandbox: Sandbox, field):
    wrong, odd, plain = make_text(), make_text()[:24].lower(), f"{make_text()[:12]}-{make_text()[:12]}"
    typed = {"workspace": "prod", "name": "n", "expires": ""}

    def refused(text: str, key: str = "") -> dict[str, Any]:
        return form(key or make_text(), **typed | {field: text})

    last = form(sandbox.make_key(), **typed)
    page = Page({"key": [refused(wrong)], "keep refused": [refused(plain), last]})
    prompted(page)
    said = {"said": json.dumps(page.said).encode()}
    assert traces(wrong, said) == []
    assert traces(plain, said) == ["said"]  # what is no key is there again
    page = Page({"key": [refused(odd, odd), last], "odd shape": {"odd shape": "no"}, "replace": {"replace": "yes"}})
    prompted(page)
    assert traces(odd, {"said": json.dumps(page.said).encode()}) == []


def test_an_error_of_the_action_leaves_through_the_card(prompted, environ):
    environ["MISTRAL_NB_API"] = "http://api.example.org"
    page = Page({})
    with pytest.raises(MistralNbError, match="never sent without https"):
        prompted(page)
    assert page.said == []  # and no card was shown for it


def test_a_passphrase_is_asked_for_in_the_card(prompted, kept, environ, sandbox: Sandbox):
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]
    phrase = {"passphrase": "a phrase of mine"}
    page = Page(
        {
            "key": form(sandbox.make_key(), workspace="prod"),
            "passphrase": [phrase, phrase],
            **{
                "passphrase again": {"passphrase again": "a phrase of mine"},
            },
        }
    )
    prompted(page)
    assert page.asked[1]["masked"] and page.asked[1]["form"] is None
    assert "a phrase of mine" not in json.dumps(page.said)
    assert kept()["prod"].store == "file"


def test_a_non_interactive_host_is_handled_by_the_action(prompted):
    def nobody(ask: Ask) -> Any:
        raise CannotAsk("Cannot prompt.")

    with pytest.raises(CannotAsk, match="A Mistral API key is needed"):
        prompted(Page({}, secure=False), plainly=nobody, tell=lambda _: None)
