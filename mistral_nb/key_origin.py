"""Where a key in the environment came from that this package did not set."""

import functools
import os
from collections.abc import Mapping

from mistral_nb.api_key import Key, key_or_none
from mistral_nb.bounded_read import MAX_OWN_FILE
from mistral_nb.config import API_KEY_VARIABLE, initial_environment


def origin_in(environ: Mapping[str, str], key: Key) -> str:
    """The origin of ``key``, which ``environ`` holds, in words to be shown."""
    inherited = environ is not os.environ or key.fingerprint in _inherited_fingerprints()
    return "the environment" if inherited else "the environment, set in this process"


@functools.cache
def _inherited_fingerprints() -> frozenset[str]:
    """Of the key that this process was started with. Only Linux still knows it; elsewhere, the one at our import."""
    try:
        values = initial_environment("self", MAX_OWN_FILE)
    except OSError:
        return _at_import
    return _fingerprints_in(values) if "PATH" in values else _at_import


def _fingerprints_in(environ: Mapping[str, str]) -> frozenset[str]:
    key = key_or_none(environ.get(API_KEY_VARIABLE))
    return frozenset({key.fingerprint} if key else ())


_at_import = _fingerprints_in(os.environ)
