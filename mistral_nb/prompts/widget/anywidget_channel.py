"""The card on the page: an anywidget, shown as an output and replaced by a line of text at the end."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

from mistral_nb.prompts.widget import comm_events
from mistral_nb.prompts.widget.conversation import Channel, Message, is_small_message
from mistral_nb.report import Report, Row

_MOST_WAITING = 1000
_SEALING_IMPORT = 'import { canSeal, seal } from "./sealing.js";\n'
_PLAIN = "A form for entering a key. If you see only this text, this front end does not support widgets."


def unavailable_reason(shell: Any, wait: bool) -> str:
    """Why no card can be shown in this process, in a sentence; empty where one can."""
    if getattr(shell, "kernel", None) is None:
        return "Only a notebook can show the widget."
    try:
        _widget_class()
    except ImportError as error:
        return f"Widgets can't be imported here ({error.name or type(error).__name__})."
    if wait and not comm_events.can_wait(shell):
        return "This kernel can't receive widget messages while a cell runs."
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


def open_channel(shell: Any, wait: bool) -> Channel:
    """Show the card in the running cell's output. With ``wait``, the cell will wait for it."""
    return _WidgetChannel(shell, wait)


class _WidgetChannel:
    """A `Channel` to every page that shows the output."""

    def __init__(self, shell: Any, wait: bool) -> None:
        from IPython import display

        self._received: queue.Queue[Any] = queue.Queue(_MOST_WAITING)
        self._exit_stack = contextlib.ExitStack()
        self._process_events = None
        self._widget = _widget_class()()
        self.id = self._widget.card = str(self._widget.model_id)
        self._widget.on_msg(lambda _widget, content, _buffers: self._take(content))
        if wait and threading.current_thread() is threading.main_thread():
            self._process_events = self._exit_stack.enter_context(comm_events.process_comm_events(shell, self.id))
        show: Any = display.display  # untyped
        self._display = show(self._widget, display_id=True)

    def send(self, message: Message) -> None:
        self._widget.send(message)

    def _take(self, content: Any) -> None:
        """A message from a page, or from any script in it: one that is too large, or one too many, is dropped."""
        if is_small_message(content):
            with contextlib.suppress(queue.Full):
                self._received.put_nowait(content)

    def receive(self, seconds: float) -> Any:
        """The next message from a page; None after ``seconds`` without one."""
        if self._process_events:
            self._process_events()
        try:
            return self._received.get(timeout=seconds)
        except queue.Empty:
            return None

    def close(self, left: Report | None, last: Message | None) -> None:
        self._exit_stack.close()
        if left is None:
            self._display.update({"text/plain": ""}, raw=True)
        else:
            self._display.update(left)
        if last is None:
            self._widget.close()
            return

        def answer(widget: Any, content: Any, _: Any) -> None:
            if isinstance(content, dict) and content.get("kind") == "ready":
                widget.send(last)

        self._widget.on_msg(answer)
        self._widget.send(last)


def card_source() -> str:
    """The card's browser side as the one text that a widget can have: ``card.js``, in it ``sealing.js``."""
    from importlib import resources

    here = resources.files("mistral_nb.prompts.widget")
    sealing, card = ((here / name).read_text("utf-8") for name in ("sealing.js", "card.js"))
    return card.replace(_SEALING_IMPORT, sealing)


@cache
def _widget_class() -> Any:
    from importlib import resources

    from anywidget import AnyWidget
    from traitlets import Unicode

    style = (resources.files("mistral_nb.prompts.widget") / "card.css").read_text("utf-8")
    texts = {"_esm": card_source(), "_css": style}
    own_id = Unicode().tag(sync=True)  # by which the page finds out whether a kernel is behind it
    return type("Card", (AnyWidget,), {**texts, "card": own_id, "__repr__": lambda _: _PLAIN})
