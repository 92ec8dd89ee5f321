"""Where the brackets and statements of a text are: Python, shell, JavaScript, R, JSON, or anything like them.

One pass over the text, whether it is valid or not: brackets in strings and comments do not count, nor do those that
are never closed.
"""

import re
from bisect import bisect_left, bisect_right
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<long>\"{3}|'{3}|["'](?=[{\[][ \t]*\r?\n))   # a string over lines: Python's, or the body that curl sends
  | "(?:[^"\\\n]|\\[^\n])*+(?:"|(?=\n)|\Z)
  | (?:(?<![A-Za-z0-9_])|(?<=[rbfuRBFU]))'(?:[^'\\\n]|\\[^\n])*+(?:'|(?=\n)|\Z)   # not the one of "don't"
  | `(?!\r?\n)[^`\n]*+`?
  | (?P<comment>(?<![^\s;])\#[^\n]*+|(?:(?<![^\n])[ \t]*+|(?<=[;,{)]\ ))//[^\n]*+)
  | [\\`^]\r?\n
  | (?P<opening>[(\[{])
  | (?P<closing>[)\]}])
  | (?P<end>\n|;(?=\s)|&&)
    """,
    re.VERBOSE,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}
_DEEPEST = 40  # brackets; deeper ones are passed over


class Bracket(NamedTuple):
    """A pair of brackets: the positions of both, and which of the others is around it (-1: none)."""

    start: int
    end: int
    parent: int


class Outline:
    """Brackets, comments and statement ends of a text of limited length."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.comments: list[tuple[int, int]] = []
        self._ends: list[int] = []
        self._brackets = self._match_brackets()
        self._starts = [bracket.start for bracket in self._brackets]
        self._ends = [end for end in self._ends if not self._around(end)]

    def brackets_around(self, position: int) -> list[Bracket]:
        """The pairs of brackets around a position, from the innermost."""
        found = []
        bracket = self._around(position)
        while bracket:
            found.append(bracket)
            bracket = self._brackets[bracket.parent] if bracket.parent >= 0 else None
        return found

    def statement_around(self, position: int) -> tuple[int, int]:
        """Start and end of the statement: it goes on over the lines of an open bracket and after a backslash."""
        around = self.brackets_around(position)
        low, high = (around[-1].start, around[-1].end) if around else (position, position)
        before, after = bisect_left(self._ends, low), bisect_left(self._ends, high)
        start = self._ends[before - 1] + 1 if before else 0
        return start, self._ends[after] if after < len(self._ends) else len(self.text)

    def is_comment(self, position: int) -> bool:
        at = bisect_right(self.comments, (position, len(self.text))) - 1
        return at >= 0 and position < self.comments[at][1]

    def _match_brackets(self) -> list[Bracket]:
        """The pairs in order of their start. A closing bracket closes the last one of its kind that is open."""
        open_now: list[tuple[str, int]] = []
        ends: dict[int, int] = {}
        position = 0
        while match := _TOKEN.search(self.text, position):
            position = match.end()
            if match["long"]:
                end = self.text.find(match["long"], position)
                position = end + len(match["long"]) if end >= 0 else position
            elif match["comment"]:
                self.comments.append(match.span())
            elif match["end"]:
                self._ends.append(match.start())
            elif match["opening"] and len(open_now) < _DEEPEST:
                open_now.append((match[0], match.start()))
            elif match["closing"]:
                _close(match, open_now, ends)
        return _with_parents(ends)

    def _around(self, position: int) -> Bracket | None:
        """The innermost pair around a position."""
        at = bisect_left(self._starts, position) - 1
        while at >= 0 and self._brackets[at].end < position:
            at = self._brackets[at].parent
        return self._brackets[at] if at >= 0 else None


def _close(match: re.Match[str], open_now: list[tuple[str, int]], ends: dict[int, int]) -> None:
    for depth in range(len(open_now) - 1, -1, -1):
        if open_now[depth][0] == _PAIRS[match[0]]:
            ends[open_now[depth][1]] = match.start()
            del open_now[depth:]
            return


def _with_parents(ends: dict[int, int]) -> list[Bracket]:
    brackets: list[Bracket] = []
    around: list[int] = []
    for start in sorted(ends):
        while around and brackets[around[-1]].end < start:
            around.pop()
        brackets.append(Bracket(start, ends[start], around[-1] if around else -1))
        around.append(len(brackets) - 1)
    return brackets
