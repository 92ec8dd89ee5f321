"""A person at a notebook who has no mouse."""

from support.browsers import Notebook

QUESTION = ".jp-Stdin-input:visible"
_DIRTY = "() => [...window.jupyterapp.shell.widgets('main')].find((one) => one.context).context.model.dirty"
_FOCUSED = ".cm-editor.cm-focused"


class Keyboard:
    """Writes and runs one cell after the other, from the first.

    ``cells`` is how many were written, ``questions`` how often a cell waited for an answer: one that is not expected
    is never answered, and the cell does not end.
    """

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.cells = self.questions = 0

    def run(self, source: str, *answers: str, shows: str = "") -> int:
        """Write the cell and run it, answer what it asks, and wait for its end and what it shows; its number."""
        number = self.write(source)
        self.page.keyboard.press("Shift+Enter")
        for answer in answers:
            self.answer(answer)
        self.wait_done()
        self.notebook.wait(lambda: shows in self.notebook.output(number))
        return number

    def wait_done(self) -> None:
        """Until the cell that was written last has ended."""
        self.notebook.wait_done(self.cells - 1, 60)

    def write(self, source: str) -> int:
        """Write into the cell that has the cursor; its number."""
        self._begin_editing()
        self.page.keyboard.type(source)
        self.cells += 1
        return self.cells - 1

    def answer(self, text: str) -> None:
        """Answer the question that has the cursor; another may follow."""
        field = self.page.locator(f"{QUESTION}:focus").element_handle()
        self.questions += 1
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")
        field.wait_for_element_state("hidden")

    def save(self) -> None:
        self.page.keyboard.press("Control+s")
        self.notebook.wait(lambda: not self.page.evaluate(_DIRTY))

    def _begin_editing(self) -> None:
        """After an answer JupyterLab is in command mode, at the cell that asked."""
        cell = self.notebook.cell(self.cells)
        cell.wait_for()
        if not cell.locator(_FOCUSED).count():
            if "jp-mod-active" not in cell.get_attribute("class"):
                self.page.keyboard.press("ArrowDown")
            self.page.keyboard.press("Enter")
        cell.locator(_FOCUSED).wait_for()
