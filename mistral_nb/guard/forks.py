"""Forked children: text that is held back is sent before the fork, and is not the child's to send.

A child writes past its parent's Session, and has none of its threads: so nothing here takes a lock that it
could copy locked, and a guard of descriptors is ended only by the process that began it.
"""

import contextlib
import os
from weakref import WeakSet

from mistral_nb.guard.streams import Streams

_prepared_streams: WeakSet[Streams] = WeakSet()


def prepare_forks(streams: Streams) -> None:
    """From now on, for as long as the streams exist."""
    _prepared_streams.add(streams)


def _flush_in_parent() -> None:
    for streams in tuple(_prepared_streams):
        with contextlib.suppress(Exception):
            streams.flush_all()


def _drop_in_child() -> None:
    for streams in tuple(_prepared_streams):
        streams.drop_held()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_flush_in_parent, after_in_child=_drop_in_child)
