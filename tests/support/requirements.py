"""The real programs that tests need: a missing one skips its tests here, and fails them in CI."""

import os
import shutil

import pytest


def need(*programs: str) -> None:
    """Skip (in CI: fail) unless every program is on the PATH."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        absent(f"{', '.join(missing)} not installed")


def absent(reason: str) -> None:
    """A real part is missing: skip, or fail in CI, where nothing may be missing."""
    if os.environ.get("MISTRAL_NB_CI"):
        pytest.fail(f"in CI every part must be there: {reason}")
    pytest.skip(reason)


def as_anybody(*words: str) -> list[str]:
    """A command that is subject to file modes, unlike root."""
    if os.name != "posix" or os.geteuid() != 0:
        return list(words)
    need("setpriv")
    return ["setpriv", "--bounding-set=-all", *words]
