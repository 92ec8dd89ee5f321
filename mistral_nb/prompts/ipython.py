"""Prompts in IPython: whether input is available, and the answer."""

import os
import sys
from typing import Any

from mistral_nb.errors import CannotAsk
from mistral_nb.prompts.terminal import ask_person
from mistral_nb.report import Answer, Ask


def can_ask(shell: Any) -> bool:
    """Whether the front end can ask for input: a kernel's client says so with every request.

    Not in a forked child, whose question the kernel's Session would not send: the child would never get an answer.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is None:  # terminal IPython, or plain Python
        return sys.stdin is not None and sys.stdin.isatty()
    started_in = getattr(getattr(kernel, "session", None), "pid", os.getpid())
    return bool(getattr(kernel, "_allow_stdin", False)) and started_in == os.getpid()


def running_shell() -> Any:
    """The IPython of this process, None where none runs: a plain script does not import it for the question."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def ask_in_ipython(shell: Any, ask: Ask) -> Answer:
    """The answer to one question. Raises `CannotAsk`, `Cancelled`."""
    if not can_ask(shell):
        raise CannotAsk("Cannot prompt: input is not available here.")
    return ask_person(ask)
