"""The context of an action: host, environment, clock, stores and API, all passed in."""

import os
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from mistral_nb import config, environment
from mistral_nb.api_key import Key
from mistral_nb.command_table import CLI, MAGIC
from mistral_nb.errors import IndexUnreadable
from mistral_nb.paths import NO_FOLDER, NO_HOME_TEXT
from mistral_nb.storage.index import Index, IndexData, Workspace
from mistral_nb.storage.store_protocol import KEYRING, Store
from mistral_nb.watchlist import is_in_kernel

if TYPE_CHECKING:
    from mistral_nb.api.verdict import Verdict
    from mistral_nb.storage.key_manager import KeyManager
    from mistral_nb.storage.set_aside import SetAside

_PYTHON_FUNCTIONS = ("", "login", "switch", "status")  # what a script can call
VerifyFunction = Callable[[Key, str], "Verdict"]


def _verify_online(key: Key, base: str) -> "Verdict":
    from mistral_nb.api.client import verify

    return verify(key, base)


@dataclass(repr=False)
class Context:
    """One call of one action. ``interactive``: a person can answer. ``form``: the host shows a
    form, so what is optional is asked for as well. ``has_magic``: commands can be typed as ``%mistral_key``."""

    host: str = CLI
    environ: MutableMapping[str, str] = field(default_factory=lambda: os.environ)
    folder: str | None = None
    interactive: bool = False
    has_form: bool = False
    has_magic: bool = True
    columns: int = 80  # of the terminal
    now: Callable[[], datetime] = datetime.now
    say: Callable[[str], None] | None = None
    ask_api: VerifyFunction = _verify_online
    sleep: Callable[[float], None] = time.sleep
    index_problem: str = ""  # why the index could not be read, once known

    def __repr__(self) -> str:
        return f"<Context {self.host}>"  # the environment holds a key

    @cached_property
    def config(self) -> config.Config:
        loaded = config.load(self.environ, self.folder)
        if loaded.home == NO_FOLDER and self.say and not self.in_notebook:  # there %load_ext says it
            self.say(NO_HOME_TEXT)
        return loaded

    @cached_property
    def index(self) -> Index:
        return Index(self.config.home)

    @cached_property
    def stores(self) -> Mapping[str, Store]:
        return _open_stores_once(self)

    @cached_property
    def key_manager(self) -> "KeyManager":
        from mistral_nb.storage.key_manager import KeyManager  # 3 ms with its imports, which %load_ext does not need

        return KeyManager(self.index, self.stores)

    @cached_property
    def set_aside(self) -> "SetAside":
        """The keys that were taken out of files and are in no workspace, in this context's stores."""
        from mistral_nb.storage.set_aside import SetAside

        return SetAside(self.index, self.stores, self.config.store, self.today)

    def verify(self, key: Key) -> "Verdict":
        """What Mistral says of a key; noted in this process, so that pages show one that is refused."""
        verdict = self.ask_api(key, self.config.api)
        environment.record_verdict(key, verdict.accepts_key)
        return verdict

    @property
    def active(self) -> environment.ActiveKey | None:
        """The key in the environment. Reads the index, and opens no store."""
        active = environment.active_key(self.environ)
        if active is None:
            return None
        stored = self.stored_workspaces()
        return active._replace(workspace=environment.keeping_workspace(active.key, stored, active.workspace or ""))

    @property
    def in_notebook(self) -> bool:
        return self.host == MAGIC

    @property
    def may_be_committed(self) -> bool:
        """Whether what is shown is a notebook's output: the magic's, or that of ``!mistral-nb`` in a cell."""
        return self.in_notebook or is_in_kernel(self.environ)

    def read_index(self) -> IndexData:
        return self.index.read()

    def today(self) -> date:
        return self.now().date()

    def timestamp(self) -> str:
        """The current time, as the index writes it."""
        return self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def format_command(self, command: str) -> str:
        """A sub-command as typed here: ``%mistral_key login``, ``mistral-nb login`` or ``mistral_nb.login()``."""
        name, _, argument = command.partition(" ")
        if self.in_notebook and not self.has_magic and name in _PYTHON_FUNCTIONS:
            return f"mistral_nb.{name or 'switch'}({repr(argument) if argument else ''})"
        return f"{'%mistral_key' if self.in_notebook and self.has_magic else 'mistral-nb'} {command}".strip()

    def format_switch_command(self, workspace: str) -> str:
        """The command that switches workspace in this host: a command can't change another's environment."""
        return self.format_command(f"switch {workspace}" if self.in_notebook else f"run {workspace} -- CMD…")

    def stored_workspaces(self) -> dict[str, Workspace]:
        """The workspaces in the index and in memory; with an unreadable index only the latter, so that work continues.

        Loads and opens no store.
        """
        from mistral_nb.storage.memory_store import MEMORY

        in_memory = MEMORY.index.read().workspaces
        try:
            return self.read_index().workspaces | in_memory
        except IndexUnreadable as error:
            self.index_problem = str(error)
            return in_memory

    def format_shell_command(self, command: str) -> str:
        """A command-line-only sub-command as typed in this host, in a notebook after a ``!``."""
        return f"{'!' if self.in_notebook else ''}mistral-nb {command}"


_stores: dict[tuple[object, ...], Mapping[str, Store]] = {}


def _open_stores_once(context: Context) -> Mapping[str, Store]:
    """The stores for these settings, created once per process: an unlocked vault stays unlocked.

    The keyring is this context's own: it says that a dialog may be open to whoever runs the command.
    """
    from mistral_nb.storage import open_keyring, open_stores

    settings = context.config
    place = (settings.home, settings.passphrase, settings.passphrase_file, context.interactive)
    if place not in _stores:
        _stores[place] = open_stores(
            settings, interactive=context.interactive, on_opened=environment.register_passphrase
        )
    return {**_stores[place], KEYRING: open_keyring(interactive=context.interactive, say=context.say)}
