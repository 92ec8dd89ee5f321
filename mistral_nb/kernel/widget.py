"""The card on the page: an anywidget, shown as an output and replaced by a line of text at the end."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

from mistral_nb.kernel import waiting
from mistral_nb.kernel.conversation import Channel, Message
from mistral_nb.report import Report, Row

_PLAIN = "A card to type a key into; where no card is shown, this front end has no widgets."


def why_no_card(shell: Any, wait: bool) -> str:
    """Why no card can be shown in this process, in a sentence; empty where one can."""
    if getattr(shell, "kernel", None) is None:
        return "Only a notebook can show a card."
    try:
        _widget_class()
    except ImportError as error:
        return f"Widgets can't be imported here ({error.name or type(error).__name__})."
    if wait and not waiting.can_wait(shell):
        return "This kernel can't hear a widget while a cell runs."
    return ""


def checks() -> Iterator[Row]:
    """A row for ``doctor``: whether this process can show the card."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        _widget_class()
        found = ", ".join(f"{name} {version(name)}" for name in ("anywidget", "ipywidgets"))
    except (ImportError, PackageNotFoundError) as error:
        missing = error.name or type(error).__name__
        yield Row("card", f"can't be shown: {missing} is missing", "warn", "pip install anywidget ipywidgets")
    else:
        yield Row("card", f"can be shown where the front end has widgets ({found})", "ok")


def open_on_page(shell: Any, wait: bool) -> Channel:
    """Show the card in the running cell's output. With ``wait``, the cell will wait for it."""
    return _Output(shell, wait)


class _Output:
    """A `Channel` to every page that shows the output."""

    def __init__(self, shell: Any, wait: bool) -> None:
        from IPython import display

        self._came: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._open = contextlib.ExitStack()
        self._look = None
        self._widget = _widget_class()()
        self.id = self._widget.card = str(self._widget.model_id)
        self._widget.on_msg(lambda _widget, content, _buffers: self._came.put(content))
        if wait and threading.current_thread() is threading.main_thread():
            self._look = self._open.enter_context(waiting.hearing(shell, self.id))
        show: Any = display.display  # untyped
        self._display = show(self._widget, display_id=True)

    def send(self, message: Message) -> None:
        self._widget.send(message)

    def receive(self, seconds: float) -> Any:
        """The next message from a page; None after ``seconds`` without one."""
        if self._look:
            self._look()
        try:
            return self._came.get(timeout=seconds)
        except queue.Empty:
            return None

    def close(self, left: Report | None, last: Message | None) -> None:
        self._open.close()
        if left is None:
            self._display.update({"text/plain": ""}, raw=True)
        else:
            self._display.update(left)
        if last is None:
            self._widget.close()
            return
        self._widget.on_msg(lambda widget, content, _: content.get("kind") == "ready" and widget.send(last))
        self._widget.send(last)


@cache
def _widget_class() -> Any:
    """The widget, with the files beside this one as its browser side."""
    from importlib import resources

    from anywidget import AnyWidget
    from traitlets import Unicode

    here = resources.files("mistral_nb.kernel")
    sides = {"_esm": here / "card.js", "_css": here / "card.css"}
    texts = {name: file.read_text("utf-8") for name, file in sides.items()}
    own_id = Unicode().tag(sync=True)  # by which the page finds out whether a kernel is behind it
    return type("Card", (AnyWidget,), {**texts, "card": own_id, "__repr__": lambda _: _PLAIN})
