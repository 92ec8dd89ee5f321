"""Takes the pictures of docs/page.md in JupyterLab, in its light and its dark theme. Needs Chromium and Playwright.

    cd tests && python -m docs.page_pictures [FOLDER]

Without a folder they take the place of those in docs/images. Look at each before it is committed.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from mistral_nb.api_key import MARKER
from mistral_nb.sandbox.sandbox import Sandbox
from support import TESTS
from support.browsers import open_notebook, start_browser, start_server
from support.commands import PASSPHRASE
from support.desks import Desk
from support.kernels import vault_environment

WIDTH, HEIGHT = 820, 480
CELLS = (
    "%load_ext mistral_nb",
    "from mistralai.client import Mistral\n\nclient = Mistral(api_key='')",
    "print('hello')",
)
LOAD, CLIENT, LAST = range(len(CELLS))
STATUS = ".mistral-nb-status"
_SCROLL_UP = "() => document.querySelectorAll('.jp-WindowedPanel-outer').forEach((panel) => panel.scrollTo(0, 0))"
_STILL = """.Toastify__toast { animation-duration: 1ms !important }
.Toastify__progress-bar { animation-play-state: paused !important }"""


class Photographer:
    """``suffix``: of the pictures' names."""

    def __init__(self, desk: Desk, folder: Path, suffix: str) -> None:
        self.desk, self.folder, self.suffix = desk, folder, suffix
        desk.page.add_style_tag(content=_STILL)

    def take_all(self, sandbox: Sandbox) -> None:
        """In the order in which a person meets them."""
        desk, key = self.desk, sandbox.make_key(workspace="dev")
        desk.load(LOAD)
        desk.paste(key.reveal(), CLIENT, 2)
        desk.dialog.get_by_role("button", name="Keep it").wait_for()
        self.take("paste-guard")
        desk.page.keyboard.press("Enter")
        desk.page.locator(STATUS, has_text=f"dev …{key.tail}").wait_for()
        self.take("status", "#jp-main-statusbar")
        desk.notice(f"…{key.tail}").locator(".jp-Notification-Toast-Close").click()
        desk.execute("mistral-nb:enter-key")
        desk.dialog.get_by_label("Key", exact=True).wait_for()
        self.take("enter-key")
        desk.page.keyboard.press("Escape")
        desk.dialog.wait_for(state="detached")
        desk.go_to(CLIENT + 1, 2)  # below the cell that was put above it
        desk.page.keyboard.insert_text(key.reveal())
        desk.save()
        desk.notice("was kept out of")
        desk.go_to(LAST + 1)
        desk.notebook.wait(lambda: MARKER in desk.model_source(CLIENT + 1))
        desk.page.evaluate(_SCROLL_UP)
        self.take("notice")

    def take(self, name: str, part: str = "") -> None:
        """The whole window, or a part of it."""
        desk = self.desk
        desk.page.mouse.move(WIDTH // 2, HEIGHT // 3)
        desk.page.wait_for_timeout(1000)  # a theme, a shadow and a focus ring are drawn late
        shown = desk.page.locator(part) if part else desk.page
        shown.screenshot(path=self.folder / f"{name}{self.suffix}.png")


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as name, Sandbox() as sandbox, start_browser() as browser:
        env = vault_environment(Path(name), sandbox.url, PASSPHRASE)
        with start_server(env, Path(name) / "notebooks") as server:
            for suffix in ("", "-dark"):
                shutil.rmtree(env["MISTRAL_NB_HOME"], ignore_errors=True)
                server.dark(bool(suffix))
                with open_notebook(
                    browser, server, CELLS, lab=True, name="analysis.ipynb", width=WIDTH, height=HEIGHT
                ) as notebook:
                    Photographer(Desk(notebook), folder, suffix).take_all(sandbox)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(TESTS).parent / "docs/images")
