"""Names: a class stands for one thing, a file's name says what is in it, and a sub-command has a file of its own."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import mistral_nb
from mistral_nb.command_table import COMMANDS

PACKAGE = Path(mistral_nb.__file__).parent
# Words that say nothing about a file, alone or with others: participles, prepositions, adjectives, catch-alls.
SAY_NOTHING = {
    *("placed", "tried", "wanted", "written", "where", "quiet", "odd", "young", "reach", "aside", "life", "keep"),
    *("ways", "carry", "live", "leaked", "leaks", "obtain", "occupied", "elsewhere", "places", "words", "plans"),
    *("driven", "saves", "watching", "bounded", "unfinished", "misc", "utils", "helpers", "common"),
}
# The folder completes these: `admin/rotation` is what an Admin key adds to `keys/rotation`.
COMPLETED_BY_THE_FOLDER = {"client", "doctor_checks", "errors", "login", "responses", "revoke", "rotation"}


def modules(root: Path) -> list[Path]:
    return sorted(file for file in root.rglob("*.py") if file.name not in ("__init__.py", "__main__.py"))


def classes_defined_twice(root: Path) -> dict[str, list[str]]:
    found = defaultdict(list)
    for file in sorted(root.rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(file.relative_to(root).as_posix())
    return {name: files for name, files in found.items() if len(files) > 1}


def files_with_one_name(root: Path) -> dict[str, list[str]]:
    found = defaultdict(list)
    for file in modules(root):
        found[file.stem].append(file.relative_to(root).as_posix())
    return {name: files for name, files in found.items() if len(files) > 1 and name not in COMPLETED_BY_THE_FOLDER}


def names_that_say_nothing(root: Path) -> list[str]:
    return [file.relative_to(root).as_posix() for file in modules(root) if file.stem.strip("_") in SAY_NOTHING]


def test_no_class_name_stands_for_two_things():
    assert classes_defined_twice(PACKAGE) == {}


def test_no_file_name_is_used_twice():
    assert files_with_one_name(PACKAGE) == {}


def test_a_name_that_its_folder_completes_is_used_more_than_once():
    names = [file.stem for file in modules(PACKAGE)]
    assert [name for name in COMPLETED_BY_THE_FOLDER if names.count(name) < 2] == []


def test_every_file_name_says_what_is_in_it():
    assert names_that_say_nothing(PACKAGE) == []


def test_a_sub_command_has_one_file_and_nothing_else_is_there():
    files = {file.stem for file in (PACKAGE / "commands").iterdir() if file.suffix == ".py"}
    assert {name for name in files if not name.startswith("_")} == {c.name.replace("-", "_") for c in COMMANDS}


@pytest.mark.parametrize(
    ("find", "files", "complaint"),
    [
        (classes_defined_twice, {"a.py": "class A: ...", "b/c.py": "class A: ..."}, {"A": ["a.py", "b/c.py"]}),
        (classes_defined_twice, {"a.py": "class A: ...", "b.py": "def f():\n    class A: ..."}, {}),
        (files_with_one_name, {"a.py": "", "b/a.py": ""}, {"a": ["a.py", "b/a.py"]}),
        (files_with_one_name, {"admin/rotation.py": "", "keys/rotation.py": ""}, {}),
        (names_that_say_nothing, {"b/utils.py": "", "b/_odd.py": "", "b/key.py": ""}, ["b/_odd.py", "b/utils.py"]),
    ],
)
def test_such_a_name_is_found(tmp_path, find, files, complaint):
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    assert find(tmp_path) == complaint
