"""Coverage-guided fuzzing of the scrub engine. Run it manually, with atheris installed:

    python tests/fuzz/fuzz_redaction.py -max_total_time=600 tests/fuzz/seeds

In the input, ``{k}`` stands for a key and ``{0}`` … ``{3}`` for its quarters, so that no seed holds one.
"""

import base64
import json
import random
import sys

import atheris

with atheris.instrument_imports(include=["mistral_nb.redaction.redact"]):
    from mistral_nb.redaction.redact import redact, redact_text

from mistral_nb.storage.index import RememberedKey
from mistral_nb.watchlist import Watchlist
from support.keys import make_key

_KEY = make_key(random.Random(5))
_TEXT = _KEY.reveal().encode()
_FORMS = {
    b"{k}": _TEXT,
    b"{b}": base64.b64encode(_TEXT),
    b"{h}": _TEXT.hex().encode(),
    b"{p}": b"".join(b"%%%02x" % c for c in _TEXT),
    b"{u}": b"".join(b"\\u%04x" % c for c in _TEXT),
    **{b"{%d}" % n: _TEXT[8 * n : 8 * n + 8] for n in range(4)},
}
_SEEN = RememberedKey(_KEY.fingerprint, _KEY.length, _KEY.tail, "live", "")
_LISTS = [Watchlist(known=(_KEY,)), Watchlist(remembered=(_SEEN,)), Watchlist(strict=True)]


def one_input(data: bytes) -> None:
    for name, form in _FORMS.items():
        data = data.replace(name, form)
    for watchlist in _LISTS:
        check(data, watchlist)


def check(data: bytes, watchlist: Watchlist) -> None:
    result = redact(data, watchlist)
    rewritten = [f for f in result.findings if f.tier in ("known", "remembered", "suspected")]
    if not rewritten:
        assert result.data is data, "nothing was found, and another object came back"
    in_image = b"image/" in data.lower() and not watchlist.known  # known keys only are looked for there
    if not watchlist.strict and not in_image:
        assert _TEXT not in result.data, "the key is still there"
    again = redact(result.data, watchlist)
    assert again.data is result.data, "twice is not once"
    if rewritten and is_json(data):
        assert is_json(result.data), "valid JSON was broken"
    text = data.decode("utf-8", "replace")
    cleaned, _ = redact_text(text, watchlist)
    assert watchlist.strict or in_image or _TEXT.decode() not in cleaned


def is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
