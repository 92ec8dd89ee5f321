"""A key written into a cell, or the marker in its place: recognised as the cell runs, with a note on what to do."""

import os
import re
from typing import Any

from mistral_nb import config, environment, watchlist
from mistral_nb.api_key import MARKER, Key, fingerprint, key_or_none
from mistral_nb.errors import MistralNbError
from mistral_nb.guard import env_files
from mistral_nb.guard.known_secrets import PROCESS_SECRETS
from mistral_nb.redaction import mistral_words
from mistral_nb.storage.index import COMPROMISED, Index, IndexData

_RUN = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{16,128}(?![A-Za-z0-9_-])")
_MIX = re.compile(r"(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])")  # as all but one in 250 keys
_PAPERMILL_HEADER = "# Parameters\n"  # of the cell that it adds
_ABOUT_MISTRAL = "mistral"  # what stands for the other cells of a notebook that names it
MARKER_IN_A_CELL = "the key was taken out of a cell that ran: the marker stands in its place"
INSTEAD_OF_THE_MARKER = "Use Mistral() there: it reads MISTRAL_API_KEY, which %mistral_key sets."
_MARKER_NOTE = f"The key was taken out of this cell: the marker stands in its place. {INSTEAD_OF_THE_MARKER}"
_warned: set[tuple[str, str]] = set()
_cell_keys: list[Key] = []
_marker_cells: set[str] = set()  # by id, or by source where the front end gives none
_notebook = {"names Mistral": False}  # in one of the cells that ran


def find_keys(code: str) -> list[Key]:
    """The keys that a cell's source holds: known, remembered, or of their shape and Mistral's, as in a saved notebook.

    What the cells before it said counts as the notebook around it.
    """
    texts = set(_RUN.findall(code))
    if not texts:  # most cells: what follows reads files
        return []
    from mistral_nb.redaction.findings import SUSPECTED
    from mistral_nb.redaction.redact import ALL_TIERS, redact_values  # 7 ms that %load_ext need not take

    tiers = ALL_TIERS if any(map(_MIX.match, texts)) else ALL_TIERS - {SUSPECTED}
    known = watchlist.build_watchlist(extra=PROCESS_SECRETS.secrets())
    _, findings = redact_values(_as_notebook(code, _context_of(code)), known, tiers=tiers)
    named = dict.fromkeys(finding.fingerprint for finding in findings if finding.tier in tiers)
    if not named:
        return []
    runs = {fingerprint(text): text for text in texts}
    keys = (key_or_none(runs.get(name)) for name in named)
    return [key for key in keys if key]


def mistral_fingerprints(code: str, context: str = "") -> frozenset[str]:
    """The fingerprints of the keys in a cell's code that are Mistral's by what stands around them, whoever knows them.

    ``context`` stands for the rest of the notebook.
    """
    from mistral_nb.redaction.findings import SUSPECTED
    from mistral_nb.redaction.redact import redact_values

    suspected = frozenset({SUSPECTED})
    _, findings = redact_values(_as_notebook(code, context), watchlist.Watchlist(), tiers=suspected)
    return frozenset(finding.fingerprint for finding in findings if finding.tier in suspected)


def _as_notebook(code: str, context: str) -> dict[str, Any]:
    return {"cells": [{"source": code}], "metadata": {"about": context}}


def _context_of(code: str) -> str:
    return _ABOUT_MISTRAL if _notebook["names Mistral"] or is_papermill_cell(code) else ""


def is_papermill_cell(code: str) -> bool:
    """Whether papermill wrote this cell, of the parameters that it was given."""
    return code.startswith(_PAPERMILL_HEADER)


def note_mistral(code: str) -> None:
    """Note whether a cell of this notebook names Mistral: then a key without a label in a later one is Mistral's."""
    _notebook["names Mistral"] |= mistral_words.names_mistral(code.encode("utf-8", "replace"), MARKER.encode())


def register_cell_keys(code: str) -> list[Key]:
    """Guard the keys of a cell that is about to run; the machine remembers soon after those that are Mistral's.

    Also those in the ``.env`` files that it mentions; they are not among the keys returned.
    """
    env_files.register_env_files(code)
    note_mistral(code)
    keys = find_keys(code)
    mistrals = mistral_fingerprints(code, _context_of(code)) if keys else frozenset()
    for key in keys:
        environment.register_secret(key)
        if key.fingerprint in mistrals:
            environment.register_key_in_background(key)
        if key not in _cell_keys:
            _cell_keys.append(key)
    return keys


def list_cell_keys() -> list[Key]:
    """The keys that cells of this process contained in plain text, last first: they can still be stored."""
    return _cell_keys[::-1]


def has_run_marker() -> bool:
    """Whether a cell of this process last ran with the marker where a key had been."""
    return bool(_marker_cells)


def marker_warning(code: str, cell: str | None) -> str:
    """The note for the person about the marker in a cell that is about to run; empty if none of its texts holds it."""
    identity = cell or fingerprint(code)
    if MARKER not in code or not _stands_in_code(code):
        _marker_cells.discard(identity)
        return ""
    _marker_cells.add(identity)
    return _MARKER_NOTE


def _stands_in_code(code: str) -> bool:
    """Whether a text of the code holds the marker, or a line for a magic or the shell.

    Not a comment or a docstring, nor a text that something is compared with.
    """
    import ast

    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # what IPython takes besides Python
        return any(MARKER in line.partition("#")[0] for line in code.splitlines())
    compared = [
        operand for node in nodes if isinstance(node, ast.Compare) for operand in (node.left, *node.comparators)
    ]
    alone = [node.value for node in nodes if isinstance(node, ast.Expr)]
    without_use = set(map(id, [*compared, *alone]))
    texts = (node for node in nodes if isinstance(node, ast.Constant) and id(node) not in without_use)
    return any(MARKER in node.value for node in texts if isinstance(node.value, str))


def cell_warning(code: str, cell: str | None) -> str:
    """The note for the person about the keys in this cell; empty if there is none, or it was shown already."""
    new_keys = [
        key for key in register_cell_keys(code) if (cell or _cell_identity(code, key), key.fingerprint) not in _warned
    ]
    if "clear_output" not in code:  # it takes the note away
        _warned.update((cell or _cell_identity(code, key), key.fingerprint) for key in new_keys)
    warnings = list(map(_format_warning, new_keys))
    if new_keys and is_papermill_cell(code):
        warnings.append(
            "papermill writes it into the notebook's cell and metadata, past the save hook: run mistral-nb scrub on "
            "the output file, and next time set MISTRAL_API_KEY for papermill in place of a parameter."
        )
    return "\n".join(warnings)


def _cell_identity(code: str, key: Key) -> str:
    """Names a cell where the front end does not: by its source."""
    return fingerprint(code.replace(key.reveal(), ""))


def _format_warning(key: Key) -> str:
    contents = _read_index()
    seen = contents and contents.remembered.get(key.fingerprint)
    if seen and seen.state == COMPROMISED:
        return (
            f"This cell contains the key …{key.tail}, which was revoked here as leaked. Saving redacts it in the cell. "
            "To use another key: %mistral_key"
        )
    if contents and any(entry.fingerprint == key.fingerprint for entry in contents.workspaces.values()):
        return (
            f"This cell contains the key …{key.tail} in plain text. It is stored; saving redacts it in the cell. "
            "Replace it with: %mistral_key"
        )
    return (
        f"This cell contains a key, …{key.tail}, in plain text. Saving or committing redacts it; this may be the only "
        "copy. To store it, run %mistral_key login now, which offers to use it; then replace it with "
        "%mistral_key."
    )


def _read_index() -> IndexData | None:
    try:
        return Index(config.data_folder(os.environ)).read()
    except MistralNbError:  # is reported elsewhere; here it only costs a word
        return None
