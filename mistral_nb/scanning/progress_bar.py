"""Progress in bytes, over one line of the terminal."""

import time
from collections.abc import Callable, Iterator

from mistral_nb.report import Step

_SHOWN_AFTER, _SHOWN_EVERY = 1.0, 0.1  # seconds


class ProgressBar:
    """Progress in bytes, shown when the work turns out to be long. A step that begins with ``\\r`` redraws."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._clock = max(total, 1), clock
        self._done, self._next, self._shown = 0, clock() + _SHOWN_AFTER, False

    def advance(self, size: int) -> Iterator[Step]:
        self._done += size
        if self._clock() >= self._next:
            self._next, self._shown = self._clock() + _SHOWN_EVERY, True
            filled = 30 * self._done // self._total
            yield Step(f"\r[{'#' * filled}{' ' * (30 - filled)}] {100 * self._done // self._total:3} %")

    def print_line(self, text: str) -> Iterator[Step]:
        """A line of text in the bar's place."""
        if text:
            yield from self.clear()
            yield Step(text)

    def clear(self) -> Iterator[Step]:
        if self._shown:
            yield Step(f"\r{' ' * 38}\r")
