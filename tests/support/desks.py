"""A person at a notebook with a clipboard, and every place in the page where a key could be."""

from typing import Any

from mistral_nb.api_key import Key
from support.browsers import Notebook
from support.key_traces import traces

_PANEL = "[...window.jupyterapp.shell.widgets('main')].find((one) => one.sessionContext)"
_REACH = f"""async () => {{
  const address = [...document.scripts].map(({{src}}) => src).find((src) => src.includes("mistral-nb/page/"));
  const {{ linkFor }} = await import(new URL("kernel_link.js", address).href);
  return linkFor({_PANEL}).reach;
}}"""
_REMEMBERED = """async () => {
  const address = [...document.scripts].map(({src}) => src).find((src) => src.includes("mistral-nb/page/"));
  const { serverFacts } = await import(new URL("server_facts.js", address).href);
  return serverFacts().facts.remembered.map(({ fingerprint }) => fingerprint);
}"""
_MODELS = """() => {
  const found = [];
  for (const widget of window.jupyterapp.shell.widgets("main")) {
    const shared = widget.context?.model?.sharedModel;
    if (!shared) continue;
    found.push(JSON.stringify(shared.toJSON?.() ?? shared.getSource?.()));
    for (const structs of shared.ydoc.store.clients.values())
      for (const { content } of structs) found.push(content?.str ?? JSON.stringify(content?.arr ?? null));
  }
  return found.join("\\n");
}"""


def wait_reach(notebook: Notebook, reach: str) -> None:
    """Until the page's link says this of the kernel: none, looking, absent or ready. A kernel may have to start."""
    notebook.wait(lambda: notebook.page.evaluate(_REACH) == reach, timeout=40)


class PageWatch:
    """Where a page can leak: its documents, requests and console, beside all files and frames; from now on."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._sent: list[bytes] = []
        self.console: list[str] = []
        notebook.page.on("console", lambda message: self.console.append(message.text))
        notebook.page.route("**/*", self._record)

    def _record(self, route: Any) -> None:
        """A route sees bodies that Playwright's request event does not."""
        request = route.request
        self._sent.append(f"{request.method} {request.url}\n".encode() + (request.post_data_buffer or b""))
        route.continue_()

    def everywhere(self) -> dict[str, bytes]:
        """Every place where a key could be: also the shared document with what was deleted from it."""
        return {
            **self._notebook.everywhere(),
            "models": self._notebook.page.evaluate(_MODELS).encode(),
            "requests": b"\n".join(self._sent),
            "console": "\n".join(self.console).encode(),
        }


class Desk:
    """One notebook, and a person with a clipboard."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.watch = PageWatch(notebook)

    def run(self, cell: int) -> None:
        self.notebook.run(cell)
        self.notebook.wait_done(cell)

    def load(self, cell: int = 0) -> None:
        """Run the cell with ``%load_ext mistral_nb``, and wait until the page has found it in the kernel."""
        self.run(cell)
        self.wait_reach("ready")

    def paste(self, text: str, cell: int, before: int = 0) -> None:
        """Paste at the end of a cell, ``before`` characters to the left."""
        self.page.evaluate("(text) => navigator.clipboard.writeText(text)", text)
        self.go_to(cell, before)
        self.page.keyboard.press("Control+V")

    def go_to(self, cell: int, before: int = 0) -> None:
        self.notebook.cell(cell).locator(".cm-content").click()
        self.page.keyboard.press("Control+End")
        for _ in range(before):
            self.page.keyboard.press("ArrowLeft")

    @property
    def dialog(self) -> Any:
        return self.page.get_by_role("dialog")

    def press(self, label: str) -> None:
        self.dialog.get_by_role("button", name=label).click()
        self.wait_closed()

    def wait_closed(self) -> None:
        """The dialog is closed, and the focus is in the editor again."""
        self.dialog.wait_for(state="detached")
        self.page.locator(".cm-editor.cm-focused").wait_for()

    def source(self, cell: int) -> str:
        return str(self.notebook.cell(cell).locator(".cm-content").inner_text())

    def notice(self, text: str) -> Any:
        found = self.page.locator(".Toastify__toast").filter(has_text=text).first
        found.wait_for()
        return found

    def search(self, key: str) -> list[str]:
        return traces(key, self.watch.everywhere())

    def save(self) -> None:
        self.notebook.save()
        self.notebook.wait(lambda: not self.page.evaluate(f"() => {_PANEL}.context.model.dirty"))

    def can_keep(self, key: Key, cell: int, before: int) -> None:
        """Paste, and see that it can be kept; nothing is kept."""
        self.wait_reach("ready")
        self.paste(key.reveal(), cell, before)
        self.dialog.get_by_role("button", name="Keep it").wait_for()
        self.press("Cancel")

    def wait_reach(self, reach: str) -> None:
        wait_reach(self.notebook, reach)

    def wait_remembered(self, key: Key) -> None:
        """Until the page knows that this machine remembers the key."""
        self.notebook.wait(lambda: key.fingerprint in self.page.evaluate(_REMEMBERED))

    def execute(self, command: str) -> None:
        """Begin a command; one that shows a dialog ends with it."""
        self.page.evaluate("(command) => { void window.jupyterapp.commands.execute(command); }", command)

    def complete(self, command: str) -> None:
        """Run a command to its end: a setting that it changes is saved then."""
        self.page.evaluate("(command) => window.jupyterapp.commands.execute(command)", command)

    def insert_cell(self, source: str) -> None:
        """Put a whole cell into the notebook, as pasting a copied cell does."""
        self.page.evaluate(
            f"(source) => {{ {_PANEL}.context.model.sharedModel.addCell({{cell_type: 'code', source}}); }}", source
        )

    def model_source(self, cell: int) -> str:
        """A cell's text, also of what its editor does not draw."""
        return str(self.page.evaluate(f"(n) => {_PANEL}.context.model.cells.get(n).sharedModel.getSource()", cell))
