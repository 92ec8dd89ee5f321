"""Scans as the command line does them, in any format."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

from support.commands import Acted, act

FORMATS = ("text", "json", "jsonl", "sarif", "github", "gitlab")


def scan_in(new_context: Any, *paths: Path | str, environ: dict[str, str] | None = None, **flags: Any) -> Acted:
    """`scan` of paths; the working directory is the first one where that is a folder."""
    folder = str(paths[0]) if paths and Path(paths[0]).is_dir() else None
    more = {"environ": environ} if environ is not None else {}
    context = new_context("cli", **more, **({"folder": folder} if folder else {}))
    return act(context, "scan", paths=[str(path) for path in paths], **flags)


def shown_by_scan(acted: Acted) -> str:
    """What the command line prints: the format's document, or the report."""
    return str(acted.report.document or acted.report)


def schema(name: str) -> dict[str, Any]:
    """A schema that the package has."""
    file = resources.files("mistral_nb.scanning.reports") / "schemas" / name
    return json.loads(file.read_text(encoding="utf-8"))
