"""Colours: signs and headings, and nothing that a name could look like."""

import pytest

from mistral_nb.report import Heading, Report, Row, as_text
from mistral_nb.terminal_colours import colour


def test_without_its_codes_a_coloured_report_is_the_same() -> None:
    report = Report(
        "✓ Done", (Heading("Keys"), Row("a", "b", "ok"), Row("c", "d", "bad", "repair"), Row("e", "f", "warn"))
    )
    coloured = colour(as_text(report))
    assert coloured.count("\x1b[") == 2 * 6
    for code in ("0", "1", "2", "31", "32", "33"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == as_text(report)


@pytest.mark.parametrize("line", ["    a ✓ b", "plain", "", "  !important", "    ends with:", "✗no"])
def test_other_lines_stay_as_they_are(line: str) -> None:
    assert colour(line) == line
