"""Recall, forms × tiers, as a table: of a hundred keys in each form, how many are removed.

cd tests && python -m benchmarks.recall
"""

import random
import sys

from mistral_nb.redaction.redact import redact
from mistral_nb.watchlist import Watchlist
from support.checker import FRAGMENT, can_read
from support.forms import FORMS, LEAKS, PLACES, STYLES, known, remembered
from support.keys import make_key

_TIMES = 100


def main() -> int:
    print(f"{'form':24} {'known':>8} {'remembered':>11}")
    for form in FORMS:
        print(f"{form:24} {_share(form, known):>8} {_share(form, remembered):>11}")
    print(f"{'fragments of 15 to 31':24} {_fragments():>8} {'–':>11}")
    print(f"\n{'leak of an unknown key':32} {'suspected':>9}")
    for leak in LEAKS:
        print(f"{leak:32} {_suspected(leak):>9}")
    return 0


def _share(form: str, tier: object) -> str:
    removed = 0
    rng = random.Random(form)
    for number in range(_TIMES):
        key = make_key(rng)
        place = list(PLACES)[number % len(PLACES)]
        style = list(STYLES)[number % len(STYLES)]
        data = STYLES[style](PLACES[place](FORMS[form](key.reveal())))
        removed += not can_read(redact(data, tier(key)).data, key.reveal())
    return f"{100 * removed // _TIMES} %"


def _fragments() -> str:
    rng = random.Random(1)
    removed = 0
    for number in range(_TIMES):
        key = make_key(rng)
        length = 15 + number % 17
        start = rng.randint(0, key.length - length)
        text = f"a{key.reveal()[start : start + length]}b"
        removed += not can_read(redact(text.encode(), known(key)).data, key.reveal(), FRAGMENT)
    return f"{100 * removed // _TIMES} %"


def _suspected(leak: str) -> str:
    rng = random.Random(leak)
    keys = [make_key(rng) for _ in range(_TIMES * 10)]
    left = sum(
        key.reveal().encode() in redact(LEAKS[leak].format(k=key.reveal()).encode(), Watchlist()).data for key in keys
    )
    return f"{100 - left / _TIMES / 10 * 100:.1f} %"


if __name__ == "__main__":
    sys.exit(main())
