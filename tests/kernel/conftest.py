"""What the tests of the guard share."""

from collections.abc import Iterator

import pytest
from recorder import Recorder, recorded_kernel


@pytest.fixture(scope="module")
def recorder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    """A guarded kernel, with every frame it sends, that holds the test file's ``KEY``."""
    with recorded_kernel(tmp_path_factory.mktemp("kernel"), request.module.KEY, guarded=True) as running:
        yield running
