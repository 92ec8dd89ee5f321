"""The copies that a Jupyter server makes of keys before it saves files without them."""

import atexit
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from mistral_nb.api_key import Key
from mistral_nb.config import Environ, sets_aside
from mistral_nb.errors import NotSetAside
from mistral_nb.file_scrub.key_copies import CopyKeeper, make_keeper
from mistral_nb.key_records import IN_MEMORY, SET_ASIDE
from mistral_nb.storage.index import aside_id

if TYPE_CHECKING:  # imported when there is a key to set aside
    from mistral_nb.storage.set_aside import RemovalPlace

_SAVE_SECONDS = 6.0  # that a save waits for the stores: what takes longer waits in memory for the next one
_TOO_LONG = "The stores take too long."
_TRY_AGAIN = "It is still in this server's memory: unlock the keyring, and try again."


class KeepResult(NamedTuple):
    """``kept`` as in `KeyRecord`, ``text`` a sentence for a person."""

    kept: str
    text: str


class ServerCopies:
    """Sets keys aside. Those that no store takes are kept in memory until one does, or the server ends.

    ``make_keeper`` makes what sets a key aside, or raises `NotSetAside`; it may remember for a while that a store
    refused. ``last_keeper`` is for the end of the process, by default one more of those. ``warn`` is told which keys
    are lost.
    """

    def __init__(
        self,
        make_keeper: Callable[[], CopyKeeper],
        warn: Callable[..., object] = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
        last_keeper: CopyKeeper | None = None,
    ) -> None:
        self._make_keeper = make_keeper
        self._last_keeper = last_keeper
        self._set_aside = make_keeper()
        self._warn = warn
        self._clock = clock
        self._in_memory: dict[str, tuple[Key, RemovalPlace]] = {}  # by fingerprint
        self._finishes_at_exit = False

    @property
    def has_waiting(self) -> bool:
        """Whether a key is in memory alone."""
        return bool(self._in_memory)

    def keeper(self) -> CopyKeeper:
        """For the keys of one file. It returns what `KeyRecord.kept` says of a key from then on."""
        end = self._clock() + _SAVE_SECONDS
        return lambda key, place: self._keep(key, place, end)

    def store_waiting(self) -> None:
        """Set aside what is in memory, if a store takes it by now. One that refused is not asked again at once."""
        end = self._clock() + _SAVE_SECONDS
        for key, place in tuple(self._in_memory.values()):
            self._keep(key, place, end)

    def try_again(self, wanted: str) -> KeepResult | None:
        """Set aside the key with this id now, also if a store refused it just before; None if it is not in memory."""
        waiting = tuple(self._in_memory.values())
        found = next(((key, place) for key, place in waiting if aside_id(key.fingerprint) == wanted), None)
        if found is None:
            return None
        key, place = found
        self._set_aside = self._make_keeper()
        try:
            kept = self._set_aside(key, place)
        except NotSetAside as error:
            return KeepResult(IN_MEMORY, f"{error.failed} {_TRY_AGAIN}")
        self._in_memory.pop(key.fingerprint, None)
        return KeepResult(kept, f"…{key.tail} is set aside on this machine for 30 days.")

    def finish(self) -> None:
        """Set aside what is in memory, as the server ends; what no store takes is lost, and its tail is logged."""
        lost, why = [], ""
        keep = self._last_keeper or self._make_keeper()
        end = self._clock() + _SAVE_SECONDS
        for key, place in tuple(self._in_memory.values()):
            try:
                if self._clock() > end:
                    raise NotSetAside(_TOO_LONG, _TRY_AGAIN)
                keep(key, place)
                self._in_memory.pop(key.fingerprint, None)
            except NotSetAside as error:
                lost.append(f"…{key.tail}, removed from {place.file}")
                why = error.failed
            except Exception as error:  # noqa: BLE001, the others are still to be tried
                lost.append(f"…{key.tail}, removed from {place.file}")
                why = f"It failed ({type(error).__name__})."
        if lost:
            self._warn(
                "mistral_nb: keys that were in this server's memory alone are lost: %s. %s", "; ".join(lost), why
            )

    def _keep(self, key: Key, place: "RemovalPlace", end: float) -> str:
        """``end``: by the clock, after which no store is tried."""
        place = place._replace(file=place.file.lstrip("/"))  # as the contents API may have it
        try:
            if self._clock() > end:
                raise NotSetAside(_TOO_LONG, _TRY_AGAIN)
            kept = self._set_aside(key, place)
        except NotSetAside:
            self._in_memory[key.fingerprint] = key, place
            if not self._finishes_at_exit:
                self._finishes_at_exit = True
                atexit.register(self.finish)
            return IN_MEMORY
        self._in_memory.pop(key.fingerprint, None)
        return kept


def open_copies(environ: Environ, warn: Callable[..., object]) -> ServerCopies | None:
    """None where nothing is to be set aside: turned off, or in CI."""
    if not sets_aside(environ):
        return None

    def keep_at_exit(key: Key, place: "RemovalPlace") -> str:
        """By a process of its own: as Python ends, it starts no threads, and what a store does has no limit."""
        from mistral_nb.storage.aside_child import set_aside_in_child

        set_aside_in_child([(key, place)], environ, _SAVE_SECONDS)
        return SET_ASIDE

    return ServerCopies(lambda: make_keeper(environ), warn, last_keeper=keep_at_exit)
