"""One report: text for a terminal, a plain table for a notebook, JSON for a program."""

import html.parser
import json
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistral_nb.printable import one_line
from mistral_nb.report import SIGNS, Lines, Report, Row, as_html, as_json, as_text, note_bundle
from support.ipython_shells import open_shell

ROWS = (
    Row("workspace", "prod", "ok"),
    Row("expires", "in 5 days", "warn", repair="mistral-nb rotate prod"),
    Row("saves", "NOT covered here", "bad"),
    Row("tail", ""),
)
REPORT = Report("Where everything stands", ROWS, notes=("Next: %mistral_key prod",))
HOSTILE = "<script>alert(1)</script> & \"quoted\" 'too' <b>"
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
reports = st.builds(
    Report,
    texts,
    st.lists(st.builds(Row, texts, texts, st.sampled_from(list(SIGNS)), texts), max_size=4).map(tuple),
    st.lists(texts, max_size=3).map(tuple),
)


class Reader(html.parser.HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.links, self.text = [], [], [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data):
        self.text += data


def test_text_has_a_line_for_each_row_with_its_sign_and_its_repair():
    assert as_text(REPORT).splitlines() == [
        "Where everything stands",
        "  ✓ workspace  prod",
        "  ! expires    in 5 days",
        "               → mistral-nb rotate prod",
        "  ✗ saves      NOT covered here",
        "    tail",
        "Next: %mistral_key prod",
    ]


@pytest.mark.parametrize(
    ("report", "text"),
    [
        (Report(""), ""),
        (Report("Kept."), "Kept."),
        (Report("", notes=("one", "two")), "one\ntwo"),
        (Report("", (Row("a", "b"),)), "    a  b"),
    ],
)
def test_missing_parts_take_no_line(report, text):
    assert as_text(report) == str(report) == repr(report) == text


def test_html_is_a_table_with_what_the_text_says():
    reader = Reader(as_html(REPORT))
    assert reader.tags.count("tr") == len(ROWS)
    said = ("Where everything stands", "workspace", "✓", "prod", "→ mistral-nb rotate prod", "Next: %mistral_key prod")
    assert [words for words in said if words not in reader.text] == []


@pytest.mark.parametrize(
    "report",
    [
        Report(HOSTILE),
        Report("", (Row(HOSTILE, ""),)),
        Report("", (Row("", HOSTILE),)),
        Report("", (Row("", "", "bad", HOSTILE),)),
        Report("", notes=(HOSTILE,)),
    ],
)
def test_html_in_values_is_escaped(report):
    reader = Reader(as_html(report))
    assert HOSTILE in reader.text
    assert set(reader.tags) <= {"div", "table", "tr", "td", "th", "span"}
    assert "script" in Reader(HOSTILE).tags  # negative control: the search finds it


def test_every_cell_brings_its_own_line_height():
    drawn = as_html(Report("t", (Row("a", "b"),)))
    cells = [tag for tag in drawn.split("<") if tag.startswith(("th", "td"))]
    assert len(cells) == 2 and all("line-height:1.5" in cell for cell in cells)  # a page's style sheet sets another


def test_a_page_of_mistrals_is_a_link_and_no_other_address_is():
    page = "https://console.mistral.ai/home?a=b&profile_dialog=api-keys"
    reader = Reader(as_html(Report(f"Delete it here: {page}.", notes=("https://mistral.ai.example.org/a",))))
    assert reader.links == [page]
    assert reader.text == f"Delete it here: {page}.https://mistral.ai.example.org/a"


@pytest.mark.parametrize("end", ['"', "'", ">", "<b>", ")."])
def test_a_link_ends_before_what_is_no_part_of_the_address(end):
    page = "https://console.mistral.ai/a?b=c&d=e"
    reader = Reader(as_html(Report(f"<{page}{end} {page}")))
    assert reader.links == [page, page]
    assert reader.text == f"<{page}{end} {page}"


def test_what_has_no_value_takes_the_whole_width():
    assert 'colspan="2"' in as_html(Report("t", (Row("mistral-nb login prod --expires 90d", ""),)))


def test_a_note_is_wrapped_in_text_alone():
    report = Report("t", (Row("a", "b"),), notes=(Lines("one\ntwo"), "three\nfour"))
    assert as_text(report).splitlines()[-3:] == ["one", "two", r"three\nfour"]
    assert "one two" in Reader(as_html(report)).text


def test_a_note_under_a_cell_is_text_and_html_in_no_colour_of_an_error():
    bundle = note_bundle(f"first {HOSTILE}\nsecond")
    assert bundle["text/plain"] == f"first {HOSTILE}\nsecond"
    reader = Reader(bundle["text/html"])
    assert reader.tags == ["div"] * 3
    assert HOSTILE in reader.text
    assert "error" not in bundle["text/html"]


@given(reports)
def test_any_report_is_drawn_three_ways_without_an_active_part(report):
    reader = Reader(as_html(report))
    assert set(reader.tags) <= {"div", "table", "tr", "td", "th", "span"}
    assert set(reader.attributes) <= {"style", "scope", "colspan"}
    assert one_line(report.title) in reader.text
    assert all(one_line(row.value.rstrip()) in as_text(report) for row in report.rows)
    assert [row["value"] for row in json.loads(as_json(report))["rows"]] == [row.value for row in report.rows]


def test_json_is_the_reports_data_or_else_its_rows():
    assert json.loads(as_json(Report("t", ROWS, data={"workspace": "prod", "days": 5}))) == {
        "workspace": "prod",
        "days": 5,
    }
    drawn = json.loads(as_json(REPORT))
    assert (drawn["title"], drawn["notes"]) == ("Where everything stands", ["Next: %mistral_key prod"])
    assert drawn["rows"][1] == {
        **{"name": "expires", "value": "in 5 days"},
        **{"state": "warn", "repair": "mistral-nb rotate prod"},
    }
    assert "é" in as_json(Report("é"))


@pytest.mark.slow
def test_a_notebook_gets_the_table_and_a_terminal_the_text(tmp_path):
    with open_shell(tmp_path) as shell:
        shell.display_formatter.active_types = ["text/plain", "text/html"]
        bundle, _ = shell.display_formatter.format(REPORT)
    assert bundle == {"text/plain": as_text(REPORT), "text/html": as_html(REPORT)}


def test_a_report_does_not_change():
    with pytest.raises(FrozenInstanceError):
        REPORT.exit_code = 1
