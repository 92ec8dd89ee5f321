"""A watchlist made ready for searching bytes: blocks of known keys, tails of remembered ones."""

from typing import NamedTuple

from mistral_nb.key import FRAGMENT, Key, Secret, fingerprint
from mistral_nb.scrub.findings import KNOWN, REMEMBERED, REPORTED, SUSPECTED, Watchlist
from mistral_nb.scrub.shapes import KEY_CHARACTERS, NARROW, STANDARD, WIDE, is_mixed, runs

_BLOCK = 8  # any 15 characters in a row hold one whole block of 8
_LONGEST_HASHED = 256  # longer runs are looked into by tail only


class Match(NamedTuple):
    """A key in a text. ``filler`` has the length of what it replaces; None: the marker goes there."""

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


class Wanted:
    """What to look for. No run of key characters shorter than ``shortest`` can hold any of it, none
    shorter than ``shortest_whole`` a whole key.
    """

    def __init__(self, watchlist: Watchlist, tiers: frozenset[str]) -> None:
        self.secrets: list[Secret] = []
        self.odd: list[Secret] = []  # passphrases, with characters that no key has
        self.blocks: list[Block] = []
        self._entries = watchlist.remembered if REMEMBERED in tiers else ()
        self._tails: dict[bytes, list[tuple[int, str]]] | None = None
        self.reported = watchlist.reported
        self.keep = watchlist.keep
        self.strict = watchlist.strict and bool(tiers & {REMEMBERED, SUSPECTED})
        self.suspects = self.strict or SUSPECTED in tiers
        lengths = [STANDARD]
        if KNOWN in tiers:
            for secret in watchlist.known:
                self._add(secret)
            lengths += [len(secret.reveal()) for secret in self.secrets]
        lengths += [entry.length for entry in self._entries]
        # where it was not noted, a key of the standard length is taken to have the standard characters
        standard = all(
            entry.length == STANDARD and entry.standard is not False and entry.tail.isalnum() for entry in self._entries
        )
        plain = all(secret.reveal().isalnum() for secret in self.secrets)
        self.classes = NARROW if standard and plain else WIDE
        self.shortest_whole = min(lengths)
        self.shortest = FRAGMENT if self.secrets else self.shortest_whole

    @property
    def tails(self) -> dict[bytes, list[tuple[int, str]]]:
        """Length and fingerprint of the remembered keys by their last characters; made when needed."""
        if self._tails is None:
            self._tails = {}
            for entry in self._entries:
                self._tails.setdefault(entry.tail.encode(), []).append((entry.length, entry.fingerprint))
        return self._tails

    def _add(self, secret: Secret) -> None:
        text = secret.reveal().encode("utf-8", "surrogatepass")
        if len(text) < FRAGMENT or not set(text) <= set(KEY_CHARACTERS):
            if text:
                self.odd.append(secret)
            return
        self.secrets.append(secret)
        number = len(self.secrets) - 1
        for offset in range(0, len(text) - _BLOCK + 1, _BLOCK):
            self.blocks.append(Block(text[offset : offset + _BLOCK], offset, number))

    def of(self, text: bytes) -> list[Match]:
        """The keys that stand plainly in ``text``, in order of tier."""
        return [*self._known(text), *self._remembered(text), *self._reported(text)]

    def may_be_in(self, text: bytes) -> bool:
        """Quickly: False when no key stands plainly in ``text``."""
        for block in self.blocks:
            if block.text in text:
                return True
        for tail in self.tails:  # a plain loop: it runs for each file, fifty times
            if tail in text:
                return True
        return bool(self.reported)

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
        if end - position < FRAGMENT:
            return None
        whole = end - position == len(key)
        name = fingerprint(secret.reveal()) if whole else ""
        tail = secret.reveal()[-4:] if isinstance(secret, Key) else ""
        return Match(position, end, KNOWN, name, tail)

    def _remembered(self, text: bytes) -> list[Match]:
        found = []
        for tail, entries in self.tails.items():
            position = text.find(tail)
            while position >= 0:
                end = position + len(tail)
                for length, name in entries:
                    if _hashes_to(text[max(0, end - length) : end], length, name):
                        found.append(Match(end - length, end, REMEMBERED, name, tail.decode()))
                position = text.find(tail, position + 1) if tail else -1
        return found

    def _reported(self, text: bytes) -> list[Match]:
        if not self.reported:
            return []
        found = []
        for run in runs(text, STANDARD):
            if len(run.text) > _LONGEST_HASHED:
                continue
            for start in range(len(run.text) - STANDARD + 1):
                window = run.text[start : start + STANDARD]
                if is_mixed(window) and fingerprint(window.decode()) in self.reported:
                    at = run.start + start
                    name = fingerprint(window.decode())
                    found.append(Match(at, at + STANDARD, REPORTED, name, window[-4:].decode()))
        return found


def _hashes_to(window: bytes, length: int, name: str) -> bool:
    return len(window) == length and not window.translate(None, KEY_CHARACTERS) and fingerprint(window.decode()) == name
