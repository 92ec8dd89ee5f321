"""The pages of reference are correct: exit codes, JSON output, settings, architecture, contributing."""

import ast
import importlib
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from mistral_nb.admin.remote_list import STATUSES
from mistral_nb.api.verdict import VerdictKind
from mistral_nb.command_help import HIDDEN
from mistral_nb.command_table import CLI, COMMANDS, MAGIC
from mistral_nb.errors import MistralNbError
from mistral_nb.jupyter.lab.events import SCHEMA, SCHEMA_ID
from support.commands import act

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mistral_nb"
SOURCES = sorted(PACKAGE.rglob("*.py"))
GIVEN_BY_OTHERS = {"HOME", "PATH", "USERPROFILE"}  # of every process: no settings of ours


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


ARCHITECTURE, CONTRIBUTING = page("docs/architecture.md"), page("CONTRIBUTING.md")


def code_words(text: str) -> list[str]:
    """What stands between single backticks, outside of code blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def strings_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


PAGES = [file.relative_to(ROOT).as_posix() for file in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")))]


@pytest.mark.parametrize("name", PAGES)
def test_the_links_of_a_page_lead_somewhere(name: str) -> None:
    text = page(name)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", text):
        file = (ROOT / name).parent / target if target else ROOT / name
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{target}#{anchor}"


def test_the_table_of_sub_commands_is_the_one_in_the_code() -> None:
    lines = ["| sub-command | `%mistral_key` | `mistral-nb` | does |", "|---|---|---|---|"]
    for command in COMMANDS:
        ticks = ("✓" if host in command.hosts else "" for host in (MAGIC, CLI))
        usage = command.usage().replace("|", "\\|")
        lines.append(f"| `{usage}` | {' | '.join(ticks)} | {command.summary_for(CLI)} |")
    assert "\n".join(lines) in page("docs/command-line.md")


def test_the_site_lists_the_options_of_each_sub_command() -> None:
    config = runpy.run_path(str(ROOT / "docs/conf.py"))
    source = [page("docs/command-help.md")]
    config["add_command_help"](None, "docs/command-help", source)
    parts = dict(" ".join(part.split()).split(" ", 1) for part in source[0].split("\n## ")[1:])
    assert list(parts) == [command.name for command in COMMANDS if command.name not in HIDDEN]
    for command in COMMANDS:
        for flag in command.flags if command.name in parts else ():
            assert flag.is_internal or (flag.metavar in parts[command.name] and flag.help in parts[command.name])
    other = ["as it was"]
    config["add_command_help"](None, "docs/command-line", other)
    assert other == ["as it was"]


class TestExitCodes:
    PAGE = page("docs/exit-codes.md")

    @pytest.mark.slow
    def test_every_code_is_in_the_table(self) -> None:
        listed = {int(code) for code in re.findall(r"^\| (\d+) \| ", self.PAGE.partition("## ")[0], re.MULTILINE)}
        assert listed == {0, *self.codes_in_the_code()}

    @staticmethod
    def codes_in_the_code() -> set[int]:
        """The numbers that the package gives to an ``exit_code``, or to a constant that is one."""
        found = set()
        for file in SOURCES:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Assign):
                    names, value = [t.id for t in node.targets if isinstance(t, ast.Name)], node.value
                elif isinstance(node, ast.keyword):
                    names, value = [node.arg], node.value
                else:
                    continue
                ours = any(name in ("exit_code", "INTERRUPTED", "NEVER_STARTED") for name in names)
                if ours or file.name == "exit_codes.py":
                    constants = (n.value for n in ast.walk(value) if isinstance(n, ast.Constant))
                    found |= {n for n in constants if type(n) is int}
        assert {1, 2, 3, 125, 130} <= found
        return found

    def test_the_example_works(self, environ: dict[str, str], tmp_path: Path) -> None:
        (script,) = re.findall(r"```sh\n(.*?)```", self.PAGE, re.DOTALL)
        environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environ["PATH"]])
        shown = subprocess.run(
            ["bash", "-c", script], env=environ, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert (shown.returncode, shown.stdout) == (0, "app.py was not started\n"), shown.stderr

    def test_every_error_is_beside_its_code(self) -> None:
        code, listed = "", {}
        for cell, names in re.findall(
            r"^\| ([\d or]*) ?\| (.*) \|$", self.PAGE.partition("## Errors")[2], re.MULTILINE
        ):
            code = cell.strip() or code
            listed |= dict.fromkeys(re.findall(r"`([A-Z]\w+)`", names), code)
        assert listed.pop("AdminFailed") == "1 or 3"
        errors = {error.__name__: str(error.exit_code) for error in self.errors()}
        del errors["AdminFailed"]
        assert listed == errors

    @staticmethod
    def errors() -> set[type[MistralNbError]]:
        for file in SOURCES:
            if re.search(r"^class \w+\((MistralNbError|StoreError)\):", file.read_text(encoding="utf-8"), re.MULTILINE):
                importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
        found, new = set(), {MistralNbError}
        while new:
            found |= new
            new = {child for error in new for child in error.__subclasses__()} - found
        return {error for error in found if error.__module__.startswith("mistral_nb.")}

    def test_every_sub_command_is_in_the_table(self) -> None:
        table = self.PAGE.partition("## By sub-command")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
        named = {word.split()[0] for row in rows for word in re.findall(r"`([^`]+)`", row)} - {"--version"}
        missing = {command.name for command in COMMANDS if CLI in command.hosts} - named
        assert missing == set()
        assert named <= {command.name for command in COMMANDS}


class TestJsonOutput:
    PAGE = page("docs/json-output.md")
    COMMANDS = tuple(c.name for c in COMMANDS if any("--json" in flag.names for flag in c.flags))

    def test_every_sub_command_with_json_has_its_place(self) -> None:
        listed = re.search(r"Sub-commands with `--json`: (.*?)\.\n\n", self.PAGE, re.DOTALL)
        assert listed
        assert set(re.findall(r"`([a-z-]+)`", listed[1])) == set(self.COMMANDS)

    def test_what_a_stored_key_is_described_by(self, new_context, sandbox) -> None:
        context = new_context("cli")
        act(context, "login", {"key": sandbox.make_key()}, workspace="dev", expires="never")
        listed = act(context, "list").report.data
        assert self.fields("## A stored key", 1) == set(listed["kept"]["dev"])
        assert self.fields("## list", 1) == set(listed)
        shown = act(context, "status").report.data
        assert self.fields("## status", 1) == set(shown)
        assert set(shown["workspaces"]["dev"]) == {*listed["kept"]["dev"], "days_left"}

    def test_what_is_found_in_a_file(self, new_context, folder, key) -> None:
        from mistral_nb.environment import activate

        context = new_context("cli")
        activate(key, None, "a test", context.environ)
        file = folder / "a.txt"
        file.write_text(f"key = {key.reveal()}\n")
        found = act(context, "scan", paths=[str(file)]).report.data
        assert self.fields("## scan and scrub", 1) == set(found)
        listed = self.fields("## scan and scrub", 2) | self.fields("## scan and scrub", 3)
        assert listed == set(found["findings"][0])

    def test_the_values_that_are_words_are_listed(self) -> None:
        section = self.PAGE.partition("`list --remote`:")[2].partition("\n## ")[0]
        assert set(STATUSES) <= set(code_words(section.replace("\n", " ")))
        assert set(get_args(VerdictKind)) <= set(code_words(self.PAGE))

    def test_the_event_after_a_save(self) -> None:
        assert SCHEMA_ID in self.PAGE
        assert self.fields("## The event after a save", 1) == set(SCHEMA["properties"])
        key, more = set(SCHEMA["properties"]["keys"]["items"]["properties"]), {"workspace", "length"}
        assert key == self.fields("## scan and scrub", 2) - {"file", "fingerprint"} | more

    def fields(self, heading: str, number: int) -> set[str]:
        """The names in the first column of a section's table."""
        section = self.PAGE.partition(f"\n{heading}\n")[2].partition("\n## ")[0]
        tables = re.findall(r"^\| field.*\n\|[-|]+\n((?:\|.*\n)+)", section, re.MULTILINE)
        firsts = re.findall(r"^\|([^|]+)\|", tables[number - 1], re.MULTILINE)
        return {name for first in firsts for name in re.findall(r"`([^`]+)`", first)}


class TestSettings:
    PAGE = page("docs/settings.md")

    @pytest.mark.slow
    def test_every_variable_of_ours_is_on_the_page(self) -> None:
        named = set(code_words(self.PAGE))
        read = {
            name
            for file in SOURCES
            for text in strings_of(file)
            for name in re.findall(r"\bMISTRAL_(?:NB|API|ADMIN|SA)_[A-Z_]*[A-Z]\b", text)
        }
        assert {"MISTRAL_NB_HOME", "MISTRAL_API_KEY", "MISTRAL_NB_STORE"} <= read
        assert read - {word.partition("=")[0] for word in named} == set()

    def test_every_other_variable_that_is_read_is_on_the_page(self) -> None:
        read = set()
        for file in SOURCES:
            code = file.read_text(encoding="utf-8")
            read |= set(re.findall(r"""environ?\.get\(\s*["']([A-Z][A-Z_]+)["']""", code))
        assert "PYTHON_KEYRING_BACKEND" in read
        assert read - GIVEN_BY_OTHERS - set(re.findall(r"[A-Z][A-Z_]+", self.PAGE)) == set()

    def test_every_setting_of_a_project_is_on_the_page(self) -> None:
        code = "".join(file.read_text(encoding="utf-8") for file in SOURCES)
        read = {*re.findall(r"""table\.get\("(\w+)\"""", code), *re.findall(r'_choice\(env, project, "(\w+)"', code)}
        table = self.PAGE.partition("## `[tool.mistral-nb]`")[2].partition("\n## ")[0]
        assert read == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


class TestArchitecture:
    def test_every_folder_of_the_package_has_a_line(self) -> None:
        folders = {
            f"{file.parent.relative_to(PACKAGE).as_posix()}/" for file in SOURCES if file.parent != PACKAGE
        }  # a folder without Python is no part of it
        assert set(re.findall(r"^\| `([a-z_/]+/)` \|", ARCHITECTURE, re.MULTILINE)) == folders

    def test_every_file_of_the_floor_above_the_folders_has_a_place(self) -> None:
        floors = ARCHITECTURE.partition("## The floors")[2].partition("\n## ")[0]
        named = set(code_words(floors))
        for entry in PACKAGE.iterdir():
            if entry.suffix == ".py" or (entry.is_dir() and (entry / "__init__.py").exists()):
                assert f"{entry.name}{'/' * entry.is_dir()}" in named, entry.name

    def test_the_floors_are_those_of_the_test(self) -> None:
        source = (ROOT / "tests/test_layers.py").read_text(encoding="utf-8")
        table = next(
            node.value
            for node in ast.parse(source).body
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "LAYERS"
        )
        layers = [set(row) for row in ast.literal_eval(table)]
        rank = {name: number for number, row in enumerate(layers) for name in row}
        floors = ARCHITECTURE.partition("| from the top | |")[2].partition("\n\n")[0]
        rows = [[word.removesuffix(".py").strip("/") for word in code_words(line)] for line in floors.splitlines()]
        ranks = [sorted({rank[word] for word in row}) for row in rows if row]
        highest = [row[-1] for row in ranks]
        assert highest == sorted(highest, reverse=True)
        assert sum(map(len, ranks)) == len(layers)

    def test_every_path_exists_and_has_the_function(self) -> None:
        pattern = re.compile(r"[\w./-]+\.(?:py|js|css|md)(?::\w+)?")
        named = [word for word in code_words(ARCHITECTURE) if pattern.fullmatch(word)]
        assert len(named) > 60
        assert [word for word in named if not self.is_there(*word.split(":"))] == []

    @staticmethod
    def is_there(path: str, function: str = "") -> bool:
        files = [place / path for place in (PACKAGE, ROOT, PACKAGE / "prompts/widget") if (place / path).is_file()]
        if not files or not function:
            return bool(files)
        tree = ast.parse(files[0].read_text(encoding="utf-8"))
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return any(isinstance(node, kinds) and node.name == function for node in ast.walk(tree))

    def test_what_must_stay_light_loads_none_of_the_three(self) -> None:
        listed = re.search(r"Must stay free of .*?:(.*?)\. The `__init__", ARCHITECTURE, re.DOTALL)
        assert listed
        files = code_words(listed[1])
        assert len(files) > 5
        for file in files:
            module = f"mistral_nb.{file.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")
            code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {module}; print(*sys.modules)"
            shown = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
            assert {"re", "json", "typing"} & set(shown.stdout.split()) == set(), file

    def test_the_command_that_measures_works(self) -> None:
        (command,) = re.findall(r"```sh\n(python .*)\n```", ARCHITECTURE)
        words = [sys.executable, *shlex.split(command)[1:]]
        shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
        assert "mistral_nb.git.filter_process" in shown.stderr.splitlines()[-1]


class TestContributing:
    def test_every_path_exists(self) -> None:
        named = [
            word for word in code_words(CONTRIBUTING) if re.fullmatch(r"(?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md)", word)
        ]
        blocks = "\n".join(re.findall(r"```.*?```", CONTRIBUTING, flags=re.DOTALL))
        named += re.findall(r"\b(?:tests|docs|mistral_nb)/[\w./]+", blocks)
        assert len(named) > 8
        for path in {word for word in named if "NAME" not in word}:
            assert (ROOT / path).exists() or (PACKAGE / path).exists(), path

    @pytest.mark.parametrize("name", ["CONTRIBUTING.md", ".ci/run", ".github/workflows/ci.yml", "RELEASING.md"])
    def test_the_sessions_that_are_named_exist(self, name: str) -> None:
        functions = set(re.findall(r"^def (\w+)\(session", page("noxfile.py"), re.MULTILINE))
        text = page(name)
        named = " ".join(re.findall(r"nox -s ([\w ]+?)(?:`|\n|  )", text)).split()
        named += [word.partition("-")[0] for word in re.findall(r"^\s*step \"?([\w.$-]+)", text, re.MULTILINE)]
        assert name == "RELEASING.md" or named
        assert set(named) <= functions

    def test_the_first_commands_are_those_of_the_readme(self) -> None:
        assert 'pip install -e ".[test]"\npytest\n' in CONTRIBUTING
        assert 'pip install ".[test]" && pytest' in page("README.md")

    def test_every_marker_is_explained(self) -> None:
        lines = tomllib.loads(page("pyproject.toml"))["tool"]["pytest"]["ini_options"].get("markers", [])
        names = {re.match(r"\w+", line)[0] for line in lines}
        assert names <= {word.partition("(")[0] for word in code_words(CONTRIBUTING)}
