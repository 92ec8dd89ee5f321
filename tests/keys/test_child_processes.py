"""After a key was replaced or revoked, a report names the children that still have it, and nobody else."""

import ast
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from mistral_nb.api_key import Key, Secret
from mistral_nb.command_context import Context
from mistral_nb.keys.child_processes import old_key_notes
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import Index
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.vault import Vault
from support.commands import PASSPHRASE, act
from support.kernels import RealKernel, start_kernel, vault_environment
from support.keys import make_key
from support.processes import started
from support.sandboxes import start_sandbox

NewContext = Callable[..., Context]
WAITS = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]


@contextlib.contextmanager
def child(**variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs, with these variables and no other of Mistral's."""
    env = {name: value for name, value in os.environ.items() if "MISTRAL" not in name}
    with started(WAITS, env=env | variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield process


def notes_on(context: Context, key: Key, **options: Any) -> str:
    return "\n".join(old_key_notes(context, key.fingerprint, key.tail, **options))


def test_a_child_that_was_started_with_the_key_is_named(new_context: NewContext) -> None:
    key, other = make_key(), make_key()
    with child(MISTRAL_API_KEY=key.reveal()) as holder, child(MISTRAL_API_KEY=other.reveal()), child():
        said = notes_on(new_context(), key)
        assert said == f"1 child process (pid {holder.pid}) still holds …{key.tail}: restart the pool or program."
        with child(CODESTRAL_API_KEY=key.reveal()) as second:
            said = notes_on(new_context(), key)
    assert said == (
        f"2 child processes (pids {holder.pid}, {second.pid}) still hold …{key.tail}: restart the pool or program."
    )
    assert notes_on(new_context(), key) == ""  # they have ended


def test_many_are_counted(new_context: NewContext) -> None:
    key = make_key()
    with contextlib.ExitStack() as stack:
        for _ in range(7):
            stack.enter_context(child(MISTRAL_API_KEY=key.reveal()))
        said = notes_on(new_context(), key)
    assert said.startswith("7 child processes (pids ")
    assert "and 2 more) still hold" in said


def test_the_command_line_has_no_children_to_name(new_context: NewContext) -> None:
    key = make_key()
    with child(MISTRAL_API_KEY=key.reveal()):
        assert notes_on(new_context(host="cli"), key) == ""


def test_without_psutil_nothing_is_said(new_context: NewContext, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key()
    monkeypatch.setitem(sys.modules, "psutil", None)
    with child(MISTRAL_API_KEY=key.reveal()):
        assert notes_on(new_context(), key) == ""


@pytest.fixture
def old(new_context: NewContext, sandbox: Sandbox) -> Key:
    key = sandbox.make_key("prod")
    act(new_context(), "login", {"key": key, "expires": "", "name": ""}, workspace="prod")
    return key


def replace_by_rotate(new_context: NewContext, sandbox: Sandbox) -> str:
    return act(new_context(), "rotate", {"key": sandbox.make_key("prod"), "expires": ""}, workspace="prod").shown


def replace_by_switch(new_context: NewContext, sandbox: Sandbox) -> str:
    context = new_context()
    context.key_manager.keep("dev", sandbox.make_key("dev"), {}, "file")
    return act(context, "switch", workspace="dev").shown


def replace_by_login(new_context: NewContext, sandbox: Sandbox) -> str:
    answers = {"key": sandbox.make_key("dev"), "expires": "", "name": ""}
    return act(new_context(), "login", answers, workspace="dev").shown


def revoke(new_context: NewContext, sandbox: Sandbox) -> str:
    return act(new_context(), "revoke", workspace="prod").shown


@pytest.mark.parametrize("way", [replace_by_rotate, replace_by_switch, replace_by_login, revoke])
def test_reports_name_them(way: Any, new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    with child(MISTRAL_API_KEY=old.reveal()) as holder, child():
        said = way(new_context, sandbox)
    assert f"1 child process (pid {holder.pid}) still holds …{old.tail}" in said
    assert old.reveal() not in said


@pytest.mark.parametrize("way", [replace_by_rotate, replace_by_switch, replace_by_login, revoke])
def test_reports_name_nobody_else(way: Any, new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    with child(MISTRAL_API_KEY=make_key().reveal()), child():
        assert "child process" not in way(new_context, sandbox)


# In a kernel: a pool of each kind, and what its tasks do.
START = """
import concurrent.futures as futures, multiprocessing, os, task
from joblib.externals.loky import get_reusable_executor
def start(method):
    if method == 'loky':
        return get_reusable_executor(1)
    return futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method))
def run(function, *arguments):
    return pool.submit(function, *arguments).result(timeout=120)
"""
TASKS = """
import os, mistral_nb
def look():
    return os.getpid(), os.environ["MISTRAL_API_KEY"][-4:]
def read(workspace):
    try:
        return mistral_nb.key(workspace)()[-4:]
    except Exception as error:
        return f"{type(error).__name__}: {error}"
def read_locked(workspace):
    del os.environ["MISTRAL_NB_PASSPHRASE_FILE"]
    return read(workspace)
"""
METHODS = ["spawn", "fork", "forkserver", "loky"]


class World(NamedTuple):
    """A guarded kernel; what writes to its store; and the keys of dev and prod there. careful asks first."""

    kernel: RealKernel
    manager: KeyManager
    dev: Key
    prod: Key

    def switch(self, workspace: str) -> str:
        ran = self.kernel.run(f"%mistral_key switch {workspace}")
        assert ran.status == "ok", ran.shown
        return ran.text

    def value(self, expression: str) -> Any:
        ran = self.kernel.run(f"print(repr({expression}))")
        assert ran.status == "ok", ran.shown
        return ast.literal_eval(ran.text)

    @contextlib.contextmanager
    def pool(self, method: str) -> Iterator[None]:
        self.kernel.run(f"pool = start({method!r})")
        yield
        self.kernel.run("pool.shutdown()")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder, dev, prod = tmp_path_factory.mktemp("pools"), make_key(), make_key()
    with start_sandbox() as sandbox:
        env = vault_environment(folder, sandbox.url, PASSPHRASE)
        home = env["MISTRAL_NB_HOME"]
        manager = KeyManager(Index(home), {"file": Vault(home, Secret(PASSPHRASE))})
        manager.keep("dev", dev, {}, "file")
        manager.keep("prod", prod, {}, "file")
        manager.keep("careful", make_key(), {"ask_first": True}, "file")
        (folder / "home/task.py").write_text(TASKS)
        with start_kernel(env | {"PYTHONPATH": str(folder / "home")}) as kernel:
            kernel.run(f"%load_ext mistral_nb\n{START}")
            yield World(kernel, manager, dev, prod)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_pool_that_was_started_before_is_named_and_one_after_is_not(method: str, world: World) -> None:
    world.switch("dev")
    with world.pool(method):
        pid, tail = world.value("run(task.look)")
        assert tail == world.dev.tail
        said = world.switch("prod")
        keeps = "was forked before this and keeps the key" if method == "fork" else f"still holds …{tail}"
        assert f"1 child process (pid {pid}) {keeps}" in said
        assert said.count("child process") == 1, said  # no tracker of resources, which runs no task
        assert world.value("run(task.look)") == (pid, tail)
    assert ("fork server" in said) == (method == "forkserver")
    if method == "forkserver":
        end_fork_server(world, said)
    with world.pool(method):
        assert world.value("run(task.look)")[1] == world.prod.tail
        assert "child process" not in "\n".join(notes_in(world, world.dev))


def end_fork_server(world: World, said: str) -> None:
    """As the report advises it. Until then a new pool has the old key."""
    with world.pool("forkserver"):
        assert world.value("run(task.look)")[1] == world.dev.tail
    advice = re.search(
        r"gives (…\w{4}) to new pools as well: shut its pools down and end it \((os\.kill\(.*?\))\)", said
    )
    assert advice, said
    assert advice[1] == f"…{world.dev.tail}"
    waited = "os.waitid(os.P_PID, {}, os.WEXITED | os.WNOWAIT)"  # multiprocessing itself asks whether it has ended
    server = advice[2].partition("(")[2].partition(",")[0]
    assert world.kernel.run(f"{advice[2]}\n{waited.format(server)}").status == "ok"


def notes_in(world: World, key: Key) -> Any:
    code = "__import__('mistral_nb.keys.child_processes', fromlist=['_']).old_key_notes"
    context = "__import__('mistral_nb.command_context', fromlist=['_']).Context('magic')"
    return world.value(f"{code}({context}, {key.fingerprint!r}, {key.tail!r}, was_set=False)")


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_task_reads_the_current_key_from_the_store_and_fails_at_once_where_it_would_have_to_ask(
    method: str, world: World
) -> None:
    name, old, new = f"rotated-{method}", make_key(), make_key()
    world.switch("dev")
    world.manager.keep(name, old, {}, "file")
    with world.pool(method):
        assert world.value(f"run(task.read, {name!r})") == old.tail
        world.manager.keep(name, new, {}, "file")
        assert world.value(f"run(task.read, {name!r})") == new.tail
        assert world.value("run(task.read, 'careful')") == (
            "CannotAsk: Workspace careful must be confirmed before use, but no terminal is available. "
            "Use --yes, or another workspace."
        )
        assert world.value("run(task.read_locked, 'dev')").startswith("PassphraseNeeded: ")


@pytest.mark.slow
def test_workers_of_dask_are_named_unless_the_key_is_shared_with_them(world: World) -> None:
    pytest.importorskip("distributed")
    world.switch("dev")
    ran = world.kernel.run(
        "from distributed import Client, LocalCluster\n"
        "cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)\nclient = Client(cluster)"
    )
    assert ran.status == "ok", ran.shown
    try:
        (pid,) = world.value("[pid for pid, _ in client.run(task.look).values()]")
        named = f"1 child process (pid {pid}) still holds …{world.dev.tail}"
        assert named in world.switch("prod")
        world.switch("dev")
        assert world.kernel.run("share = mistral_nb.share(client)").status == "ok"
        assert "child process" not in world.switch("prod")
        world.switch("dev")
        assert world.kernel.run("share.stop()").status == "ok"
        assert named in world.switch("prod")
    finally:
        world.kernel.run("client.close(); cluster.close()")
