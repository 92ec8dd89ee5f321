"""One stream of one cell: a key printed in pieces is not reassembled at the other end."""

from mistral_nb.api_key import MARKER
from mistral_nb.guard.secret_forms import from_byte_text, to_byte_text
from mistral_nb.guard.text_matcher import TextMatcher
from mistral_nb.guard.text_spans import Match, Removal, merge_matches
from mistral_nb.redaction.findings import Span


class StreamRedactor:
    """What was recently sent of a stream, and the tail held back because a key may start there.

    The output pieces join to the input text, with each secret replaced by one marker.
    If the start of one was sent because the rest did not come in time, the rest of it is
    replaced: at most 14 consecutive characters of a key get through.
    """

    __slots__ = ("_has_begun", "_held", "_replaced", "_sent")

    def __init__(self) -> None:
        self._held = ""  # as bytes of UTF-8, like all texts that are searched
        self._sent = ""  # the last characters given out, as they were
        self._replaced: list[Span] = []  # what of them was replaced
        self._has_begun = False  # whether they end in what may be the start of a key

    @property
    def held(self) -> str:
        """The text that is held back."""
        return from_byte_text(self._held)

    def feed(self, text: str, matcher: TextMatcher) -> str:
        """Take more of the stream; returns what may go out now."""
        return self._release(self._held + to_byte_text(text), matcher, hold=True)

    def flush(self, matcher: TextMatcher, more: str = "") -> str:
        """Return what is held (and ``more``), whatever may follow."""
        return self._release(self._held + to_byte_text(more), matcher, hold=False)

    def hand_over(self) -> None:
        """The held text is sent by someone else."""
        self._has_begun = self._has_begun or bool(self._held)
        self._sent, self._held = self._sent + self._held, ""

    def _release(self, new: str, matcher: TextMatcher, hold: bool) -> str:
        text, first = self._sent + new, len(self._sent)
        matches = matcher.find_matches(text)
        if self._has_begun:
            matches += matcher.matches_begun(text, first)
        unfinished = list(matcher.matches_unfinished(text))
        if not hold:  # of an encoded key, as much as is enough of a plain one
            matches += (match for match, is_enough in unfinished if is_enough)
        removals = merge_matches(matches)
        end = _hold_start(text, first, removals, [match for match, _ in unfinished]) if hold else len(text)
        out = self._render(text, first, end, removals)
        self._remember(text, first, end, removals, matcher.context_start(text, end))
        self._has_begun = bool(unfinished)
        return from_byte_text(out)

    def _render(self, text: str, first: int, end: int, removals: list[Removal]) -> str:
        pieces, done, has_marker = [], first, False
        for a, b, begins in removals:
            has_marker = has_marker and not begins
            has_marker = has_marker or any(low < min(b, first) and a < high for low, high in self._replaced)
            if min(b, end) <= max(a, first):
                continue
            pieces.append(text[done : max(a, done)])
            if not has_marker:
                pieces.append(MARKER)
                has_marker = True
            done = min(b, end)
        return "".join([*pieces, text[done:end]])

    def _remember(self, text: str, first: int, end: int, removals: list[Removal], start: int) -> None:
        """What was sent, from ``start`` on."""
        replaced = (*self._replaced, *((max(a, first), min(b, end)) for a, b, _ in removals))
        self._replaced = [(max(a, start) - start, b - start) for a, b in replaced if max(a, start) < b]
        self._held, self._sent = text[end:], text[start:end]


def _hold_start(text: str, first: int, removals: list[Removal], unfinished: list[Match]) -> int:
    """The start of the part to hold back; what is replaced anyway is not held."""
    return max(first, min((_skip_removed(match, removals, len(text)) for match in unfinished), default=len(text)))


def _skip_removed(match: Match, removals: list[Removal], end: int) -> int:
    """Where the first character of a match stands that is not replaced; ``end`` if all are."""
    for start, stop in match:
        for a, b, _ in removals:
            if a <= start < b:
                start = b  # noqa: PLW2901, the next one may begin there
        if start < stop:
            return start
    return end
