"""``%mistral_key`` in real kernels and in terminal IPython."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import PASSPHRASE
from support.kernels import INTERRUPT, RealKernel, clean_environment, start_kernel, vault_environment
from support.keys import make_key
from support.patience import PATIENCE
from support.sandboxes import start_sandbox
from support.terminals import terminal_ipython

Env = dict[str, str]
LOAD = "%load_ext mistral_nb"
# What is in the environment, by its fingerprint: the key itself would not come through.
VALUE = """
import os
from mistral_nb.api_key import fingerprint
value = os.environ.get("MISTRAL_API_KEY")
print(fingerprint(value) if value else "unset")
"""


@pytest.fixture
def kernel(environ: Env, tmp_path: Path) -> Iterator[RealKernel]:
    folder = tmp_path / "a folder"
    folder.mkdir()
    with start_kernel(environ, cwd=folder) as running:
        running.run(LOAD)
        yield running


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKernel]:
    """One kernel for all tests that change nothing."""
    folder = tmp_path_factory.mktemp("kernel")
    with start_sandbox() as sandbox, start_kernel(vault_environment(folder, sandbox.url, PASSPHRASE)) as running:
        running.run(LOAD)
        yield running


def test_asked_once_masked_and_in_every_later_kernel_without_asking(
    kernel: RealKernel, environ: Env, sandbox: Sandbox
) -> None:
    key = sandbox.make_key()
    ran = kernel.run("%mistral_key", answers=[key.reveal()])
    assert ran.status == "ok"
    assert ran.prompts[0].text.startswith("Paste your Mistral API key (https://console.mistral.ai/")
    assert [prompt.masked for prompt in ran.prompts] == [True]
    assert not any(key.reveal() in message for message in ran.messages)
    assert kernel.run(VALUE).text.strip() == key.fingerprint
    with start_kernel(environ) as second:
        ran = second.run(f"{LOAD}\n%mistral_key", allow_stdin=False)
        assert (ran.status, ran.prompts) == ("ok", [])
        assert second.run(VALUE).text.strip() == key.fingerprint
        assert second.run("%mistral_key verify").results[0]["text/plain"].count("accepted") >= 1


@pytest.mark.slow
def test_run_all_waits_for_the_prompt(kernel: RealKernel, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    kernel.client.execute("%mistral_key switch dev", allow_stdin=True)
    later = kernel.client.execute(VALUE)
    kernel.client.get_stdin_msg(timeout=20 * PATIENCE)
    kernel.client.input(key.reveal())
    text = ""
    while True:
        message = kernel.client.get_iopub_msg(timeout=20 * PATIENCE)
        if message["parent_header"].get("msg_id") == later and message["msg_type"] == "stream":
            text += message["content"]["text"]
        if message["parent_header"].get("msg_id") == later and message["content"].get("execution_state") == "idle":
            break
    assert text.strip() == key.fingerprint


def test_a_front_end_that_cannot_ask_gets_one_clean_line(unchanged: RealKernel) -> None:
    ran = unchanged.run("%mistral_key", allow_stdin=False)
    assert ran.status == "error"
    assert ran.error.traceback.count("\n") == 0
    for way in ("MISTRAL_API_KEY", "MISTRAL_API_KEY_FILE", "MISTRAL_NB_STORE=file"):
        assert way in ran.error.traceback


@pytest.mark.slow
def test_ctrl_c_at_the_prompt_leaves_everything_as_it_was(kernel: RealKernel, environ: Env) -> None:
    ran = kernel.run("%mistral_key", answers=[INTERRUPT])
    assert (ran.status, ran.error.traceback) == ("error", "mistral_nb: Cancelled; nothing was changed.")
    assert kernel.run(VALUE).text.strip() == "unset"
    assert not os.path.exists(environ["MISTRAL_NB_HOME"])


@pytest.mark.slow
@pytest.mark.parametrize("place", ["%mistral_key {}", "%mistral_key login --key-name={}", "%mistral_key switch '{}'"])
def test_a_key_as_an_argument_is_refused_and_removed_from_the_history(
    place: str, kernel: RealKernel, environ: Env
) -> None:
    key = make_key()
    ran = kernel.run(place.format(key.reveal()))
    assert ran.status == "error"
    assert key.reveal() not in ran.error.traceback
    shown = kernel.run("print(In[-2], _i, _ih[-2])\n%history")
    assert "redacted" in shown.text
    assert key.reveal() not in shown.text
    kernel.shut_down()
    database = Path(environ["IPYTHONDIR"], "profile_default", "history.sqlite")
    files = [file.read_bytes() for file in database.parent.glob("history.sqlite*")]
    assert b"mistral_key" in b"".join(files)
    assert key.reveal().encode() not in b"".join(files)
    seen = json.loads(Path(environ["MISTRAL_NB_HOME"], "workspaces.json").read_text())["seen"]
    assert [entry["fingerprint"] for entry in seen] == [key.fingerprint]


@pytest.mark.slow_except("statsu")
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%mistral_key statsu", "Did you mean: %mistral_key status"),
        ("%mistral_key use dev", "There is no sub-command use. Try: %mistral_key switch"),
        ("%mistral_key add dev", "There is no sub-command add. Try: %mistral_key login"),
        ("%mistral_key 'dev", "quote"),
        ("%mistral_key --frobnicate", "Try: %mistral_key help"),
        ("%mistral_key logout", "Try: %mistral_key help logout"),
        ("%mistral_key logout nowhere", "No keys are stored"),
        ("%mistral_key run -- ls", "run is for a terminal. Try: !mistral-nb run …"),
        ("%mistral_key scrub .", "scrub is for a terminal. Try: !mistral-nb scrub …"),
        ("%mistral_key curl /v1/models", "curl is for a terminal. Try: !mistral-nb curl …"),
        ("%mistral_key git-filter", "git-filter is for a terminal. Try: !mistral-nb git-filter …"),
    ],
)
def test_wrong_input_gets_one_line_with_a_suggestion(line: str, says: str, unchanged: RealKernel) -> None:
    ran = unchanged.run(line, allow_stdin=False)
    assert ran.status == "error"
    assert ran.error.traceback.startswith("mistral_nb: ")
    assert says in ran.error.traceback


@pytest.mark.slow
@pytest.mark.parametrize("line", ["help rotate", "rotate --help", "rotate dev -h"])
def test_the_options_of_a_sub_command_are_shown_by_help(line: str, unchanged: RealKernel) -> None:
    told = unchanged.run(f"%mistral_key {line}\n1", allow_stdin=False).results[0]["text/plain"]
    assert "    %mistral_key rotate [WORKSPACE]" in told
    assert "--keep-old" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("%mistral_key login dev --key-name laptop # it's mine", "laptop"),
        ("%mistral_key login dev --key-name laptop#2", "laptop#2"),
        ("%mistral_key login dev --key-name 'a # b' # 'and", "a # b"),
    ],
)
def test_a_comment_ends_a_line(line: str, name: str, kernel: RealKernel, sandbox: Sandbox, environ: Env) -> None:
    ran = kernel.run(line, answers=[sandbox.make_key().reveal()])
    assert ran.status == "ok", ran.error
    kept = json.loads(Path(environ["MISTRAL_NB_HOME"], "workspaces.json").read_text())["workspaces"]["dev"]
    assert kept["name"] == name


@pytest.mark.slow
def test_magics_return_nothing_but_for_reports(kernel: RealKernel, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    kernel.run("%mistral_key login dev", answers=[key.reveal()])
    for line in ("%mistral_key", "%mistral_key switch dev", "%mistral_key help"):
        assert kernel.run(f"x = {line}\nprint(x)").text.endswith("None\n")
    for line in ("status", "list", "verify", "doctor"):
        ran = kernel.run(f"x = %mistral_key {line}\nprint(type(x).__name__)\nx")
        assert ran.text.endswith("Report\n")
        assert "<table" in ran.results[0]["text/html"]
        assert key.reveal() not in json.dumps(ran.messages)


@pytest.mark.slow
def test_the_name_is_at_hand_after_loading_unless_it_is_somebody_elses(environ: Env) -> None:
    with start_kernel(environ) as kernel:
        assert kernel.run("mistral_nb.redact('a')").error.name == "NameError"  # the control
        kernel.run(LOAD)
        assert kernel.run("print(mistral_nb.redact('a'))\n%who").text == "a\nInteractive namespace is empty.\n"
        kernel.run("mistral_nb = 5\n%reload_ext mistral_nb")
        assert kernel.run("print(mistral_nb)").text == "5\n"


def test_a_question_mark_shows_how_it_is_used(unchanged: RealKernel) -> None:
    shown = "".join(unchanged.run("%mistral_key?").messages)
    assert "%mistral_key login WORKSPACE" in shown
    assert "no docstring" not in shown


@pytest.mark.slow
def test_loading_asks_nothing_opens_nothing_and_says_nothing(environ: Env) -> None:
    with start_kernel(environ) as kernel:
        ran = kernel.run(LOAD, allow_stdin=False)
        assert (ran.status, ran.text) == ("ok", "")
        loaded = kernel.run("import sys; print([m for m in ('httpx', 'keyring', 'cryptography') if m in sys.modules])")
        assert loaded.text.strip() == "[]"
    assert not os.path.exists(environ["MISTRAL_NB_HOME"])


@pytest.mark.slow
def test_a_left_over_marker_is_reported_at_load_in_one_line(environ: Env) -> None:
    with start_kernel(environ | {"MISTRAL_API_KEY": "[MISTRAL_API_KEY redacted]"}) as kernel:
        assert kernel.run(LOAD).text.count("\n") == 1


@pytest.mark.slow
def test_load_run_twice_and_unload(kernel: RealKernel) -> None:
    assert kernel.run("%reload_ext mistral_nb\n%load_ext mistral_nb\nmistral_nb").status == "ok"
    assert kernel.run("%unload_ext mistral_nb").status == "ok"
    assert "NameError" in str(kernel.run("mistral_nb").messages)
    assert kernel.run("import mistral_nb\n%load_ext mistral_nb\n%unload_ext mistral_nb\nmistral_nb").status == "ok"
    assert kernel.run("%mistral_key status").status == "error"


@pytest.mark.slow
def test_a_live_sdk_client_follows_a_change(kernel: RealKernel, sandbox: Sandbox) -> None:
    keys = [sandbox.make_key(), sandbox.make_key()]
    for name, key in zip(("one", "two"), keys, strict=True):
        kernel.run(f"%mistral_key login {name}", answers=[key.reveal()])
    kernel.run("import os\nfrom mistralai.client import Mistral")
    kernel.run("client = Mistral(server_url=os.environ['MISTRAL_NB_API'])")
    for name, key in zip(("one", "two"), keys, strict=True):
        ran = kernel.run(f"%mistral_key {name}\nprint(len(client.models.list().data))")
        assert ran.status == "ok"
        assert sandbox.requests[-1].tail == key.tail


@pytest.mark.slow
def test_the_python_functions_work_like_the_magic(kernel: RealKernel, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    kernel.run("import mistral_nb\nmistral_nb.login('dev')", answers=[key.reveal()])
    ran = kernel.run("mistral_nb.switch('dev')\nprint(mistral_nb.status().data['active']['tail'])")
    assert ran.text.strip().endswith(key.tail)
    ran = kernel.run("import os\nprint(mistral_nb.redact('it is ' + os.environ['MISTRAL_API_KEY'] + '!'))")
    assert ran.text == "it is [MISTRAL_API_KEY redacted]!\n"


@pytest.mark.slow
@pytest.mark.parametrize("simple", [True, False])
def test_terminal_ipython_asks_masked(simple: bool, environ: Env, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    with terminal_ipython(environ, simple_prompt=simple) as screen:
        screen.types(LOAD)
        screen.sees("In [2]:")
        screen.types("%mistral_key switch dev")
        screen.sees("input is hidden): ")
        assert screen.waits_masked()
        screen.types(key.reveal())
        screen.sees(f"dev …{key.tail}")
        assert key.reveal() not in screen.raw


@pytest.mark.slow
def test_a_kernel_without_a_keyring_keeps_a_key_in_memory_on_enter(environ: Env, sandbox: Sandbox) -> None:
    env = environ | {"MISTRAL_NB_STORE": "auto", "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    del env["MISTRAL_NB_PASSPHRASE_FILE"]
    key = sandbox.make_key()
    with start_kernel(env) as kernel:
        ran = kernel.run(f"{LOAD}\n%mistral_key switch dev", answers=[key.reveal(), ""])
        assert ran.status == "ok"
        assert "memory only" in ran.text
        assert kernel.run(VALUE).text.strip() == key.fingerprint
        kernel.run("del os.environ['MISTRAL_API_KEY']")
        assert kernel.run("%mistral_key switch dev", allow_stdin=False).status == "ok"
    kept = {file: file.read_bytes() for file in Path(env["HOME"]).parent.rglob("*") if file.is_file()}
    assert key.tail.encode() in kept[Path(env["MISTRAL_NB_HOME"], "workspaces.json")]
    assert [file for file, data in kept.items() if key.reveal().encode() in data] == []


@pytest.mark.slow
def test_a_clean_environment_has_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key()
    for name in ("MISTRAL_API_KEY", "MISTRAL_ADMIN_API_KEY", "CODESTRAL_API_KEY", "LLM_MISTRAL_KEY"):
        monkeypatch.setenv(name, key.reveal())
    assert key.reveal() not in clean_environment(tmp_path).values()
