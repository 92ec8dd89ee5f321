"""Each line of the threat model has a test that exists, or says that it is not covered; so has what workers show."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/threat-model.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| Tries")
]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_each_line_names_tests_that_exist_or_is_not_covered() -> None:
    assert len(ROWS) > 25
    for tried, holds, tests in ROWS:
        if holds.startswith("not covered"):
            assert not tests, tried
            continue
        found = TEST.findall(tests)
        assert found and len(found) == tests.count("::"), tried
        assert [name for name in found if not _exists(*name)] == [], tried


def test_what_is_not_protected_on_workers_is_shown_by_tests() -> None:
    table = (ROOT / "docs/workers.md").read_text("utf-8").partition("## What is not protected")[2]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 4
    for what, _, tests in rows:
        found = TEST.findall(tests)
        assert found and all(_exists(*name) for name in found), what


def _exists(file: str, name: str) -> bool:
    path = ROOT / file
    return path.is_file() and re.search(rf"^ *(?:async )?def {name}\(", path.read_text("utf-8"), re.M) is not None


def test_a_test_that_does_not_exist_is_found() -> None:
    assert not _exists("tests/docs/test_threat_model.py", "test_nothing_of_the_kind")
    assert not _exists("tests/docs/test_nowhere.py", "test_a_test_that_does_not_exist_is_found")
    assert _exists("tests/docs/test_threat_model.py", "test_a_test_that_does_not_exist_is_found")


def test_everybody_who_may_attack_has_a_section() -> None:
    text = (ROOT / "docs/threat-model.md").read_text("utf-8")
    for who in (
        "user of the machine",
        "repository",
        "script",
        "agent",
        "process of the same user",
        "API in the middle",
    ):
        assert re.search(rf"^## .*{who}", text, re.M)
