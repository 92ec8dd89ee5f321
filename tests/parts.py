"""The real parts that tests need: a missing one skips its tests here, and fails them in CI."""

import os
import shutil

import pytest


def need(*programs: str) -> None:
    """Skip (in CI: fail) unless every program is on the PATH."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        absent(f"{', '.join(missing)} not installed")


def absent(reason: str) -> None:
    """A real part is not here: skip, or in CI, where nothing may be missing, fail."""
    if os.environ.get("MISTRAL_NB_CI"):
        pytest.fail(f"in CI every part must be there: {reason}")
    pytest.skip(reason)


def as_anybody(*words: str) -> list[str]:
    """A command for which modes count, as they do for anybody but root."""
    if os.name != "posix" or os.geteuid() != 0:
        return list(words)
    need("setpriv")
    return ["setpriv", "--bounding-set=-all", *words]
