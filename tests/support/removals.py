"""A save that removes a key, as the person at the page does it and sees it."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from mistral_nb.api_key import Key
from support.browsers import Notebook, Server, open_notebook

PANEL = "[...window.jupyterapp.shell.widgets('main')].find((widget) => widget.context?.model?.cells)"
DIRTY = f"() => {PANEL}.context.model.dirty"
# All that the shared document holds, also what was deleted and not yet thrown away.
HISTORY = f"""() => [...{PANEL}.context.model.sharedModel.ydoc.store.clients.values()].flat()
  .map((item) => item.content?.str ?? JSON.stringify(item.content?.arr ?? '')).join('\\n')"""


@contextlib.contextmanager
def open_page(browser: Any, server: Server, sources: Sequence[str], *, lab: bool) -> Iterator[Notebook]:
    """As `open_notebook`; notices stay until they are closed: their time is an animation."""
    with open_notebook(browser, server, sources, lab=lab) as notebook:
        hold_notices(notebook)
        yield notebook


def hold_notices(notebook: Notebook) -> None:
    notebook.page.add_style_tag(content=".Toastify__progress-bar { animation-play-state: paused !important }")


def code(key: Key) -> str:
    return f'client = Mistral(api_key="{key.reveal()}")'


def type_into(notebook: Notebook, cell: int, text: str) -> None:
    notebook.cell(cell).locator(".cm-content").click()
    notebook.page.keyboard.insert_text(text)


def save(notebook: Notebook) -> None:
    """Save, and wait until the page has heard which keys that removed, if there was one in it."""
    before = events(notebook)
    has_key = notebook.page.evaluate(f"() => /[\\w]{{32}}/.test(JSON.stringify({PANEL}.context.model.toJSON().cells))")
    notebook.save()
    notebook.wait(lambda: events(notebook) > before or not has_key)


def events(notebook: Notebook) -> int:
    return sum(b"mistral-nb.invalid/removed" in frame for frame in notebook.frames)


def source(notebook: Notebook, cell: int) -> str:
    return notebook.page.evaluate(f"(index) => {PANEL}.context.model.cells.get(index).sharedModel.getSource()", cell)


def notices(notebook: Notebook) -> list[str]:
    """What is shown about keys, oldest first."""
    shown = notebook.page.locator(".Toastify__toast").all_inner_texts()  # at once: one may close meanwhile
    return [text for text in shown if "kept out of" in text]


def early_notices(notebook: Notebook) -> int:
    """Those of a key that has just come into the document."""
    return notebook.page.locator(".Toastify__toast", has_text="A Mistral key").count()


def press(notebook: Notebook, label: str) -> None:
    notebook.page.locator(".Toastify__toast").get_by_role("button", name=label, exact=True).click()
