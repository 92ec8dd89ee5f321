"""Reads JSON that somebody else made. A deep document crashes a process whose recursion limit was raised."""

import json
import re
from typing import Any

MAX_DEPTH = 100
_MARK = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def load_json(data: bytes) -> Any:
    """As ``json.loads``. Raises ValueError, also for a document deeper than `MAX_DEPTH`."""
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH or b"\0" in data:  # \0: UTF-16 and UTF-32
        _check_depth(data)
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("the document is too deep") from None


def _check_depth(data: bytes) -> None:
    depth = 0
    for match in _MARK.finditer(data.replace(b"\0", b"")):
        mark = match[0]
        if mark in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError("the document is too deep")
        elif mark in b"]}":
            depth -= 1
