"""``%%mistral_key``: one cell with another workspace's key, in a real kernel."""

import ast
import contextlib
import os
import signal
import time
from pathlib import Path
from threading import Thread

import pytest

from mistral_nb.api_key import Secret
from mistral_nb.magic.cell_magic import transform_lines, transform_tree
from mistral_nb.storage.index import Index
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.vault import Vault
from support.commands import PASSPHRASE
from support.kernels import start_kernel, vault_environment
from support.patience import PATIENCE
from support.sandboxes import start_sandbox

ACTIVE = "__import__('os').environ.get('MISTRAL_NB_ACTIVE', '').split(':')[0]"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    with _world(tmp_path_factory.mktemp("cell")) as made:
        yield made


@contextlib.contextmanager
def _world(folder: Path):
    with start_sandbox() as sandbox:
        env = vault_environment(folder, sandbox.url, PASSPHRASE)
        home = env["MISTRAL_NB_HOME"]
        keeper = KeyManager(Index(home), {"file": Vault(home, Secret(PASSPHRASE))})
        keys = {name: sandbox.make_key(name) for name in ("dev", "prod", "guarded")}
        for name, key in keys.items():
            keeper.keep(name, key, {"ask_first": name == "guarded"}, "file")
        with start_kernel(env) as kernel:
            kernel.run("%load_ext mistral_nb\n%mistral_key dev")
            yield kernel, keys, sandbox


def in_use(kernel) -> str:
    return kernel.run(ACTIVE).results[0]["text/plain"].strip("'")


def test_the_cell_has_the_other_key_and_the_next_one_the_first(world):
    kernel, keys, _ = world
    ran = kernel.run(f"%%mistral_key prod\nprint({ACTIVE})\n{ACTIVE}")
    assert ran.text.splitlines() == [
        f"MISTRAL_API_KEY is set: prod …{keys['prod'].tail} (from the encrypted file). For this cell only.",
        "prod",
    ]
    assert ran.results[0]["text/plain"] == "'prod'"
    assert in_use(kernel) == "dev"
    assert not any(key.reveal() in message for key in keys.values() for message in kernel.messages)


CELLS = [
    ("await", "import asyncio\nfound = await asyncio.sleep(0.01, 'here')\nfound", "'here'"),
    ("a string over lines is not indented", "'''a\n  b\nc'''", "'a\\n  b\\nc'"),
    ("a line magic", "import os\n%env MISTRAL_NB_NOTHING=1\nos.environ['MISTRAL_NB_NOTHING']", "'1'"),
    ("a future import", "from __future__ import annotations\n'future'", "'future'"),
    ("names stay", "kept_name = 'kept'\nkept_name", "'kept'"),
    ("a definition alone", "def f():\n    return 1", None),
    ("a semicolon", "'quiet';", None),
    ("nothing", "", None),
    ("a comment", "# nothing", None),
    ("None", "None", None),
]


@pytest.mark.parametrize(("what", "body", "shown"), CELLS, ids=[cell[0] for cell in CELLS])
def test_the_cell_behaves_as_without_the_magic(world, what, body, shown):
    kernel, _, _ = world
    ran = kernel.run(f"%%mistral_key prod\n{body}")
    assert ran.status == "ok", ran.shown
    assert [result["text/plain"] for result in ran.results] == ([shown] if shown else [])
    assert in_use(kernel) == "dev"
    assert kernel.run("'_mistral_nb_last' in globals()").results[0]["text/plain"] == "False"


def test_an_error_is_in_the_reply_with_its_line(world):
    kernel, _, _ = world
    ran = kernel.run("%%mistral_key prod\nx = 1\nx / 0")
    assert (ran.status, ran.error.name) == ("error", "ZeroDivisionError")
    assert "line 3" in ran.error.traceback
    assert in_use(kernel) == "dev"
    assert kernel.run("1", stop_on_error=True).status == "ok"


def test_a_syntax_error_too(world):
    kernel, _, _ = world
    assert kernel.run("%%mistral_key prod\nx = = 1").error.name == "SyntaxError"
    assert in_use(kernel) == "dev"


def press_once_begun(kernel, mark):
    while not mark.exists():
        time.sleep(0.02)
    time.sleep(0.2)
    os.kill(kernel.pid, signal.SIGINT)  # the manager would leave a loop in that thread


LOOP = "import asyncio\nwhile True: await asyncio.sleep(0.1)"  # ipykernel looks for a Ctrl-C between two waits


@pytest.mark.slow_except("time.sleep")
@pytest.mark.parametrize("wait", ["import time; time.sleep(600)", LOOP])
def test_an_interrupt_restores_the_first_key(world, wait, tmp_path):
    kernel, _, _ = world
    begun = time.monotonic()
    mark = tmp_path / "begun"
    presser = Thread(target=press_once_begun, args=(kernel, mark))
    presser.start()
    ran = kernel.run(f"%%mistral_key prod\nopen({str(mark)!r}, 'w').close()\n{wait}")
    presser.join()
    assert ran.status == "error"
    assert time.monotonic() - begun < 60 * PATIENCE
    assert in_use(kernel) == "dev"


NESTED = [
    f"%%mistral_key prod\n%%mistral_key dev\n{ACTIVE}",
    f"%%mistral_key prod\n_ = get_ipython().run_cell('%%mistral_key dev\\n1')\n{ACTIVE}",
    f"%%time\n%%mistral_key prod\n{ACTIVE}",
    f"%%mistral_key prod\n%%time\n{ACTIVE}",
]


@pytest.mark.parametrize(("cell", "inside"), list(zip(NESTED, ["dev", "prod", "prod", "prod"], strict=True)))
def test_nested_use(world, cell, inside):
    kernel, _, _ = world
    ran = kernel.run(cell)
    assert ran.status == "ok", ran.shown
    assert f"'{inside}'" in [result["text/plain"] for result in ran.results]
    assert in_use(kernel) == "dev"


def test_what_the_cell_itself_switches_to_does_not_stay(world):
    kernel, _, _ = world
    kernel.run("%%mistral_key prod\n%mistral_key switch prod")
    assert in_use(kernel) == "dev"


def test_without_a_key_before_there_is_none_after(world):
    kernel, _, _ = world
    kernel.run("import os\nfor n in ('MISTRAL_API_KEY', 'MISTRAL_NB_ACTIVE'): os.environ.pop(n)")
    kernel.run("%%mistral_key prod\n1")
    assert kernel.run("'MISTRAL_API_KEY' in os.environ").results[0]["text/plain"] == "False"
    kernel.run("%mistral_key dev")


def test_the_request_of_the_cell_goes_out_with_its_key(world):
    kernel, keys, sandbox = world
    code = f"from mistralai.client import Mistral\nc = Mistral(server_url='{sandbox.url}')\nlen(c.models.list().data)"
    assert kernel.run(f"%%mistral_key prod\n{code}").results[0]["text/plain"] == "3"
    assert sandbox.requests[-1].tail == keys["prod"].tail
    kernel.run("c.models.list();")
    assert sandbox.requests[-1].tail == keys["dev"].tail


def test_an_ask_first_workspace_is_asked_about_once_and_says_so(world):
    kernel, keys, _ = world
    ran = kernel.run("%%mistral_key guarded\n1", answers=["no"])
    assert ran.status == "error"
    assert kernel.run("%%mistral_key guarded\n1", allow_stdin=False).status == "error"
    ran = kernel.run("%%mistral_key guarded\n1", answers=["yes"])
    assert ran.prompts[0].text.startswith(f"Use guarded …{keys['guarded'].tail} (ask first) now?")
    assert "(ask first)" in ran.text
    ran = kernel.run("%%mistral_key guarded\n1")
    assert (ran.status, ran.prompts) == ("ok", [])
    assert in_use(kernel) == "dev"


@pytest.mark.parametrize("line", ["", "status", "no-such-flag --x"])
def test_a_line_that_names_no_workspace_runs_nothing(world, line):
    kernel, _, _ = world
    ran = kernel.run(f"%%mistral_key {line}\nprint('ran')")
    assert ran.status == "error"
    assert "ran\n" not in ran.text


def test_the_help_explains_what_is_shared(world):
    kernel, _, _ = world
    ran = kernel.run("%%mistral_key?")
    shown = "\n".join(ran.messages)
    assert "threads and running tasks" in shown
    assert "mistral_nb.key(" in shown


def test_unloading_removes_it_and_loading_installs_it_once(world):
    kernel, _, _ = world
    kernel.run("%unload_ext mistral_nb")
    assert kernel.run("%%mistral_key prod\n1").status == "error"
    kernel.run("%load_ext mistral_nb\n%reload_ext mistral_nb")
    assert kernel.run("%%mistral_key prod\n1").text.count("For this cell only") == 1


DEEP = " + ".join(["1"] * 2500)  # too deep for Python itself


def test_a_cell_that_goes_too_deep_does_not_cost_the_next_one_its_key(world):
    kernel, _, _ = world
    ran = kernel.run(f"%%mistral_key prod\nprint('ran')\n{DEEP}")
    assert (ran.status, "ran\n" in ran.text) == ("error", False)
    assert "'prod'" in kernel.run(f"%%mistral_key prod\n{ACTIVE}").shown
    assert in_use(kernel) == "dev"


def test_under_a_magic_that_takes_only_the_text_nothing_runs(world):
    kernel, _, _ = world
    ran = kernel.run("%%prun -q\n%%mistral_key prod\nprint('ran')")
    assert "could not wrap this cell; nothing was executed" in ran.shown
    assert "ran\n" not in ran.text
    ran = kernel.run(f"%%mistral_key prod\n%%prun -q\nprint({ACTIVE})")
    assert ran.text.splitlines()[1] == "prod"


@pytest.mark.parametrize("expression", [ACTIVE, f"print({ACTIVE})"])
def test_it_can_be_timed(world, expression):
    kernel, _, _ = world
    ran = kernel.run(f"%%timeit -n1 -r2\n%%mistral_key prod\n{expression}")
    assert ran.status == "ok", ran.shown
    assert ran.text.count("For this cell only") == 2
    assert in_use(kernel) == "dev"


def test_the_trees_of_other_cells_are_not_walked(world):
    kernel, _, _ = world
    walked = "import ast; ip = get_ipython()\nhasattr(ip.transform_ast(ast.parse('1')).body[0].value, 'lineno')"
    without = walked.replace("ast.parse('1')", "ast.Module([ast.Expr(ast.Constant(1))], [])")
    assert kernel.run(walked).results[0]["text/plain"] == "True"
    assert kernel.run(without).results[0]["text/plain"] == "False"
    kernel.run("ip.ast_transformers.append(type('Any', (), {'visit': lambda _, tree: tree})())")
    assert kernel.run(without).results[0]["text/plain"] == "True"  # were ours in that list, it would be so
    kernel.run("ip.ast_transformers.clear()")


def test_a_deep_cell_runs(world):
    kernel, _, _ = world
    ran = kernel.run(f"%%mistral_key prod\nx = {'-' * 900}1\nprint(x)")
    assert ran.text.endswith("\n1\n"), ran.shown


def test_without_the_step_on_the_tree_no_cell_runs(world):
    kernel, _, _ = world
    kernel.run("ip = get_ipython(); kept = ip.transform_ast; del ip.transform_ast")
    ran = kernel.run("%%mistral_key prod\nprint('ran')")
    assert (ran.status, ran.text) == ("error", "")
    kernel.run("ip.transform_ast = kept")
    assert kernel.run("%%mistral_key prod\nprint('ran')").text.endswith("ran\n")


@pytest.mark.slow
def test_a_key_that_is_revoked_in_the_cell_does_not_come_back(tmp_path):
    with _world(tmp_path) as (kernel, keys, _):
        ran = kernel.run(f"%%mistral_key prod\n%mistral_key revoke dev --yes\nprint({ACTIVE})", answers=["no"])
        assert "prod\n" in ran.text
        assert f"The key before this cell, …{keys['dev'].tail}, was revoked: no key is set now." in ran.text
        gone = "print([name in __import__('os').environ for name in ('MISTRAL_API_KEY', 'MISTRAL_NB_ACTIVE')])"
        assert kernel.run(gone).text == "[False, False]\n"


@pytest.mark.slow
def test_other_cells_are_the_same_objects():
    lines = ["print(1)\n"]
    assert transform_lines(lines) is lines
    assert transform_lines([]) == []
    assert transform_lines(["%%mistral_keys prod\n"]) == ["%%mistral_keys prod\n"]
    tree = ast.parse("1")
    before = tree.body
    assert transform_tree(tree).body is before
