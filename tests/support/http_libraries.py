"""httpx and httpx2, which the SDK brings along from its version 3 on."""

from importlib import import_module
from importlib.util import find_spec

import pytest

EACH_LIBRARY = pytest.mark.parametrize(
    "library", [import_module(name) for name in ("httpx", "httpx2") if find_spec(name)], ids=lambda it: it.__name__
)
