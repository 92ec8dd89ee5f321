"""A program in a pseudo-terminal, driven like a person would.

with spawn(["mistral-nb", "login"], clean_environment(tmp_path)) as screen:
    screen.sees("key:")
    screen.types(key.reveal())
    assert screen.ends() == 0
"""

import contextlib
import io
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pexpect

from support.patience import PATIENCE

CTRL_C = "\x03"
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[()=>][0-9A-B]?|[\x00-\x08\x0e-\x1f\x7f]")


class Screen:
    """``raw`` is all that the program wrote to its terminal; ``text`` the same without control codes."""

    def __init__(self, child: pexpect.spawn, written: io.StringIO) -> None:
        self.child = child
        self._written = written

    @property
    def raw(self) -> str:
        return self._written.getvalue()

    @property
    def text(self) -> str:
        return _CONTROL.sub("", self.raw).replace("\r", "")

    def sees(self, text: str, timeout: float = 60) -> None:
        """Wait until ``text`` comes after what was seen before; mind that a terminal echoes what is typed."""
        try:
            self.child.expect_exact(text, timeout=timeout * PATIENCE)
        except (pexpect.TIMEOUT, pexpect.EOF):
            raise AssertionError(f"{text!r} never came; the screen:\n{self.text[-2000:]}") from None

    def types(self, text: str) -> None:
        """The text and Enter."""
        self.child.send(text + "\r")

    def presses(self, keys: str) -> None:
        """Keys alone: CTRL_C, a tab, an arrow."""
        self.child.send(keys)

    def waits_masked(self, timeout: float = 5) -> bool:
        """Whether the terminal has stopped to echo, as at a prompt for a secret."""
        return bool(self.child.waitnoecho(timeout * PATIENCE))

    def ends(self, timeout: float = 30) -> int:
        """Wait for the program's end; its exit code, negative for a signal."""
        self.child.expect_exact(pexpect.EOF, timeout=timeout * PATIENCE)
        self.child.close()
        return -self.child.signalstatus if self.child.exitstatus is None else self.child.exitstatus


@contextlib.contextmanager
def spawn(argv: Sequence[str], env: dict[str, str], cwd: Path | str | None = None) -> Iterator[Screen]:
    """``argv`` in a terminal of 200 columns without colours; ended, however the block ends."""
    written = io.StringIO()
    plain = env | {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200", "LINES": "50"} | _terminal(env)
    child = pexpect.spawn(
        argv[0],
        list(argv[1:]),
        env=plain,
        cwd=str(cwd or env["HOME"]),
        encoding="utf-8",
        dimensions=(50, 200),
        preexec_fn=_default_hangup,
    )
    child.logfile_read = written
    child.delaybeforesend = None
    try:
        yield Screen(child, written)
    finally:
        if child.isalive():
            child.kill(signal.SIGKILL)
        child.close(force=True)


@contextlib.contextmanager
def terminal_ipython(
    env: dict[str, str], *arguments: str, simple_prompt: bool = True, cwd: Path | str | None = None
) -> Iterator[Screen]:
    """Terminal IPython at its first prompt; without ``simple_prompt`` it is prompt_toolkit's."""
    options = ["--no-banner", "--no-confirm-exit", "--colors=nocolor", *arguments]
    if simple_prompt:
        options.append("--simple-prompt")
    else:
        env = env | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    with spawn([sys.executable, "-m", "IPython", *options], env, cwd) as screen:
        screen.sees("In [1]:", timeout=40)
        yield screen


def _default_hangup() -> None:
    """Under nohup it is ignored, and that is inherited."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _terminal(env: dict[str, str]) -> dict[str, str]:
    """A terminal that was asked for by name is kept; prompt_toolkit needs one with a cursor."""
    asked_for = env.get("PROMPT_TOOLKIT_NO_CPR") and env.get("TERM")
    return {"TERM": asked_for} if asked_for else {}
