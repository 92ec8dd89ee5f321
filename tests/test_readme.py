"""The README says what is so: its table is the program's, its files and links exist."""

import re
import tomllib
from pathlib import Path

from mistral_nb.commands import CLI, COMMANDS, MAGIC

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_sub_commands_is_the_one_in_the_code() -> None:
    lines = ["| sub-command | `%mistral_key` | `mistral-nb` | does |", "|---|---|---|---|"]
    for command in COMMANDS:
        ticks = ("✓" if host in command.hosts else "" for host in (MAGIC, CLI))
        usage = command.usage().replace("|", "\\|")
        lines.append(f"| `{usage}` | {' | '.join(ticks)} | {command.does} |")
    assert "\n".join(lines) in README


def test_every_sub_command_has_an_action_file_of_its_name() -> None:
    for command in COMMANDS:
        assert (ROOT / "mistral_nb" / "actions" / f"{command.action or command.name}.py").is_file()


def test_every_variable_that_is_read_is_named() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "mistral_nb").rglob("*.py"))
    read = set(re.findall(r"""env(?:iron)?\.get\(["'](MISTRAL_\w+)["']""", code))
    assert read
    for name in read - {"MISTRAL_SA_TOKEN_PATH"}:
        assert name in README


def test_every_setting_of_a_project_that_is_read_is_named() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "mistral_nb").rglob("*.py"))
    read = set(re.findall(r"""table\.get\("(\w+)\"""", code))
    assert {"keep", "workspace"} <= read
    settings = README.partition("| variable | in `[tool.mistral-nb]` | means |")[2]
    for name in read | {"store", "prompt"}:
        assert f" | `{name}` | " in settings, name


def test_what_it_links_to_is_there() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target


def test_its_two_commands_name_extras_that_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = set(re.findall(r'pip install "\.\[(\w+)\]"', README))
    assert {"lab", "test"} <= named <= set(extras)
