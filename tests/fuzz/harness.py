"""What the harnesses share: `run` is each one's main, `within` bounds what one input may cost."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

MOST_SECONDS = 2.0  # an input of a fuzzer is small: what takes longer grows faster than its input


def run(one_input: Callable[[bytes], None]) -> None:
    """``python tests/fuzz/fuzz_NAME.py [-max_total_time=600] [FOLDER_OF_SEEDS]``, with atheris installed."""
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


@contextlib.contextmanager
def within(seconds: float = MOST_SECONDS) -> Iterator[None]:
    start = time.process_time()
    yield
    spent = time.process_time() - start
    assert spent < seconds, f"it took {spent:.1f} seconds"
