"""What Tab offers: by itself, in real kernels with IPython's completers, and in JupyterLab."""

from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter

from mistral_nb.command_context import Context
from mistral_nb.command_table import MAGIC, commands_for
from mistral_nb.magic.tab_completion import complete_line, install
from support.browsers import open_notebook, start_browser, start_server
from support.ipython_shells import open_shell
from support.kernels import start_kernel
from support.keys import make_key

NewContext = Callable[..., Context]
Env = dict[str, str]
COMMANDS = list(commands_for(MAGIC))
SWITCH = ["--force", "--yes", "--widget", "--no-wait"]
STORED = ["prod", "staging"]
_COMPLETER = "@jupyterlab/completer-extension/manager.jupyterlab-settings"


@pytest.fixture
def stored(new_context: NewContext, environ: Env, monkeypatch: pytest.MonkeyPatch) -> Env:
    """Two workspaces have a key."""
    for name in STORED:
        new_context().key_manager.keep(name, make_key(), store="file")
    monkeypatch.setenv("MISTRAL_NB_HOME", environ["MISTRAL_NB_HOME"])
    return environ


def offered(line: str) -> list[str]:
    return [offer.text for offer in complete_line(line)]


@pytest.mark.parametrize("start", ["%mistral_key ", "  %mistral_key\t", "x = %mistral_key ", "mistral_key "])
def test_sub_commands_come_first_then_workspaces_then_flags(start: str, stored: Env) -> None:
    assert offered(start) == [*COMMANDS, *STORED, *SWITCH]


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("%mistral_key sta", ["status", "staging"]),
        ("%mistral_key verify ", [*STORED, "--old", "--long", "--json"]),
        ("%mistral_key verify --l", ["--long"]),
        ("%mistral_key verify --long --", ["--old", "--json"]),
        ("%mistral_key prod --f", ["--force"]),
        ("%mistral_key verify -w ", STORED),
        ("%mistral_key autoload --switch ", STORED),
        ("%mistral_key edit prod --store ", ["keyring", "file"]),
        ("%mistral_key edit prod --rename ", []),
        ("%mistral_key help rot", ["rotate"]),
        ("%%mistral_key ", [*STORED, "--force", "--yes"]),
        ("mistral_key = ", []),
        ("mistral_key, ", []),
        ("mistral_key = os.", []),
        ("mistral_key --f", ["--force"]),
        ("# %mistral_key ", []),
        ("print('%mistral_key ", []),
        ("%mistral_key", []),
        ("%mistral_keys ", []),
    ],
)
def test_what_fits_the_line(line: str, offers: list[str], stored: Env) -> None:
    assert offered(line) == offers


def test_without_automagic_a_line_needs_its_percent_sign(stored: Env) -> None:
    assert complete_line("mistral_key ", automagic=False) == []
    assert complete_line("%mistral_key ", automagic=False)


@pytest.mark.slow
def test_only_a_line_that_ipython_takes_for_the_magic_has_its_offers(stored: Env, tmp_path: Path) -> None:
    with open_shell(tmp_path) as shell, provisionalcompleter():
        shell.Completer.use_jedi = False
        install(shell)

        def found(cell: str) -> list[str]:
            return [one.text for one in shell.Completer.completions(cell, len(cell))]

        assert found("mistral_key pr") == ["protect", "prod"]
        assert "print" in found("x = 1\nmistral_key pr")
        assert "print" in found("mistral_key = pr")
        assert found("x = 1\n%mistral_key pr") == ["protect", "prod"]
        shell.automagic = False
        assert "print" in found("mistral_key pr")
        assert found("%mistral_key pr") == ["protect", "prod"]
        shell.automagic = True
        shell.user_ns["mistral_key"] = "a variable"
        assert "print" in found("mistral_key pr")


@pytest.mark.slow
@pytest.mark.parametrize("jedi", [True, False], ids=["jedi", "without jedi"])
@pytest.mark.parametrize("new", [True, False], ids=["new completer", "old completer"])
def test_nothing_else_is_offered_in_a_real_kernel(new: bool, jedi: bool, stored: Env, tmp_path: Path) -> None:
    settings = [f"--IPCompleter.use_jedi={jedi}", f"--IPythonKernel.use_experimental_completions={new}"]
    with start_kernel(stored, tmp_path, arguments=settings) as kernel:
        assert "prod" not in kernel.complete("%mistral_key ")  # the control
        kernel.run("%load_ext mistral_nb")
        for line in ("%mistral_key ", "%mistral_key login --", "%%mistral_key ", "print(1)\n%mistral_key sta"):
            assert kernel.complete(line) == offered(line.splitlines()[-1])
        kernel.run("%unload_ext mistral_nb")
        assert "prod" not in kernel.complete("%mistral_key ")


@pytest.mark.slow
def test_in_jupyterlab_it_comes_first_as_well(stored: Env, tmp_path: Path) -> None:
    cells = ["%load_ext mistral_nb", "%mistral_key "]
    expected = offered(cells[1])
    with start_server(stored, tmp_path / "notebooks") as server, start_browser() as browser:
        server.set(_COMPLETER, providerTimeout=60_000)  # milliseconds; after 1,000 it shows what others offer
        with open_notebook(browser, server, cells, lab=True) as notebook:
            notebook.run(0)
            notebook.wait_done(0)
            notebook.cell(1).locator(".cm-content").click()
            notebook.page.keyboard.press("End")
            notebook.page.keyboard.press("Tab")
            shown = notebook.page.locator(".jp-Completer-item .jp-Completer-match")
            notebook.wait(lambda: shown.all_inner_texts()[: len(expected)] == expected)
