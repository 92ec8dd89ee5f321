"""A job that calls the API with `mistral_nb.auth`, and what happens to its key meanwhile."""

import asyncio
import subprocess
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive
from mistral_nb.keys.auth import make_live_auth, open_live_key
from support.commands import Person, act
from support.job_api import EMBEDDINGS, JobSandbox
from support.organisation import SCRIPT

LIMIT = 60  # seconds, at which a test fails that waits


class Job:
    """A workspace ``prod`` with a key, and the ``auth`` of a job that uses it. ``first`` and ``last`` are its keys."""

    def __init__(self, sandbox: JobSandbox, new_context: Callable[..., Context]) -> None:
        self.sandbox, self._new_context = sandbox, new_context
        self.first = self.last = sandbox.make_key("prod")
        self.run("login", {"key": self.first, "expires": "", "name": ""})
        self.auth = make_live_auth(drive(open_live_key(new_context(), "prod"), Person({}), print))
        self.url = f"{sandbox.url}{EMBEDDINGS}"

    def run(self, command: str, answers: dict[str, str | Key] | None = None) -> None:
        act(self._new_context("cli"), command, answers or {}, workspace="prod")

    def rotate(self) -> None:
        """The new key is stored; then the old one is deleted at the API."""
        old, self.last = self.last, self.sandbox.make_key("prod")
        self.run("rotate", {"key": self.last, "expires": ""})
        self.sandbox.revoke(old)

    def rotate_in_terminal(self, environ: dict[str, str]) -> None:
        """As `rotate`, by the real command in a process of its own."""
        old, self.last = self.last, self.sandbox.make_key("prod")
        words = [SCRIPT, "rotate", "prod", "--manual"]
        subprocess.run(words, env=environ, input=self.last.reveal(), text=True, capture_output=True, check=True)
        self.sandbox.revoke(old)

    def revoke_at_api(self) -> None:
        self.sandbox.revoke(self.last)

    @property
    def tails(self) -> list[str]:
        """The tails of the keys that the job's requests brought along, in their order."""
        return self.sandbox.tails


def run_async(call: Coroutine[Any, Any, Any]) -> Any:
    """What ``call`` returns, in a thread: asyncio.run would take this one's loop away from later tests."""
    with ThreadPoolExecutor() as thread:
        return thread.submit(asyncio.run, call).result(LIMIT)
