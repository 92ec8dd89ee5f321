"""Which keys may be taken out of which file: what is looked for everywhere is not rewritten everywhere."""

import os
import re

from mistral_nb.scrub.findings import ALL_TIERS, KNOWN, REMEMBERED, SUSPECTED

NOTEBOOK = "notebook"  # .ipynb
PAIRED = "paired"  # a text that jupytext opens as a notebook
SOURCE = "source"  # .py .md .qmd .R .Rmd .jl: sources, and what notebooks are exported to
TEXT = "text"
ENV = "environment file"  # the key in it may be the only copy
BINARY = "binary"

SOURCES = (".py", ".md", ".qmd", ".r", ".rmd", ".jl")
_HEADER = 4096
_JUPYTEXT = re.compile(rb"^\W*jupyter:\s*\n\W*jupytext:", re.MULTILINE)  # its header, in any language's comments
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
SURE = frozenset({KNOWN, REMEMBERED})


def kind_of(path: str, data: bytes) -> str:
    """What sort of file this is, by its name and its first bytes."""
    name = os.path.basename(path)
    ending = os.path.splitext(name)[1].lower()
    if _is_env(name) or _is_env(os.path.basename(os.path.realpath(path))):  # what a link points to counts too
        return ENV
    if ending == ".ipynb":
        return NOTEBOOK
    if is_binary(data):
        return BINARY
    if ending in SOURCES:
        return PAIRED if _is_paired(path, data) else SOURCE
    return PAIRED if _JUPYTEXT.search(data, 0, _HEADER) else TEXT


def rewritten(kind: str, *, asked: bool, strict: bool = False) -> frozenset[str]:
    """The tiers that are taken out of a file of this kind; the others are only reported.

    ``asked``: a person named the file, as `scrub` is used. A hook leaves texts that are no source
    alone. ``strict``: the index can't be read, so key-shaped runs stand for remembered keys.
    """
    if kind in (NOTEBOOK, PAIRED):
        return ALL_TIERS
    if kind == SOURCE or (kind == TEXT and asked):
        return SURE | {SUSPECTED} if strict else SURE
    return frozenset()


def is_rewritten(path: str) -> bool:
    """Whether a hook ever takes a key out of a file of this name."""
    name = os.path.basename(path)
    return os.path.splitext(name)[1].lower() in (".ipynb", *SOURCES) and not name.startswith(".env")


def is_binary(data: bytes) -> bool:
    """Whether git would call it binary, but for UTF-16, which is text to everyone else."""
    return b"\0" in data[:8000] and not data.startswith(_UTF16)


def _is_env(name: str) -> bool:
    lower = name.lower()
    return (lower.startswith(".env") or lower.endswith(".env")) and not lower.endswith(".ipynb")


def _is_paired(path: str, data: bytes) -> bool:
    head = data[:_HEADER]
    if b"jupytext:" in head or b"kernelspec:" in head:
        return True
    return os.path.isfile(f"{os.path.splitext(path)[0]}.ipynb")
