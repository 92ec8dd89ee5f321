"""The console script, in a pipe and in a terminal, as a person runs it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mistral_nb.command_help import HIDDEN
from mistral_nb.command_runner import load_action
from mistral_nb.command_table import CLI, MAGIC, commands_for
from mistral_nb.sandbox.sandbox import Sandbox
from support.keys import make_key, make_text
from support.patience import PATIENCE
from support.terminals import CTRL_C, spawn

SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))
Env = dict[str, str]


def run(env: Env, *words: str, given: str = "", **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *words], env=env, input=given, capture_output=True, text=True, timeout=60 * PATIENCE, **more
    )


def test_a_key_from_standard_input_is_stored_and_passed_to_a_command(environ: Env, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    added = run(environ, "login", "dev", given=key.reveal() + "\n")
    assert added.returncode == 0
    assert added.stdout.startswith(f"✓ dev …{key.tail} · ") and added.stdout.count("\n") == 1
    shown = run(
        environ, "run", "-w", "dev", "--", sys.executable, "-c", "import os; print(os.environ['MISTRAL_API_KEY'])"
    )
    assert shown.stdout.strip() == key.reveal()
    for result in (added, run(environ, "status"), run(environ, "verify"), run(environ, "doctor")):
        assert key.reveal() not in result.stdout + result.stderr


@pytest.mark.parametrize("code", [0, 1, 7, 125])
def test_run_passes_the_exit_code_on(code: int, environ: Env) -> None:
    environ["MISTRAL_API_KEY"] = make_text()
    assert run(environ, "run", "--", sys.executable, "-c", f"raise SystemExit({code})").returncode == code


def test_run_passes_standard_streams_on(environ: Env) -> None:
    environ["MISTRAL_API_KEY"] = make_text()
    script = "import sys; data = sys.stdin.read(); print(data, end=''); print('e', file=sys.stderr)"
    done = run(environ, "run", "--", sys.executable, "-c", script, given="ä line\nand more")
    assert (done.stdout, done.stderr) == ("ä line\nand more", "e\n")


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_run_passes_signals_on(sent: signal.Signals, environ: Env) -> None:
    environ["MISTRAL_API_KEY"] = make_text()
    script = (
        "import signal, sys, time\n"
        f"signal.signal({int(sent)}, lambda *a: sys.exit(42))\n"
        "print('ready', flush=True)\ntime.sleep(600)"
    )
    words = [SCRIPT, "run", "--", sys.executable, "-c", script]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(sent)
        assert child.wait(30 * PATIENCE) == 42


@pytest.mark.slow
@pytest.mark.parametrize("words", [["prod"], ["-w", "prod"], ["--force", "prod", "--yes"], ["prod", "--force"]])
def test_run_takes_the_workspace_by_position_or_option(words: list[str], environ: Env, sandbox: Sandbox) -> None:
    keys = {name: sandbox.make_key() for name in ("dev", "prod")}
    for name, key in keys.items():
        run(environ, "login", name, given=key.reveal())
    done = run(environ, "run", *words, "--", "sh", "-c", "printenv MISTRAL_API_KEY")
    assert done.stdout.strip() == keys["prod"].reveal(), done.stderr


@pytest.mark.skipif(os.name != "posix", reason="SIGPIPE is POSIX")
def test_run_leaves_a_broken_pipe_to_end_the_command(environ: Env) -> None:
    environ["MISTRAL_API_KEY"] = make_text()
    piped = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{SCRIPT}' run -- yes | head -1"],
        env=environ,
        capture_output=True,
        timeout=30 * PATIENCE,
    )
    assert (piped.stdout, piped.stderr, piped.returncode) == (b"y\n", b"", 128 + signal.SIGPIPE)


@pytest.mark.parametrize("words", [["--", "no-such-command-here"], ["-w", "nowhere", "--", "true"]])
def test_run_exits_125_when_the_command_never_started(words: list[str], environ: Env) -> None:
    done = run(environ, "run", *words)
    assert done.returncode == 125
    assert done.stderr.startswith("mistral-nb: ")


@pytest.mark.slow_except("-0-", "no command to run", "Two workspaces", "2027-01-31", "sub-command frobnicate. Try")
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["switch"], 2, "mistral-nb run"),
        (["switch", "dev"], 2, "mistral-nb run"),
        (["frobnicate"], 2, "There is no sub-command frobnicate. Try: mistral-nb help"),
        (["rotat"], 2, "Try: mistral-nb rotate"),
        (["add", "dev"], 2, "There is no sub-command add. Try: mistral-nb login"),
        (["whoami"], 2, "There is no sub-command whoami. Try: mistral-nb status"),
        (["auth", "login"], 2, "There is no sub-command auth. Try: mistral-nb login"),
        (["version"], 2, "There is no sub-command version. Try: mistral-nb --version"),
        (["status", "--long"], 2, "Unrecognized arguments: --long"),
        (["forget", "dev"], 2, "Try: mistral-nb logout"),
        (["use", "dev"], 2, "mistral-nb run"),
        (["help", "use"], 2, "mistral-nb run"),
        (["move", "dev", "file"], 2, "Try: mistral-nb edit WORKSPACE --store STORE"),
        (["rename", "dev", "prod"], 2, "Try: mistral-nb edit WORKSPACE --rename NAME"),
        (["backup", "file"], 2, "copy vault and workspaces.json together. Their folder: mistral-nb doctor"),
        (["restore", "file"], 2, "copy vault and workspaces.json together. Their folder: mistral-nb doctor"),
        (
            ["edit", "dev"],
            2,
            "Give at least one of: --rename NAME, --store STORE, --key-name NAME, --expires DATE, "
            "--ask-first, --no-ask-first.",
        ),
        (["help", "frobnicate"], 2, "There is no sub-command frobnicate"),
        (["help", "rotate"], 0, ""),
        (["logout"], 2, "Try: mistral-nb help logout"),
        (["run"], 125, "no command to run"),
        (["run", "-w", "nowhere", "--", "true"], 125, "mistral-nb login nowhere"),
        (["run", "nowhere", "--", "true"], 125, "mistral-nb login nowhere"),
        (["run", "--yes", "nowhere", "--force", "--", "true"], 125, "mistral-nb login nowhere"),
        (["verify", "-w", "nowhere"], 3, "No key for workspace nowhere"),
        (["verify", "nowhere", "-w", "there"], 2, "Two workspaces were given."),
        (["edit", "--rename", "prod"], 2, "Try: mistral-nb help edit"),
        (["login", "a b"], 2, "name"),
        (["verify", "nowhere"], 3, "mistral-nb login"),
        (["login", "dev", "--expires", "soon"], 2, "2027-01-31"),
        (["help"], 0, ""),
        (["--help"], 0, ""),
        ([], 0, ""),
        (["--version"], 0, ""),
        (["status"], 1, ""),
    ],
)
def test_exit_codes_and_what_to_do_next(words: list[str], code: int, says: str, environ: Env) -> None:
    done = run(environ, *words)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "place", ["login {}", "login --key-name {}", "login --key-name={}", "status MISTRAL_API_KEY={}", "{}"]
)
def test_a_key_as_an_argument_is_refused_and_not_repeated(place: str, environ: Env) -> None:
    key = make_text()
    done = run(environ, *place.format(key).split())
    assert done.returncode == 2
    assert "history" in done.stderr
    assert key not in done.stdout + done.stderr


@pytest.mark.slow
def test_run_of_a_workspace_without_a_command_says_what_is_missing(environ: Env, sandbox: Sandbox) -> None:
    run(environ, "login", "prod", given=sandbox.make_key().reveal())
    done = run(environ, "run", "prod")
    assert (done.returncode, "There is no command to run. Try: mistral-nb run prod --" in done.stderr) == (125, True)


def test_arguments_after_two_dashes_belong_to_the_command(environ: Env) -> None:
    environ["MISTRAL_API_KEY"] = make_text()
    digest = make_text()
    assert run(environ, "run", "--", "echo", digest).stdout.strip() == digest


def test_without_input_the_error_names_the_alternatives(environ: Env) -> None:
    done = run(environ, "login", "dev")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_json_is_json(environ: Env, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    run(environ, "login", "dev", given=key.reveal())
    assert json.loads(run(environ, "status", "--json").stdout)["workspaces"]["dev"]["tail"] == key.tail
    assert json.loads(run(environ, "verify", "--json").stdout)["verdict"] == "accepted"
    assert json.loads(run(environ, "doctor", "--json").stdout)["checks"]


def test_python_m_is_the_same_command(environ: Env) -> None:
    words = [sys.executable, "-m", "mistral_nb", "--version"]
    assert subprocess.run(words, env=environ, capture_output=True, text=True).stdout.startswith("mistral_nb ")


def test_a_pipe_closed_early_causes_no_traceback(environ: Env) -> None:
    words = f"'{SCRIPT}' help | true"
    done = subprocess.run(["bash", "-c", words], env=environ, capture_output=True, text=True)
    assert done.stderr == ""


@pytest.mark.slow
def test_output_works_on_an_ascii_only_terminal(environ: Env, sandbox: Sandbox) -> None:
    env = environ | {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    run(env, "login", "dev", given=sandbox.make_key().reveal())
    assert run(env, "status").returncode == 0


@pytest.mark.slow
def test_in_a_terminal_it_asks_masked_and_again_after_an_empty_answer(environ: Env, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    with spawn([SCRIPT, "login", "dev"], environ) as screen:
        screen.sees("Paste the Mistral API key of workspace dev (https://console.mistral.ai/")
        screen.sees("; input is hidden, Ctrl-C cancels): ")
        assert screen.waits_masked()
        screen.types("")
        screen.sees("Nothing was given.")
        screen.sees("cancels): ")
        assert screen.waits_masked()
        screen.types(f'export MISTRAL_API_KEY="{key.reveal()}"')
        screen.sees(f"dev …{key.tail}")
        assert screen.ends() == 0
        assert key.reveal() not in screen.raw


def test_ctrl_c_in_a_terminal_leaves_everything_as_it_was(environ: Env) -> None:
    with spawn([SCRIPT, "login", "dev"], environ) as screen:
        screen.sees("cancels): ")
        screen.waits_masked()
        screen.presses(CTRL_C)
        screen.sees("Cancelled")
        assert screen.ends() == 130
    assert not os.path.exists(environ["MISTRAL_NB_HOME"])


def test_ctrl_c_while_the_api_is_silent_works_at_once(environ: Env, sandbox: Sandbox) -> None:
    sandbox.set_fault("silent")
    with spawn([SCRIPT, "login", "dev"], environ) as screen:
        screen.sees("cancels): ")
        screen.waits_masked()
        screen.types(make_text())
        screen.sees("Asking Mistral")
        screen.presses(CTRL_C)
        screen.sees("Interrupted")
        screen.ends()


@pytest.mark.slow
def test_without_a_keyring_a_passphrase_is_asked_for_twice_and_the_choice_remembered(
    environ: Env, sandbox: Sandbox
) -> None:
    env = environ | {"MISTRAL_NB_STORE": "auto", "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    del env["MISTRAL_NB_PASSPHRASE_FILE"]
    first, second = sandbox.make_key(), sandbox.make_key()
    with spawn([SCRIPT, "login", "dev", "--expires", "never"], env) as screen:
        screen.sees("cancels): ")
        screen.waits_masked()
        screen.types(first.reveal())
        screen.sees("for an encrypted file (Enter = cancel): ")
        screen.waits_masked()
        screen.types("open sesame, please")
        screen.sees("Repeat the passphrase: ")
        screen.waits_masked()
        screen.types("open sesame, please!")
        screen.sees("do not match")
        for _ in range(2):
            screen.sees(": ")
            screen.waits_masked()
            screen.types("open sesame, please")
        assert screen.ends() == 0
    with spawn([SCRIPT, "login", "prod", "--expires", "never"], env) as screen:
        screen.sees("cancels): ")
        screen.waits_masked()
        screen.types(second.reveal())
        screen.sees("Passphrase of the encrypted file: ")
        screen.waits_masked()
        screen.types("wrong")
        screen.sees("Wrong passphrase")
        screen.sees("Passphrase of the encrypted file: ")
        screen.waits_masked()
        screen.types("open sesame, please")
        assert screen.ends() == 0
        assert "open sesame, please" not in screen.raw


@pytest.mark.slow
def test_another_tools_key_is_offered_by_source_and_tail_and_used_after_a_yes(environ: Env, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    folder = Path(environ["HOME"]) / ".vibe"
    folder.mkdir()
    (folder / ".env").write_text(f"MISTRAL_API_KEY={key.reveal()}\n")
    with spawn([SCRIPT, "login", "dev", "--expires", "never"], environ) as screen:
        screen.sees(f"There is a key …{key.tail} in")
        screen.types("yes")
        screen.sees(f"dev …{key.tail}")
        assert screen.ends() == 0
        assert ".vibe" in screen.text


@pytest.mark.parametrize("words", [["scan"], ["scrub"], ["scan", "--json"]])
@pytest.mark.skipif(os.name != "posix", reason="no such name on Windows")
def test_control_codes_in_a_file_name_are_stripped(words: list[str], environ: Env, tmp_path: Path) -> None:
    file = tmp_path / "a\x1b[31m\x9b2Jb.py"
    file.write_text(f'MISTRAL_API_KEY = "{make_text()}"\n')
    done = run(environ, *words, str(file))
    said = done.stdout + done.stderr
    assert "[31m" in said, "the file is named"
    assert not {"\x1b", "\x9b"} & set(said)


@pytest.mark.slow
@pytest.mark.parametrize("around", ["{}", "{}\n", 'A=1\n# a note\nexport MISTRAL_API_KEY="{}"\nOTHER=x y z\n'])
def test_a_key_may_be_piped_as_a_whole_env_file(around: str, environ: Env, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    done = run(environ, "login", "dev", given=around.format(key.reveal()))
    assert (done.returncode, f"dev …{key.tail}" in done.stdout) == (0, True), done.stderr


def test_a_piped_key_of_unusual_shape_is_reported(environ: Env, sandbox: Sandbox) -> None:
    done = run(environ, "login", "dev", given=make_text()[:22])
    assert done.returncode == 3
    assert "Mistral's keys have 32 letters and digits; this has 22 characters." in done.stderr
    assert "No key was given" not in done.stderr
    assert sandbox.requests == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_system_errors_are_plain_sentences(environ: Env) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([SCRIPT, "status"], env=environ, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 3
    assert done.stderr == "mistral-nb: Input or output failed: No space left on device.\n"


def test_every_action_of_the_table_can_be_loaded() -> None:
    for host in (CLI, MAGIC):
        for command in commands_for(host).values():
            assert callable(load_action(command))


@pytest.mark.slow
def test_a_key_is_in_no_argument_of_a_child_process(environ: Env) -> None:
    key = make_key()
    environ["MISTRAL_API_KEY"] = key.reveal()
    done = run(environ, "run", "--", "ps", "-eo", "args")
    assert done.returncode == 0
    assert key.reveal() not in done.stdout
    control = run(environ, "run", "--", "sh", "-c", "ps -eo args; true", key.reveal())
    assert key.reveal() in control.stdout, "the search finds one that is an argument"


def test_nothing_follows_a_filtered_file_even_with_json(environ: Env) -> None:
    notebook = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n'
    done = run(environ, "scrub", "-", "--json", given=notebook)
    assert (done.returncode, done.stdout) == (0, notebook)


def test_a_wrapped_filter_that_is_not_configured_is_reported_as_not_running(environ: Env, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    env = environ | {"GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "init", "-q", str(repository)], env=env, check=True)
    (repository / ".gitattributes").write_text("*.ipynb filter=nbstripout\n")
    done = run(env, "protect", "--wrap", cwd=repository)
    assert done.returncode == 0
    assert "not configured here, so it does not run" in done.stdout
    assert "also runs" not in done.stdout


def test_help_lists_the_sub_commands_and_the_options_of_one(environ: Env) -> None:
    listed = run(environ, "help").stdout
    assert all(name in listed for name in commands_for(CLI) if name not in HIDDEN)
    assert max(map(len, listed.splitlines())) <= 80  # a terminal would cut words in two
    told = run(environ, "help", "rotate").stdout
    assert "--keep-old" in told and "usable as WORKSPACE-old" in told
