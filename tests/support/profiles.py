"""Hypothesis: the same examples in every default run; other and more ones with ``--hypothesis-profile=long``."""

from hypothesis import settings

_LONG = "long"


def register() -> None:
    settings.register_profile("default", derandomize=True, deadline=None, database=None)
    settings.register_profile(_LONG, deadline=None, database=None, print_blob=True, max_examples=500)
    settings.load_profile("default")


def is_long() -> bool:
    return settings.get_current_profile_name() == _LONG


def examples(number: int) -> int:
    """How many examples: so many, five times as many in the long profile."""
    return number * 5 if is_long() else number
