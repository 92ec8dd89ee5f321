"""What the engine takes and returns. A finding contains a fingerprint, never a key."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from mistral_nb.api_key import Key, Secret

KNOWN, REMEMBERED, SUSPECTED = "known", "remembered", "suspected"
REPORTED, KEPT, NOTED = "reported", "kept", "noted"
ALL_TIERS = frozenset({KNOWN, REMEMBERED, SUSPECTED})  # the tiers that are rewritten
COUNTED_TIERS = ALL_TIERS | {REPORTED}  # the tiers that count as findings of `scan`

Span = tuple[int, int]  # start and end


class RememberedFingerprint(Protocol):
    """An entry of the index: names a key by its fingerprint."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def length(self) -> int: ...
    @property
    def tail(self) -> str: ...
    @property
    def standard(self) -> bool | None: ...  # 32 alphanumerics; None where that was not noted


class WatchlistLike(Protocol):
    """What the engine needs of `mistral_nb.watchlist.Watchlist`."""

    @property
    def known(self) -> tuple[Secret, ...]: ...
    @property
    def remembered(self) -> tuple[RememberedFingerprint, ...]: ...
    @property
    def reported(self) -> frozenset[str]: ...
    @property
    def keep(self) -> frozenset[str]: ...
    @property
    def strict(self) -> bool: ...


class Finding(NamedTuple):
    """One key in one place.

    ``tier``: known, remembered and suspected are rewritten; reported (its fingerprint came with a
    repository), kept (on the keep list or its line says so) and noted (another vendor's key, or an identifier)
    never are. ``fingerprint`` is "" where only a fragment was found. ``path`` is where in a notebook,
    ``cells[3].outputs[0].text``; "" elsewhere. ``line`` and ``column`` are 1-based, in the file or the text; None for
    values.
    ``cell`` is 1-based too; ``cell_id`` is None where the cell has no id, or one that could be a part of a key.
    """

    tier: str
    fingerprint: str
    tail: str
    path: str
    line: int | None
    cell: int | None = None
    cell_id: str | None = None
    column: int | None = None


def select_counted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that count as findings of `scan`."""
    return tuple(finding for finding in findings if finding.tier in COUNTED_TIERS)


class Result(NamedTuple):
    """``data`` is the same object as was given when nothing was removed.

    ``problem``: why nothing was removed although the findings name something to remove; "" otherwise. ``keys``: by
    fingerprint, the remembered and suspected keys among the findings.
    """

    data: bytes
    findings: tuple[Finding, ...]
    problem: str = ""
    keys: Mapping[str, Key] = MappingProxyType({})
