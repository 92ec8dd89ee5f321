"""What the tests of the guard share."""

from collections.abc import Iterator

import pytest

from support.kernels import clean_environment
from support.recorder import Recorder, recorded_kernel


@pytest.fixture(scope="module")
def recorder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    """A guarded kernel, with every frame it sends, that holds the test file's ``KEY``."""
    with recorded_kernel(tmp_path_factory.mktemp("kernel"), request.module.KEY, guarded=True) as running:
        yield running


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment that the kernels and hooks of a test file share."""
    return clean_environment(tmp_path_factory.mktemp("world"))
