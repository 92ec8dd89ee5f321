"""What an action works with: host, environment, clock, stores and API, all passed in."""

import os
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from mistral_nb import config, session
from mistral_nb.commands import CLI, MAGIC
from mistral_nb.errors import IndexUnreadable
from mistral_nb.key import Key
from mistral_nb.store.base import Store
from mistral_nb.store.index import Contents, Index, Workspace

if TYPE_CHECKING:
    from mistral_nb.api.verdict import Verdict
    from mistral_nb.store.life import LifeKeeper

Verify = Callable[[Key, str], "Verdict"]


def _ask_the_api(key: Key, base: str) -> "Verdict":
    from mistral_nb.api.client import verify

    return verify(key, base)


@dataclass(repr=False)
class Context:
    """One call of one action. ``interactive``: somebody is there to answer. ``form``: the host shows a
    form, so what is optional is asked for as well."""

    host: str = CLI
    environ: MutableMapping[str, str] = field(default_factory=lambda: os.environ)
    folder: str | None = None
    interactive: bool = False
    form: bool = False
    now: Callable[[], datetime] = datetime.now
    say: Callable[[str], None] | None = None
    verify: Verify = _ask_the_api
    sleep: Callable[[float], None] = time.sleep
    problem: str = ""  # why the index could not be read, once that was found

    def __repr__(self) -> str:
        return f"<Context {self.host}>"  # the environment holds a key

    @cached_property
    def config(self) -> config.Config:
        return config.load(self.environ, self.folder)

    @cached_property
    def index(self) -> Index:
        return Index(self.config.home)

    @cached_property
    def stores(self) -> Mapping[str, Store]:
        return _opened(self)

    @cached_property
    def keeper(self) -> "LifeKeeper":
        from mistral_nb.store.life import LifeKeeper  # with all that it works with: 3 ms, and %load_ext has no need

        return LifeKeeper(self.index, self.stores)

    @property
    def active(self) -> session.Active | None:
        return session.active(self.environ)

    @property
    def in_notebook(self) -> bool:
        return self.host == MAGIC

    def contents(self) -> Contents:
        return self.index.read()

    def today(self) -> date:
        return self.now().date()

    def stamp(self) -> str:
        """Now, as the index writes it."""
        return self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def typed(self, command: str) -> str:
        """How a sub-command is typed in this host: ``%mistral_key add`` or ``mistral-nb add``."""
        return f"{'%mistral_key' if self.in_notebook else 'mistral-nb'} {command}".strip()

    def typed_use(self, workspace: str) -> str:
        """How a workspace is chosen in this host: a command can't change another's environment."""
        return self.typed(f"use {workspace}" if self.in_notebook else f"run -w {workspace} -- CMD…")

    def kept(self) -> dict[str, Workspace]:
        """The kept workspaces; with an unreadable index those of this process, so that work can go on."""
        try:
            return self.keeper.workspaces()
        except IndexUnreadable as error:
            self.problem = str(error)
            return dict(self.keeper.in_memory())

    def typed_in_shell(self, command: str) -> str:
        """How a sub-command of the command line alone is typed, in a notebook after a ``!``."""
        return f"{'!' if self.in_notebook else ''}mistral-nb {command}"


_stores: dict[tuple[object, ...], Mapping[str, Store]] = {}


def _opened(context: Context) -> Mapping[str, Store]:
    """The stores for these settings, once a process: an opened vault stays open."""
    from mistral_nb.store import open_stores

    settings = context.config
    place = (settings.home, settings.passphrase, settings.passphrase_file, context.interactive)
    if place not in _stores:
        _stores[place] = open_stores(settings, interactive=context.interactive, say=context.say)
    return _stores[place]
