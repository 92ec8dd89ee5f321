"""Every yes/no question has an answer for Enter; some need a person all the same."""

import pytest

from mistral_nb.command_runner import drive
from mistral_nb.errors import CannotAsk, MistralNbError
from mistral_nb.prompts.confirm import confirm, no_confirmation
from mistral_nb.report import Ask


def enter(ask: Ask) -> str:
    return ""


def nobody(ask: Ask) -> str:
    raise CannotAsk("Cannot prompt here.")


@pytest.mark.parametrize("default", [True, False])
def test_enter_is_the_default_and_so_is_nobody(default):
    for answer in (enter, nobody):
        assert drive(confirm("sure", "Sure?", default=default), answer, print) is default


def test_enter_is_no_where_nothing_else_is_said():
    assert drive(confirm("sure", "Sure?"), enter, print) is False


@pytest.mark.parametrize("default", [True, False])
def test_where_a_person_is_needed_nobody_is_an_error(default):
    needed = no_confirmation("Use --yes.")
    asked = confirm("sure", "Sure?", default=default, unattended=needed)
    with pytest.raises(MistralNbError, match="Confirmation required"):
        drive(asked, nobody, print)
    assert drive(confirm("sure", "Sure?", default=default, unattended=needed), enter, print) is default
