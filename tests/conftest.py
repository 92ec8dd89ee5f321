"""Fixtures for isolated tests: a sandbox API, an empty home, an environment without keys. One seed for all chance."""

import os
import secrets
import signal
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path

import hypothesis.core
import pytest

from mistral_nb import environment
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.keys import use_checks
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage import open_stores
from mistral_nb.storage.index import Index
from mistral_nb.storage.memory_store import MEMORY
from mistral_nb.storage.store_protocol import Store
from mistral_nb.storage.vault import Vault
from mistral_nb.storage.vault_format import KdfParameters
from support import keys, markers, profiles
from support.commands import PASSPHRASE
from support.kernels import vault_environment
from support.keys import make_key
from support.organisation import Organisation
from support.sandboxes import start_sandbox

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background of a script: children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.pop("VIRTUAL_ENV", None)  # of the shell: IPython warns where another environment runs
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"  # no test writes to this person's keyring
profiles.register()


class QuickContext(Context):
    """As the hosts make it, with a vault that is cheap to open."""

    @cached_property
    def stores(self) -> dict[str, Store]:
        settings = self.config
        vault = Vault(settings.home, settings.passphrase, KdfParameters(8, 1, 1), settings.passphrase_file)
        return open_stores(settings, interactive=self.interactive) | {"file": vault}


@pytest.fixture(autouse=True)
def _new_process() -> None:
    """Clears what the process remembers of an earlier test: keys in memory, and what an index could not record."""
    environment._remember_problems.clear()
    MEMORY.__init__()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with start_sandbox() as running:
        yield running


@pytest.fixture
def environ(tmp_path: Path, sandbox: Sandbox) -> dict[str, str]:
    """A clean environment whose keys go to the encrypted file, opened by a passphrase file."""
    return vault_environment(tmp_path, sandbox.url, PASSPHRASE)


@pytest.fixture
def new_context(environ: dict[str, str], tmp_path: Path) -> Callable[..., Context]:
    """Contexts as the hosts create them; for the stores each call is a new process."""
    folder = tmp_path / "project with a space"
    folder.mkdir()

    def make(host: str = "magic", **more: object) -> Context:
        MEMORY.__init__()
        use_checks._confirmed_workspaces.clear()
        given = {"environ": environ, "folder": str(folder), "now": lambda: datetime(2027, 3, 1, 12)}
        return QuickContext(host=host, **{**given, **more})

    return make


@pytest.fixture
def key(environ: dict[str, str]) -> Key:
    """A remembered key: only its fingerprint is here."""
    key = make_key()
    Index(environ["MISTRAL_NB_HOME"]).remember(key)
    return key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made


@pytest.fixture
def org(sandbox: Sandbox, environ: dict[str, str], tmp_path: Path, new_context: Callable[..., Context]) -> Organisation:
    """Its Admin key is in the environment."""
    return Organisation(sandbox, environ, tmp_path / "work", new_context)


def pytest_addoption(parser: pytest.Parser) -> None:
    given = os.environ.get("MISTRAL_NB_TEST_SEED", keys.DEFAULT_SEED)
    parser.addoption("--seed", default=given, help="what keys and texts of the tests come from; `new` takes another")


@pytest.hookimpl(tryfirst=True)  # xdist hands the option to its workers
def pytest_configure(config: pytest.Config) -> None:
    if config.option.seed == "new":
        config.option.seed = str(secrets.randbits(32))
    keys.begin("", config.option.seed)


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: {config.option.seed} (the same keys again: pytest --seed {config.option.seed})"


def pytest_collectstart(collector: pytest.Collector) -> None:
    keys.begin(collector.nodeid)  # for what a module makes while it is imported
    if profiles.is_long():
        hypothesis.core.global_force_seed = collector.config.option.seed


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    keys.begin(item.nodeid)
    result = yield
    markers.check(item)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> Generator[None]:
    """What several tests share gets a stream of its own, whichever test comes first."""
    if fixturedef.scope == "function":
        return (yield)
    with keys.within(f"{fixturedef.baseid}::{fixturedef.argname}[{getattr(request, 'param_index', 0)}]"):
        return (yield)


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        markers.mark(item)
    single = config.getoption("lf", False) or any("[" in argument for argument in config.args)
    markers.mark_slow_cases(items, complete=not single)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The seed, also with -q; and what each suite cost, in minutes of its tests added up (two run at a time)."""
    terminalreporter.write_line(f"seed: {terminalreporter.config.option.seed}")
    minutes: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                file = report.nodeid.partition("::")[0].split("/")
                suite = file[1] if len(file) > 2 else "hosts and ground"
                minutes[suite] = minutes.get(suite, 0) + report.duration / 60
    if sum(minutes.values()) > 1:
        terminalreporter.section("minutes a suite")
        for suite, spent in sorted(minutes.items(), key=lambda entry: -entry[1]):
            terminalreporter.write_line(f"{spent:6.1f}  {suite}")
