"""One stream of one cell: a key that is printed in pieces does not come together at the other end."""

from mistral_nb.kernel.needles import Needles
from mistral_nb.kernel.spans import Span, merged
from mistral_nb.key import MARKER


class Carry:
    """What of a stream went out lately, and the tail that waits because a key may be starting there.

    The pieces that come out join to the text that went in, each secret in it replaced by one marker.
    Where the start of one was given out because more did not come in time, the rest of it is
    replaced: of a key, at most 14 characters in a row come through.
    """

    __slots__ = ("_gone", "_masked", "held")

    def __init__(self) -> None:
        self.held = ""
        self._gone = ""  # the last characters given out, as they were
        self._masked = False  # whether the very last of them was replaced

    def feed(self, text: str, needles: Needles) -> str:
        """Take more of the stream; returns what may go out now."""
        return self._give(self.held + text, needles, hold=True)

    def flush(self, needles: Needles, more: str = "") -> str:
        """What waits (and ``more``), whatever may follow it."""
        return self._give(self.held + more, needles, hold=False)

    def leave(self) -> None:
        """What waits is given out by somebody else."""
        if self.held:
            self._gone, self.held, self._masked = self._gone + self.held, "", False

    def _give(self, new: str, needles: Needles, hold: bool) -> str:
        text = self._gone + new
        first = len(self._gone)
        spans = self._spans(text, first, needles, hold)
        end = _hold_from(text, first, spans, needles) if hold else len(text)
        out = self._written(text, first, end, spans)
        if end > first:
            self._masked = any(a < end <= b for a, b in spans)
        self.held = text[end:]
        self._gone = text[max(0, end - needles.longest) : end]
        return out

    @staticmethod
    def _spans(text: str, first: int, needles: Needles, hold: bool) -> list[Span]:
        spans = [*needles.spans(text), *needles.across(text, first)]
        if not hold:  # of an encoded key, as much as is enough of a plain one
            spans += [(start, len(text)) for start, form in needles.begun(text) if len(text) - start >= form.shortest]
        return list(merged(spans))

    def _written(self, text: str, first: int, end: int, spans: list[Span]) -> str:
        pieces, done = [], first
        for a, b in spans:
            if min(b, end) <= max(a, first):
                continue
            pieces.append(text[done : max(a, done)])
            if a >= first or not self._masked:
                pieces.append(MARKER)
            done = min(b, end)
        return "".join([*pieces, text[done:end]])


def _hold_from(text: str, first: int, spans: list[Span], needles: Needles) -> int:
    """Where the part starts that has to wait; what is replaced anyway need not."""
    start = min((start for start, _ in needles.begun(text)), default=len(text))
    return max([first, start, *(b for a, b in spans if a <= start < b)])
