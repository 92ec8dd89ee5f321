"""`autoload`: the start-up file, in real kernels."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError, StoreLocked, WrongUsage
from mistral_nb.keys import startup_files
from mistral_nb.magic import kernel_startup
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.set_aside import RemovalPlace
from support.commands import act
from support.kernels import start_kernel
from support.keys import make_key

NewContext = Callable[..., Context]
Env = dict[str, str]
LOADED = "'mistral_key' in get_ipython().magics_manager.magics['line'], [n for n in dir() if 'mistral' in n]"
PRINT = "import os; print(os.environ.get('MISTRAL_API_KEY'))"


def written(environ: Env) -> Path:
    return Path(startup_files.startup_path(environ, system=False))


def test_a_new_kernel_is_guarded_until_it_is_removed(new_context: NewContext, environ: Env) -> None:
    key = make_key()
    env = environ | {"MISTRAL_API_KEY": key.reveal()}
    act(new_context("cli"), "autoload")
    with start_kernel(env) as kernel:
        assert kernel.run(LOADED).results[0]["text/plain"] == "(True, ['mistral_nb'])"
        assert kernel.run(PRINT).text == f"{MARKER}\n"
    act(new_context("cli"), "autoload", remove=True)
    assert not written(environ).exists()
    with start_kernel(env) as kernel:
        assert kernel.run(PRINT).text == f"{key.reveal()}\n", "without it the key is shown"


@pytest.mark.slow
def test_a_workspace_is_set_only_if_it_was_named(new_context: NewContext, sandbox: Sandbox, environ: Env) -> None:
    keys = {name: sandbox.make_key() for name in ("dev", "prod")}
    for name, key in keys.items():
        new_context().key_manager.keep(name, key, store="file")
    project = Path(str(new_context().folder))
    (project / "pyproject.toml").write_text('[tool.mistral-nb]\nworkspace = "dev"\n')
    tail = "import os; print(os.environ.get('MISTRAL_API_KEY', '????')[-4:])"
    for switch, shown in ((None, "????"), ("prod", keys["prod"].tail)):
        act(new_context("cli"), "autoload", switch=switch)
        with start_kernel(environ, project) as kernel:
            assert kernel.run(tail).text == f"{shown}\n"
    act(new_context(), "edit", workspace="prod", ask_first=True)
    with start_kernel(environ, project) as kernel:
        assert kernel.run(tail).text == "????\n", "it asks first, and nobody was asked"


@pytest.mark.slow
def test_the_users_key_file_is_read(environ: Env, new_context: NewContext, tmp_path: Path) -> None:
    key, file = make_key(), tmp_path / "secret"
    file.write_text(key.reveal())
    act(new_context("cli"), "autoload")
    for content, shown in ((key.reveal(), f"{MARKER}\n"), ("no key", "None\n")):
        file.write_text(content)
        with start_kernel(environ | {"MISTRAL_API_KEY_FILE": str(file)}) as kernel:
            assert kernel.run(PRINT).text == shown


def test_without_the_package_the_start_up_file_does_nothing(new_context: NewContext, environ: Env) -> None:
    act(new_context("cli"), "autoload")
    done = subprocess.run([sys.executable, "-I", "-S", str(written(environ))], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_package_that_cannot_be_imported_is_told(new_context: NewContext, environ: Env, folder: Path) -> None:
    act(new_context("cli"), "autoload")
    (folder / "mistral_nb").mkdir()
    (folder / "mistral_nb/__init__.py").write_text("import a_dependency_that_is_missing\n")
    done = subprocess.run(
        [sys.executable, "-S", str(written(environ))],
        capture_output=True,
        text=True,
        env={**environ, "PYTHONPATH": str(folder)},
    )
    assert done.returncode == 0
    assert "this kernel has no guard: No module named 'a_dependency_that_is_missing'" in done.stderr


def test_of_two_files_the_one_that_stays_is_named(
    new_context: NewContext, environ: Env, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "an environment"))
    act(new_context("cli"), "autoload", system=True)
    said = act(new_context("cli"), "autoload", remove=True).shown
    assert "autoload is off" not in said
    assert "Still on: every new kernel of this environment" in said
    assert "autoload --remove --system" in said
    act(new_context("cli"), "autoload", remove=True, system=True)
    assert "autoload is off" in act(new_context("cli"), "autoload", remove=True).shown


def test_a_file_that_cannot_be_read_is_told_as_that(new_context: NewContext, environ: Env) -> None:
    written(environ).mkdir(parents=True)
    for flags in ({}, {"remove": True}):
        with pytest.raises(MistralNbError, match="can't be read"):
            act(new_context("cli"), "autoload", **flags)


class TestAKernelThatStarts:
    @pytest.fixture
    def start(self, new_context: NewContext, environ: Env) -> Callable[[], None]:
        def set_key() -> None:
            kernel_startup.set_key(new_context("magic"), "dev")

        return set_key

    def test_it_deletes_nothing(self, new_context: NewContext, start: Callable[[], None], environ: Env) -> None:
        context = new_context("cli")
        context.key_manager.keep("dev", key := make_key(), store="file")
        entry = context.set_aside.put(make_key(), RemovalPlace("a.ipynb"))
        with context.index.edit() as contents:
            contents.set_aside[:] = [entry._replace(expires="2020-01-01")]
        start()
        assert environ["MISTRAL_API_KEY"] == key.reveal()
        assert len(context.set_aside.entries()) == 1
        acted = act(new_context("cli"), "switch", workspace="dev")
        assert "Deleted, because it was set aside" in acted.shown, "else this test says nothing"

    def test_a_locked_store_is_not_opened(self, new_context: NewContext, environ: Env) -> None:
        context = new_context("magic")
        context.key_manager.keep("dev", make_key(), store="file")
        context.stores = {**context.stores, "file": Locked()}
        with pytest.raises(MistralNbError, match=r"The keyring is locked\. So no key was set\."):
            kernel_startup.set_key(context, "dev")
        assert "MISTRAL_API_KEY" not in environ


class Locked:
    """A store whose items can't be read without a dialog."""

    def unavailable_reason(self) -> StoreLocked:
        return StoreLocked("The keyring is locked.", "Unlock it.")

    def get(self, *_: str) -> None:
        raise AssertionError("a dialog opened")


def test_it_says_what_it_did_and_does_it_once(new_context: NewContext, environ: Env) -> None:
    assert "Autoload is off." in act(new_context("cli"), "autoload", status=True).shown
    assert "autoload" not in act(new_context("cli"), "status").shown
    assert "off: each notebook needs %load_ext" in act(new_context("cli"), "doctor").shown
    assert act(new_context("cli"), "autoload").shown.startswith("On: every new kernel of yours loads mistral_nb.")
    assert act(new_context("cli"), "autoload").shown.startswith("Already on:")
    for command, flags in (("status", {}), ("doctor", {}), ("autoload", {"status": True})):
        assert "every new kernel of yours loads mistral_nb" in act(new_context("cli"), command, **flags).shown
    act(new_context("cli"), "autoload", remove=True)
    assert "Nothing to remove" in act(new_context("cli"), "autoload", remove=True).shown


def test_what_cannot_be_set_without_asking_is_refused(new_context: NewContext) -> None:
    new_context().key_manager.keep("prod", make_key(), {"ask_first": True}, "file")
    for flags, says in (
        ({"switch": "prod"}, "asks before it is used"),
        ({"switch": "nowhere"}, "No key is stored"),
        ({"switch": "prod", "system": True}, "your own kernels"),
        ({"switch": "prod", "remove": True}, "cannot be used together"),
    ):
        with pytest.raises(WrongUsage, match=says):
            act(new_context("cli"), "autoload", **flags)


def test_a_file_of_somebody_else_stays(new_context: NewContext, environ: Env) -> None:
    written(environ).parent.mkdir(parents=True)
    written(environ).write_text("print('mine')\n")
    with pytest.raises(MistralNbError, match="was not written by mistral_nb"):
        act(new_context("cli"), "autoload")
    act(new_context("cli"), "autoload", remove=True)
    assert written(environ).read_text() == "print('mine')\n"


def test_the_system_file_is_where_ipython_looks_for_it(environ: Env) -> None:
    from IPython.core.application import ENV_CONFIG_DIRS

    folders = [os.path.join(folder, "startup") for folder in ENV_CONFIG_DIRS]
    assert os.path.dirname(startup_files.startup_path(environ, system=True)) in folders
