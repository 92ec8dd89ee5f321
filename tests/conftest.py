"""A world of its own for each test: a sandbox API, an empty home, an environment without keys."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path

import pytest
from acting import PASSPHRASE
from kernels import vault_environment

from mistral_nb import session
from mistral_nb.actions import reach
from mistral_nb.actions.context import Context
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.store import open_stores
from mistral_nb.store.base import Store
from mistral_nb.store.envelope import Kdf
from mistral_nb.store.memory import MEMORY
from mistral_nb.store.vault import Vault


class QuickContext(Context):
    """As the hosts make it, with a vault that is cheap to open."""

    @cached_property
    def stores(self) -> dict[str, Store]:
        settings = self.config
        vault = Vault(settings.home, settings.passphrase, Kdf(8, 1, 1), settings.passphrase_file)
        return open_stores(settings, interactive=self.interactive) | {"file": vault}


@pytest.fixture(autouse=True)
def _nothing_unsaid() -> None:
    """What one test's index could not note is no other test's business."""
    session._unremembered.clear()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def environ(tmp_path: Path, sandbox: Sandbox) -> dict[str, str]:
    """A clean environment whose keys go to the encrypted file, opened by a passphrase file."""
    return vault_environment(tmp_path, sandbox.url, PASSPHRASE)


@pytest.fixture
def new_context(environ: dict[str, str], tmp_path: Path) -> Callable[..., Context]:
    """Contexts as the hosts make them; each call is one more process, as far as stores are concerned."""
    folder = tmp_path / "project with a space"
    folder.mkdir()

    def make(host: str = "magic", **more: object) -> Context:
        for part in (MEMORY.entries, MEMORY.pending, MEMORY.aside, reach._agreed):
            part.clear()
        given = {"environ": environ, "folder": str(folder), "now": lambda: datetime(2027, 3, 1, 12)}
        return QuickContext(host=host, **{**given, **more})

    return make


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each suite cost, in minutes of its tests added up (two run at a time)."""
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
