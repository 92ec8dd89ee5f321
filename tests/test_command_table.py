"""The table of sub-commands fits their actions."""

import argparse
import inspect

import pytest

from mistral_nb.argument_parser import make_parser
from mistral_nb.command_runner import load_action
from mistral_nb.command_table import COMMANDS, Command

HOST_FLAGS = {"help", "json", "widget", "no_wait"}  # a host takes these itself


def parsed_names(command: Command, host: str) -> set[str]:
    parser = make_parser(host)
    sub_commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    names = {argument.dest.removesuffix("_option") for argument in sub_commands.choices[command.name]._actions}
    return names - HOST_FLAGS


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_an_action_takes_the_arguments_that_its_command_has(command: Command) -> None:
    taken = set(inspect.signature(load_action(command)).parameters) - {"context"}
    assert set().union(*(parsed_names(command, host) for host in command.hosts)) == taken
