"""A key written into a cell: recognised before anybody sees it, and the person is told what to do."""

import os
import re

from mistral_nb import config, session, watch
from mistral_nb.errors import MistralNbError
from mistral_nb.kernel.known import KNOWN
from mistral_nb.key import Key, fingerprint, key_or_none
from mistral_nb.store.index import COMPROMISED, Contents, Index

_RUN = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{16,128}(?![A-Za-z0-9_-])")
_MIX = re.compile(r"(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])")  # as all but one in 250 keys
_told: set[tuple[str, str]] = set()
_in_cells: list[Key] = []


def keys_in(code: str) -> list[Key]:
    """The keys that a cell's source holds: known, remembered, or of their shape where Mistral is named."""
    texts = set(_RUN.findall(code))
    if not texts:  # most cells: what follows reads files
        return []
    from mistral_nb.scrub import ALL_TIERS, redact_text  # 7 ms that %load_ext need not take
    from mistral_nb.scrub.findings import SUSPECTED

    tiers = ALL_TIERS if any(map(_MIX.match, texts)) else ALL_TIERS - {SUSPECTED}
    _, findings = redact_text(code, watch.gather(extra=KNOWN.secrets()), tiers=tiers)
    named = dict.fromkeys(finding.fingerprint for finding in findings if finding.tier in tiers)
    if not named:
        return []
    runs = {fingerprint(text): text for text in texts}
    keys = (key_or_none(runs.get(name)) for name in named)
    return [key for key in keys if key]


def notice(code: str) -> list[Key]:
    """Guard the keys of a cell that is about to run, and note them for the hooks that save."""
    keys = keys_in(code)
    for key in keys:
        if not KNOWN.has(key):
            session.enter(key, Index(config.home(os.environ)))
        if key not in _in_cells:
            _in_cells.append(key)
    return keys


def in_cells() -> list[Key]:
    """The keys that cells of this process held in clear, the last one first: it can still be kept."""
    return _in_cells[::-1]


def note(code: str, cell: str | None) -> str:
    """What to tell the person about the keys in this cell; empty when nothing, or when it was told."""
    told = [key for key in notice(code) if (cell or _without(code, key), key.fingerprint) not in _told]
    _told.update((cell or _without(code, key), key.fingerprint) for key in told)
    return "\n".join(map(_sentence, told))


def _without(code: str, key: Key) -> str:
    """Names a cell where the front end does not: by its source."""
    return fingerprint(code.replace(key.reveal(), ""))


def _sentence(key: Key) -> str:
    contents = _index()
    seen = contents and contents.seen.get(key.fingerprint)
    if seen and seen.state == COMPROMISED:
        return (
            f"This cell holds the key …{key.tail}, which was revoked here, as leaked. Saving redacts it in the cell. "
            "Put another in its place:  %mistral_key"
        )
    if contents and any(entry.fingerprint == key.fingerprint for entry in contents.workspaces.values()):
        return (
            f"This cell holds the key …{key.tail} in clear. It is kept here already; saving redacts it in the cell. "
            "Put in its place:  %mistral_key"
        )
    return (
        f"This cell holds a key, …{key.tail}, in clear. Saving or committing redacts it, and this may be the only "
        "copy: to keep it, run  %mistral_key add  now, which offers to take it from here; then put  %mistral_key  "
        "in its place."
    )


def _index() -> Contents | None:
    try:
        return Index(config.home(os.environ)).read()
    except MistralNbError:  # is reported elsewhere; here it only costs a word
        return None
