"""The exit codes of the command line."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs 10 ms, and hooks call us once a file
if TYPE_CHECKING:
    from collections.abc import Iterable

OK = 0
FINDING = 1  # a key was found, there is no key, or the API does not accept it
WRONG_USAGE = 2
INCOMPLETE = 3  # could not do it, or not all of it
NEVER_STARTED = 125  # of `run` and `curl`, whose other exit codes are the command's
INTERRUPTED = 130  # Ctrl-C, or declined


def worst(codes: Iterable[int]) -> int:
    """The code for several results: INCOMPLETE outranks FINDING, which outranks OK."""
    return max(codes, default=OK)
