"""The README is short, the files it links to exist, and its two commands for pip name extras that exist."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_prose_is_short() -> None:
    without_code = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    assert len(re.sub(r"\]\([^)]*\)", "]", without_code).split()) <= 800


def test_its_links_exist() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target


def test_its_two_commands_name_extras_that_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = set(re.findall(r'pip install "\.\[(\w+)\]"', README))
    assert {"lab", "test"} <= named <= set(extras)
