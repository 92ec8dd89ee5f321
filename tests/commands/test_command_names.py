"""The table of sub-commands: one file each, and names that no workspace can have."""

from pathlib import Path

import pytest

import mistral_nb
from mistral_nb.argument_parser import OTHER_WORDS
from mistral_nb.command_table import COMMANDS
from mistral_nb.errors import WrongUsage
from mistral_nb.keys.workspace_choice import slugify, validate_name

NAMES = {command.name for command in COMMANDS}


def test_commands_holds_one_file_per_sub_command_and_nothing_else() -> None:
    files = {file.name for file in (Path(mistral_nb.__file__).parent / "commands").glob("*.py")}
    actions = {f"{command.name.replace('-', '_')}.py" for command in COMMANDS}
    assert files == actions | {"__init__.py", "_curl_options.py"}


def test_no_workspace_is_named_like_a_sub_command() -> None:
    for name in NAMES:
        assert slugify(name) == "default"
        with pytest.raises(WrongUsage, match="sub-command"):
            validate_name(name)


def test_other_words_lead_to_sub_commands_and_are_none() -> None:
    assert not set(OTHER_WORDS) & NAMES
    assert {meant.split()[0] for meant in OTHER_WORDS.values()} <= NAMES
