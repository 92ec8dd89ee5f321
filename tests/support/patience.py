"""How much longer than on an idle machine the tests wait before they give up. What succeeds takes no longer for it."""

import os
import time
from collections.abc import Callable

PATIENCE = float(os.environ.get("MISTRAL_NB_TEST_PATIENCE", "4"))


def wait_for(condition: Callable[[], object], seconds: float = 5) -> None:
    end = time.monotonic() + seconds * PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
