"""What the engine is given and what it hands back. A finding holds a fingerprint, never a key."""

from typing import NamedTuple, Protocol

from mistral_nb.key import Secret

KNOWN, REMEMBERED, SUSPECTED = "known", "remembered", "suspected"
REPORTED, KEPT, NOTED = "reported", "kept", "noted"
ALL_TIERS = frozenset({KNOWN, REMEMBERED, SUSPECTED})  # the tiers that are rewritten


class Remembered(Protocol):
    """An entry of the index: names a key by its fingerprint."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def length(self) -> int: ...
    @property
    def tail(self) -> str: ...
    @property
    def standard(self) -> bool | None: ...  # 32 alphanumerics; None where that was not noted


class Watchlist(Protocol):
    """What the engine needs of `mistral_nb.watch.Watchlist`."""

    @property
    def known(self) -> tuple[Secret, ...]: ...
    @property
    def remembered(self) -> tuple[Remembered, ...]: ...
    @property
    def reported(self) -> frozenset[str]: ...
    @property
    def keep(self) -> frozenset[str]: ...
    @property
    def strict(self) -> bool: ...


class Finding(NamedTuple):
    """One key in one place.

    ``tier``: known, remembered and suspected are rewritten; reported (its fingerprint came with a
    repository), kept (on the keep list or its line says so) and noted (another vendor's identifier)
    never are. ``fingerprint`` is "" where only a fragment was found. ``path`` is where in a notebook,
    ``cells[3].outputs[0].text``; "" elsewhere. ``line`` is 1-based, in the file or the value's text;
    ``cell`` is 1-based too.
    """

    tier: str
    fingerprint: str
    tail: str
    path: str
    line: int | None
    cell: int | None = None


class Result(NamedTuple):
    """``data`` is the same object as was given when nothing was removed."""

    data: bytes
    findings: tuple[Finding, ...]
