"""A text stream of Python that redacts what is written to it: where no file descriptor can be guarded."""

from collections.abc import Iterable
from typing import Any

from mistral_nb.guard.kernel_messages import UNSEARCHED_TEXT
from mistral_nb.guard.stream_buffer import StreamRedactor
from mistral_nb.guard.text_matcher import MatcherSource


class RedactingStream:
    """Stands in for ``stream``, such as `sys.stdout`.

    What may be the start of a key is held until more comes, the line ends or the stream is flushed. What is written
    to its ``buffer``, as bytes, is not searched.
    """

    def __init__(self, stream: Any, get_matcher: MatcherSource) -> None:
        self._stream, self._get_matcher = stream, get_matcher
        self._redactor = StreamRedactor()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._pass_on(text, hold=not text.endswith("\n"))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._redactor.held:
            self._pass_on("", hold=False)
        self._stream.flush()

    def _pass_on(self, text: str, *, hold: bool) -> None:
        try:
            matcher = self._get_matcher()
            given = self._redactor.feed(text, matcher) if hold else self._redactor.flush(matcher, text)
        except Exception:  # noqa: BLE001, print must not fail
            given, self._redactor = f"{UNSEARCHED_TEXT}\n", StreamRedactor()
        if given:
            self._stream.write(given)
