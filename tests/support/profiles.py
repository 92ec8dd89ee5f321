"""Hypothesis: the same examples in every default run; other and more ones with ``--hypothesis-profile=long``."""

from hypothesis import settings

_LONG = "long"


def register() -> None:
    settings.register_profile("default", derandomize=True, deadline=None, database=None, max_examples=50)
    settings.register_profile(_LONG, deadline=None, database=None, print_blob=True, max_examples=500)
    settings.load_profile("default")


def is_long() -> bool:
    return settings.get_current_profile_name() == _LONG


def examples(number: int) -> int:
    """How many examples: five times as many in the long profile; in the default one, of many a third."""
    if is_long():
        return number * 5
    return number // 3 if number >= 100 else number
