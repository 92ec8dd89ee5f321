"""Twice the input takes about twice the time, on input made to be slow. Ratios of CPU time, no absolute ones."""

import base64
import gc
import json
import random
import string
import time
from collections.abc import Callable

import pytest

from mistral_nb.redaction.redact import redact, redact_values
from support.forms import known, remembered
from support.keys import make_key

KEY = make_key(random.Random(7))
_ALNUM = (string.ascii_letters + string.digits).encode()


def _random(size: int) -> bytes:
    return bytes(random.Random(3).choices(_ALNUM, k=size))


def _keys(count: int, before: bytes) -> bytes:
    """Key-shaped texts, each after ``before``."""
    one = _random(32)
    return b"".join(before + one[i % 32 :] + one[: i % 32] for i in range(count))


HARD: dict[str, Callable[[int], bytes]] = {
    "one alphanumeric run": lambda n: b"mistral " + _random(20 * n),
    "one letter": lambda n: b"mistral " + b"a" * 50 * n,
    "short strings": lambda n: json.dumps({"cells": [f"ab{i}" for i in range(n)]}, indent=1).encode(),
    "short strings, one line": lambda n: json.dumps({"cells": ["a"] * 2 * n}).encode(),
    "ANSI codes": lambda n: b"\x1b[0m" * 4 * n,
    "escaped ANSI codes": lambda n: b'{"cells": "' + b"\\u001b[0ma" * 2 * n + b'"}',
    "unfinished ANSI codes": lambda n: b"\x1b[" * n + b"\x1b]" * n,
    "base64": lambda n: b'"data": "' + base64.b64encode(random.Random(1).randbytes(20 * n)) + b'"',
    "base64 of letters": lambda n: base64.b64encode(_random(10 * n)),
    "hex": lambda n: random.Random(1).randbytes(10 * n).hex().encode(),
    "hex of letters": lambda n: _random(10 * n).hex().encode(),
    "percent": lambda n: b"%41" * 4 * n,
    "backslashes": lambda n: b'{"cells": "' + b"\\" * 20 * n,
    "escaped letters": lambda n: b"\\u0041" * 2 * n,
    "quotes": lambda n: b'{"cells": ' + b'"' * 20 * n,
    "opening tags": lambda n: b"<" * 20 * n + b"&" * n,
    "tags": lambda n: b"<b>a</b>" * 2 * n,
    "spaces": lambda n: b"a" + b" " * 20 * n + b"\n" + b"\\n " * n,
    "line breaks": lambda n: b"a\n" * 5 * n,
    "frames": lambda n: "│ a │\n".encode() * 2 * n,
    "streams": lambda n: json.dumps({"cells": [{"output_type": "stream", "text": "a"}] * n}, indent=1).encode(),
    "images": lambda n: b'{"cells": [' + b'{"image/png": "iVBO"},' * n + b"]}",
    "open images": lambda n: b'"cells"' + b"data:image/png;base64,A" * n,
    "keys": lambda n: b"mistral " + b" ".join([KEY.reveal().encode()] * (n // 4)),
    "keys in a row": lambda n: KEY.reveal().encode() * (n // 4),
    "other keys": lambda n: b"mistral " + b" ".join(_random(32)[i:] + _random(32)[:i] for i in range(32)) * (n // 128),
    "other keys and open brackets": lambda n: b"mistral " + b"([{" * 9 * n + _keys(n // 8, b"f(g[{a: '"),
    "other keys and quotes": lambda n: b"mistral " + _keys(n // 8, b"\"'`"),
    "other keys and labels": lambda n: b"mistral\n" + _keys(n // 8, b"\nFOO_API_KEY = "),
    "other keys and addresses": lambda n: b"mistral " + _keys(n // 8, b" url=https://api.a.b/v1 provider: x k="),
    "other keys and mappings": lambda n: b"mistral\n" + _keys(n // 8, b"\n  - a:\n      b: "),
    "other keys and sections": lambda n: b"mistral\n" + _keys(n // 8, b"\n[a]\nb = "),
    "other keys in one string": lambda n: json.dumps(
        {"cells": [{"source": f"mistral {_keys(n // 8, b' ')!r}"}]}
    ).encode(),
    "imports and calls": lambda n: b"import a " * n + b"Mistral((" * n + _keys(1, b" FOO_API_KEY="),
    "tails": lambda n: KEY.tail.encode() * 4 * n,
    "blocks": lambda n: KEY.reveal()[:8].encode() * 4 * n,
    "deep": lambda n: b'{"cells": ' + b"[" * 5 * n + b'"' + KEY.reveal().encode() + b'"',
    "wrapped key, at the end": lambda n: b"ab cd\n" * n + KEY.reveal()[:9].encode() + b"\n" + KEY.reveal()[9:].encode(),
}


def _seconds(data: bytes, watchlist: object) -> float:
    best = 9e9
    for _ in range(3):
        gc.collect()
        start = time.process_time()
        redact(data, watchlist)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.slow
@pytest.mark.parametrize("tier", [known, remembered])
@pytest.mark.parametrize("case", HARD)
def test_time_grows_with_the_size_and_no_faster(case: str, tier: Callable[..., object]) -> None:
    watchlist = tier(KEY)
    for _ in range(3):  # a neighbour can slow down one measurement, hardly three
        small, large = (_seconds(HARD[case](n), watchlist) for n in (500, 4_000))
        if large < 8 * 3.5 * small + 0.02:
            break
    assert large < 8 * 3.5 * small + 0.02, f"8 times the input took {large / small:.1f} times as long"


@pytest.mark.slow
def test_values_grow_with_the_size_and_no_faster() -> None:
    def seconds(n: int) -> float:
        value = {"cells": [{"source": [f"a{i}"], "b": KEY.reveal()} for i in range(n)]}
        start = time.process_time()
        redact_values(value, known(KEY))
        return time.process_time() - start

    seconds(100)
    assert any(seconds(8_000) < 8 * 3.5 * seconds(1_000) + 0.02 for _ in range(3))
