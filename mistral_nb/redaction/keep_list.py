"""Keys that stay: those on the keep list of ``pyproject.toml``, and those beside a comment ``# mistral-nb: keep``."""

import re
from collections.abc import Mapping
from typing import Any

_COMMENT = re.compile(rb"#\s*mistral-nb:\s*keep\b")


def read_keep_list(table: Mapping[str, Any]) -> frozenset[str]:
    """The fingerprints in ``[tool.mistral-nb] keep``; none if it is not a list."""
    listed = table.get("keep")
    return frozenset(map(str, listed)) if isinstance(listed, list) else frozenset()


def has_keep_comment(line: bytes) -> bool:
    return _COMMENT.search(line) is not None
