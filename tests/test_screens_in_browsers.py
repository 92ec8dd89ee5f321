"""Every screen of the notebook in JupyterLab, light and dark: axe finds nothing wrong with any."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from mistral_nb.sandbox.sandbox import Sandbox
from support.browsers import open_notebook, start_browser, start_server
from support.keyboard import Keyboard
from support.screens import CARD, DRAWN, THEMES, choose_theme, draw_screens

CARDS = ("card", "card-refused")


@pytest.mark.slow
def test_axe_finds_nothing(environ: dict[str, str], sandbox: Sandbox, tmp_path) -> None:
    with (
        start_browser() as browser,
        start_server(environ, tmp_path / "notebooks") as server,
        open_notebook(browser, server, [""], lab=True) as notebook,
    ):
        page = notebook.page
        seen = {}
        for screen, _ in draw_screens(Keyboard(notebook), sandbox):
            if screen in CARDS:
                seen[screen] = violations(page, CARD)
        for theme in THEMES:
            choose_theme(page, theme)
            page.wait_for_timeout(500)  # colours change by and by
            seen[theme] = violations(page, DRAWN)
        assert seen == {name: [] for name in (*CARDS, *THEMES)}
        page.evaluate(f"() => document.querySelector('{DRAWN} th').setAttribute('role', 'nonsense')")
        assert violations(page, DRAWN) != [], "the control"


def violations(page: Any, where: str) -> list[str]:
    found = Axe().run(page, context=where).response["violations"]
    return [f"{one['id']}: {node['html'][:300]} {node['failureSummary']}" for one in found for node in one["nodes"]]
