"""Which keys may be removed from which file: one table. docs/saving.md shows it to people.

What a file is goes by its name, its first bytes, and where it leads: of a link's name and its target's, the stricter.
"""

import os
import re
from typing import NamedTuple

from mistral_nb.file_scrub.jupytext_pairs import has_jupytext_header, is_paired_source
from mistral_nb.redaction import strict_mode
from mistral_nb.redaction.findings import ALL_TIERS, KNOWN, REMEMBERED, REPORTED

NOTEBOOK = "notebook"
PAIRED = "paired"  # a text that jupytext opens as a notebook
SOURCE = "source"
EXPORT = "export"  # what notebooks are exported to, beside sources
TEXT = "text"
SETTINGS = "settings"  # programs read keys from it: the key in it may be the only copy
ENV = "environment file"  # likewise, and made for nothing else
BINARY = "binary"

CERTAIN_TIERS = frozenset({KNOWN, REMEMBERED})
_NONE: frozenset[str] = frozenset()


class RewriteRule(NamedTuple):
    """The tiers that are removed from a kind of file: by a hook, by `scrub` of a folder above it, and of the file."""

    extensions: tuple[str, ...]
    by_hook: frozenset[str]
    in_folder: frozenset[str]
    by_name: frozenset[str]


RULES = {  # from the least strict; what is not removed is reported
    NOTEBOOK: RewriteRule((".ipynb",), ALL_TIERS, ALL_TIERS, ALL_TIERS),
    PAIRED: RewriteRule((), ALL_TIERS, ALL_TIERS, ALL_TIERS),
    SOURCE: RewriteRule((".py", ".md", ".qmd", ".r", ".rmd", ".jl"), CERTAIN_TIERS, CERTAIN_TIERS, CERTAIN_TIERS),
    EXPORT: RewriteRule(
        (".html", ".htm", ".tex", ".rst", ".asciidoc", ".adoc"), CERTAIN_TIERS, CERTAIN_TIERS, CERTAIN_TIERS
    ),
    TEXT: RewriteRule((), _NONE, CERTAIN_TIERS, CERTAIN_TIERS),
    SETTINGS: RewriteRule(
        (
            *(".json", ".jsonc", ".json5", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".config"),
            *(".properties", ".plist", ".tfvars", ".xml", ".sh", ".bash", ".zsh", ".fish", ".ps1", ".bat", ".cmd"),
        ),
        _NONE,
        _NONE,
        CERTAIN_TIERS,
    ),
    ENV: RewriteRule((".env",), _NONE, _NONE, _NONE),
    BINARY: RewriteRule((), _NONE, _NONE, _NONE),
}
_STRICTER = {kind: number for number, kind in enumerate(RULES)}
_BY_EXTENSION = {extension: kind for kind, rule in RULES.items() for extension in rule.extensions}
_SETTINGS_NAMES = re.compile(  # start-up files and key files without an extension that says so
    r"""\.[^.]+ | _netrc | credentials | config | sitecustomize\.py | usercustomize\.py | \.?rprofile\.site
    | (?:ipython|jupyter)\w*_config\.(?:py|json)""",
    re.VERBOSE | re.IGNORECASE,
)
_STARTUP_FOLDER = re.compile(r"[/\\]profile_[^/\\]+[/\\]startup[/\\][^/\\]+$")  # IPython's


def detect_type(path: str, data: bytes) -> str:
    """The kind of file: by what its name says and what the name of the file that a link leads to says.

    Only a file whose name says nothing can be binary: a NUL in a source does not hide a key.
    """
    kinds = {_type_by_name(path), _type_by_name(os.path.realpath(path))}
    kind = max(kinds, key=_STRICTER.__getitem__)
    if kind == SOURCE:
        return PAIRED if is_paired_source(path, data) else SOURCE
    if kind != TEXT:
        return kind
    from mistral_nb.redaction.binary_data import is_binary  # the engine, which names alone do not need

    if is_binary(data):
        return BINARY
    return PAIRED if has_jupytext_header(data) else TEXT


def rewritable_tiers(kind: str, *, is_explicit: bool, is_named: bool = False, strict: bool = False) -> frozenset[str]:
    """The tiers that are removed from a file of this kind; the others are only reported.

    ``is_explicit``: a person asked for it, as `scrub` is used, and ``is_named``: for this file rather than a folder
    above it; else a hook does it. ``strict``: the index can't be read, so key-shaped runs stand for remembered keys.
    """
    rule = RULES[kind]
    tiers = rule.by_name if is_named and is_explicit else rule.in_folder if is_explicit else rule.by_hook
    return strict_mode.add_suspected(tiers) if strict and tiers else tiers


def explain_left(kind: str, tiers: frozenset[str], *, is_named: bool) -> str:
    """Why keys of these tiers stay in a file of this kind, for a person who asked to remove them; "" if they do not."""
    rule = RULES[kind]
    if not tiers - (rule.by_name if is_named else rule.in_folder):
        return ""
    if kind == BINARY:
        return "binary files are not changed"
    if kind == ENV:
        return "programs read the key from this file, and it may be the only copy"
    if not is_named and tiers & rule.by_name:
        return "programs read keys from such files; to clean this one, name it: mistral-nb scrub FILE"
    if tiers == {REPORTED}:
        return "others reported it, and this machine has never seen it"
    return "this machine has not seen it, and in such a file only keys it has seen are removed"


def can_be_rewritten(path: str) -> bool:
    """Whether a hook ever takes a key out of a file of this name."""
    return bool(RULES[_type_by_name(path)].by_hook)


def can_be_binary(path: str) -> bool:
    """Whether a name says nothing: then the content decides. Notebooks, sources and settings are never binary."""
    return _type_by_name(path) == TEXT


def _type_by_name(path: str) -> str:
    name = os.path.basename(path).lower()
    extension = os.path.splitext(name)[1]
    if extension == ".ipynb":
        return NOTEBOOK
    if name.startswith(".env") or extension == ".env":
        return ENV
    if _SETTINGS_NAMES.fullmatch(name) or _STARTUP_FOLDER.search(path):
        return SETTINGS
    return _BY_EXTENSION.get(extension, TEXT)
