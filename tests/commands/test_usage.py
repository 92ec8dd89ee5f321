"""`usage`: costs by category, for a terminal and for a notebook."""

import json
from collections.abc import Callable
from datetime import date
from xml.etree import ElementTree

import pytest

from mistral_nb.admin.client import UNTRIED_NOTE
from mistral_nb.admin.responses import Usage
from mistral_nb.admin.usage_report import _parse_month, draw_chart
from mistral_nb.command_context import Context
from mistral_nb.errors import WrongUsage
from support.commands import act
from support.organisation import Organisation

NewContext = Callable[..., Context]


@pytest.mark.slow
def test_costs_are_a_table_with_period_and_currency(org: Organisation) -> None:
    done = org.run("usage", "--month", "2026-02")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.stdout.splitlines()[0] == "Costs of the organisation, 2026-02-01 to 2026-02-28"
    assert ["chat", "12.50", "EUR"] in lines
    assert ["total", "20.50", "EUR"] in lines
    assert UNTRIED_NOTE in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("named", ["prod", "here"])
def test_of_one_workspace_by_its_name_here_or_there(named: str, org: Organisation) -> None:
    if named == "here":
        act(org.new_context("cli"), "edit", workspace="prod", rename="here")
    told = org.json("usage", "--workspace", named)
    assert (told["total"], told["currency"], told["workspace"]) == (10.25, "EUR", named)


@pytest.mark.slow
def test_a_workspace_that_is_not_there_is_named_with_those_that_are(org: Organisation) -> None:
    assert "Available: prod" in org.run("usage", "-w", "elsewhere", code=2).stderr


def test_a_notebook_shows_bars(org: Organisation) -> None:
    html = act(org.new_context(), "usage").report._repr_html_()
    svg = ElementTree.fromstring(html[html.index("<svg") :])
    bars = [float(bar.attrib["width"]) for bar in svg.iter("rect")]
    assert len(bars) == 4, "what costs nothing has no bar"
    assert bars == sorted(bars, reverse=True)
    assert "<script" not in html


@pytest.mark.parametrize(
    ("costs", "parts"), [((), ""), ((("a", 0.0),), ""), ((("<b>&", 1.0),), "&lt;b&gt;&amp;"), ((("a", 1e9),), "a")]
)
def test_a_chart_is_valid_for_any_categories(costs: tuple[tuple[str, float], ...], parts: str) -> None:
    drawn = draw_chart(Usage(costs, "€<", "", ""))
    assert parts in drawn
    if drawn:
        assert ElementTree.fromstring(drawn).tag == "svg"


@pytest.mark.slow
def test_unrecognised_costs_are_reported_not_omitted(org: Organisation) -> None:
    org.sandbox.admin.set_fault("costs of another kind")
    done = org.run("usage", code=3)
    assert "unrecognised cost format" in done.stdout


@pytest.mark.parametrize(
    ("text", "month"),
    [(None, (2027, 3)), ("2026-11", (2026, 11)), ("11", (2026, 11)), ("3", (2027, 3)), (" 03 ", (2027, 3))],
)
def test_a_month_is_the_latest_that_has_begun(text: str | None, month: tuple[int, int]) -> None:
    assert _parse_month(text, date(2027, 3, 5)) == month


@pytest.mark.parametrize("text", ["", "13", "0", "2026-13", "soon", "2026", "-1", "0000-01", "2022-12"])
def test_an_invalid_month_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="Not a valid month"):
        _parse_month(text, date(2027, 3, 5))


@pytest.mark.parametrize("text", ["2027-04", "2028-01", "9999-12"])
def test_a_future_month_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="is in the future"):
        _parse_month(text, date(2027, 3, 5))


def test_an_impossible_month_is_one_sentence(org: Organisation) -> None:
    done = org.run("usage", "--month", "0000-01", code=2)
    assert done.stderr.splitlines()[0].startswith("mistral-nb: Not a valid month")
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.slow
def test_json_has_no_formatting(org: Organisation) -> None:
    assert json.loads(org.run("usage", "--json").stdout)["costs"] == org.sandbox.admin.costs
