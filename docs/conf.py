"""The site: every page where it lies in the repository, so that a link between two works on both.

`sphinx-build -c docs . OUT`, from the root of the repository; `nox -s docs` does.
"""

from collections.abc import Iterator
from typing import Any

import mistral_nb
from mistral_nb.command_context import Context
from mistral_nb.command_help import HIDDEN
from mistral_nb.command_runner import drive, load_action
from mistral_nb.command_table import CLI, COMMANDS, MAGIC, Command, commands_for

project = "mistral_nb"
author = "The mistral_nb developers"
release = mistral_nb.__version__

extensions = ["myst_nb"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md", "notebooks/*.ipynb"]

nb_execution_mode = "off"  # the tours hold what they printed: tests run them
myst_heading_anchors = 3  # `#a-heading`, as GitHub makes them
smartquotes = False  # a sentence is searched for as the program says it

html_theme = "pydata_sphinx_theme"
html_title = "mistral_nb"
html_theme_options = {"show_toc_level": 2, "navbar_center": [], "secondary_sidebar_items": ["page-toc"]}
html_sidebars = {"**": ["globaltoc.html"]}
html_copy_source = False
suppress_warnings = ["misc.highlighting_failure"]  # IPython's `!` in the tours
html_additional_pages = {"index": "redirect.html"}  # the site's root is above docs/index
templates_path = ["_templates"]


def setup(app: Any) -> None:
    app.connect("source-read", add_command_help)


def add_command_help(_app: Any, docname: str, source: list[str]) -> None:
    """What `help` shows of each sub-command, below the text of its page."""
    if docname == "docs/command-help":
        source[0] += "".join(f"\n## {command.name}\n{help_of(command)}" for command in COMMANDS if is_listed(command))


def is_listed(command: Command) -> bool:
    return command.name not in HIDDEN


def help_of(command: Command) -> str:
    """In a terminal, and in a notebook where that differs."""
    same = command.hosts == {CLI, MAGIC} and command.flags_for(CLI) == command.flags_for(MAGIC)
    return "".join(f"\n```text\n{text}\n```\n" for text in list(help_texts(command))[: 1 if same else 2])


def help_texts(command: Command) -> Iterator[str]:
    for host in (CLI, MAGIC):
        if command.name in commands_for(host):
            context = Context(host=host, environ={}, columns=80)
            show = load_action(commands_for(host)["help"])
            yield str(drive(show(context, command.name), str, str))
