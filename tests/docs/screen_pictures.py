"""Takes pictures of every screen of the notebook, narrow and wide, light and dark, for a person to look at.

    cd tests && python -m docs.screen_pictures FOLDER

Needs Chromium and Playwright. Nothing of it is published: the pictures of the documentation come from page_pictures.py.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from mistral_nb.sandbox.sandbox import Sandbox
from support.browsers import open_notebook, start_browser, start_server
from support.commands import PASSPHRASE
from support.kernels import vault_environment
from support.keyboard import Keyboard
from support.screens import THEMES, choose_theme, draw_screens

WIDTHS = (520, 1000)


def take(page: Any, part: Any, file: str) -> None:
    for theme in THEMES:
        choose_theme(page, theme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 1400})
            part.scroll_into_view_if_needed()
            page.wait_for_timeout(300)  # a theme is drawn late
            part.screenshot(path=f"{file}-{theme.lower()}-{width}.png")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, Sandbox() as sandbox, start_browser() as browser:
        env = vault_environment(Path(name), sandbox.url, PASSPHRASE)
        with (
            start_server(env, Path(name) / "notebooks") as server,
            open_notebook(browser, server, [""], lab=True) as notebook,
        ):
            notebook.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
            for number, (screen, part) in enumerate(draw_screens(Keyboard(notebook), sandbox)):
                take(notebook.page, part, str(folder / f"{number:02}-{screen}"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
