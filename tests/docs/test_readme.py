"""The README is correct: its table matches the program, its files and links exist."""

import re
import tomllib
from pathlib import Path

from mistral_nb.command_table import CLI, COMMANDS, MAGIC

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_sub_commands_is_the_one_in_the_code() -> None:
    lines = ["| sub-command | `%mistral_key` | `mistral-nb` | does |", "|---|---|---|---|"]
    for command in COMMANDS:
        ticks = ("✓" if host in command.hosts else "" for host in (MAGIC, CLI))
        usage = command.usage().replace("|", "\\|")
        lines.append(f"| `{usage}` | {' | '.join(ticks)} | {command.summary} |")
    assert "\n".join(lines) in README


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
    for name in read | {"prompt"}:
        assert f" | `{name}` | " in settings, name


def test_its_links_exist() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target


def test_its_two_commands_name_extras_that_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = set(re.findall(r'pip install "\.\[(\w+)\]"', README))
    assert {"lab", "test"} <= named <= set(extras)
