"""A watchlist prepared for searching bytes: blocks of known keys, tails of remembered ones."""

import contextlib
from typing import NamedTuple

from mistral_nb.api_key import MIN_FRAGMENT, Key, Secret, fingerprint
from mistral_nb.errors import NotAKey
from mistral_nb.file_cache import remember_last
from mistral_nb.redaction import strict_mode
from mistral_nb.redaction.findings import KNOWN, REMEMBERED, REPORTED, SUSPECTED, WatchlistLike
from mistral_nb.redaction.key_characters import NARROW, WIDE, find_runs, is_mixed
from mistral_nb.redaction.key_spellings import KEY_CHARACTERS, STANDARD_LENGTH
from mistral_nb.redaction.remembered_tails import RememberedTails

_BLOCK = 8  # any 15 characters in a row hold one whole block of 8
_LONGEST_HASHED = 256  # longer runs are looked into by tail only
_NO_TAILS = RememberedTails(())
_tails_of = remember_last(RememberedTails)  # a thousand files share the index's keys


class Match(NamedTuple):
    """A key in a text. ``filler`` has the length of what it replaces; None: use the marker."""

    start: int
    end: int
    tier: str
    fingerprint: str
    tail: str
    filler: bytes | None = None


class Block(NamedTuple):
    text: bytes
    offset: int  # in its key
    secret: int  # which of the secrets


class SearchTerms:
    """What to look for. No run of key characters shorter than ``shortest`` can hold any of it, none
    shorter than ``shortest_whole`` a whole key. ``found_keys``: by fingerprint, the remembered and suspected keys
    that were come upon, whether they are removed or not.
    """

    def __init__(self, watchlist: WatchlistLike, tiers: frozenset[str]) -> None:
        self.found_keys: dict[str, Key] = {}
        self.secrets: list[Secret] = []
        self.passphrases: list[Secret] = []  # passphrases, with characters that no key has
        self.blocks: list[Block] = []
        self._tails = _tails_of(watchlist.remembered) if REMEMBERED in tiers else _NO_TAILS
        self._latest: tuple[bytes, list[Match]] = (b"", [])  # a text is asked about first, then searched
        self.reported = watchlist.reported
        self.keep = watchlist.keep
        self.strict = watchlist.strict and strict_mode.applies_to(tiers)
        self.suspects = self.strict or SUSPECTED in tiers
        lengths = [STANDARD_LENGTH, self._tails.shortest]
        if KNOWN in tiers:
            for secret in watchlist.known:
                self._add(secret)
            lengths += [len(secret.reveal()) for secret in self.secrets]
        plain = all(secret.reveal().isalnum() for secret in self.secrets)
        self.classes = NARROW if self._tails.is_plain and plain else WIDE
        self.shortest_whole = min(lengths)
        self.shortest = MIN_FRAGMENT if self.secrets else self.shortest_whole

    def _add(self, secret: Secret) -> None:
        text = secret.reveal().encode("utf-8", "surrogatepass")
        if len(text) < MIN_FRAGMENT or not set(text) <= set(KEY_CHARACTERS):
            if text:
                self.passphrases.append(secret)
            return
        self.secrets.append(secret)
        number = len(self.secrets) - 1
        for offset in range(0, len(text) - _BLOCK + 1, _BLOCK):
            self.blocks.append(Block(text[offset : offset + _BLOCK], offset, number))

    def find_matches(self, text: bytes) -> list[Match]:
        """The keys in plain form in ``text``, in order of tier."""
        return [*self._known(text), *self._remembered(text), *self._reported(text)]

    def may_match(self, text: bytes) -> bool:
        """Quick check: False if no key is in plain form in ``text``."""
        if any(block.text in text for block in self.blocks):
            return True
        return bool(self._remembered(text)) or bool(self.reported)

    def find_plain(self, text: bytes) -> list[Match]:
        """Known and remembered keys in a long text without anything between."""
        return [*self._known(text), *self._remembered(text)]

    def _known(self, text: bytes) -> list[Match]:
        found: dict[Match, None] = {}  # in order, each once
        for block in self.blocks:
            position = text.find(block.text)
            while position >= 0:
                match = self._grown(text, position, block)
                if match:
                    found[match] = None
                position = text.find(block.text, match.end if match else position + 1)
        return list(found)

    def _grown(self, text: bytes, position: int, block: Block) -> Match | None:
        """The longest part of the block's key that stands around ``position``, if long enough."""
        secret = self.secrets[block.secret]
        key = secret.reveal().encode()
        before, after = block.offset, block.offset + _BLOCK
        end = position + _BLOCK
        while before and position and text[position - 1] == key[before - 1]:
            before, position = before - 1, position - 1
        while after < len(key) and end < len(text) and text[end] == key[after]:
            after, end = after + 1, end + 1
        if end - position < MIN_FRAGMENT:
            return None
        whole = end - position == len(key)
        name = fingerprint(secret.reveal()) if whole else ""
        tail = secret.reveal()[-4:] if isinstance(secret, Key) else ""
        return Match(position, end, KNOWN, name, tail)

    def _remembered(self, text: bytes) -> list[Match]:
        if self._latest[0] is not text:
            found = [
                Match(start, end, REMEMBERED, name, tail) for start, end, name, tail in self._tails.find_matches(text)
            ]
            for match in found:
                self.note_key(match.fingerprint, text[match.start : match.end])
            self._latest = text, found
        return self._latest[1]

    def note_key(self, name: str, text: bytes) -> None:
        """A key was come upon that this process may know from nowhere else."""
        if name not in self.found_keys:
            with contextlib.suppress(NotAKey):
                self.found_keys[name] = Key(text.decode())

    def _reported(self, text: bytes) -> list[Match]:
        if not self.reported:
            return []
        found = []
        for run in find_runs(text, STANDARD_LENGTH):
            if len(run.text) > _LONGEST_HASHED:
                continue
            for start in range(len(run.text) - STANDARD_LENGTH + 1):
                window = run.text[start : start + STANDARD_LENGTH]
                if is_mixed(window) and fingerprint(window.decode()) in self.reported:
                    at = run.start + start
                    name = fingerprint(window.decode())
                    found.append(Match(at, at + STANDARD_LENGTH, REPORTED, name, window[-4:].decode()))
        return found
