"""The console script, in a pipe and in a terminal, as a person runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from keys import make_key, make_text
from terminals import CTRL_C, spawn

from mistral_nb.actions import load
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.commands import CLI, MAGIC, commands

SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))
Env = dict[str, str]


def run(env: Env, *words: str, given: str = "", **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *words], env=env, input=given, capture_output=True, text=True, timeout=60, **more)


def test_a_key_from_standard_input_is_kept_and_given_to_a_command(environ: Env, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    added = run(environ, "add", "dev", given=key.reveal() + "\n")
    assert (added.returncode, added.stdout.splitlines()[0]) == (0, f"Kept in the encrypted file: dev …{key.tail}.")
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
        "print('ready', flush=True)\ntime.sleep(30)"
    )
    words = [SCRIPT, "run", "--", sys.executable, "-c", script]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(sent)
        assert child.wait(10) == 42


@pytest.mark.skipif(os.name != "posix", reason="SIGPIPE is POSIX")
def test_run_leaves_a_broken_pipe_to_end_the_command(environ: Env) -> None:
    environ["MISTRAL_API_KEY"] = make_text()
    piped = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{SCRIPT}' run -- yes | head -1"],
        env=environ,
        capture_output=True,
        timeout=30,
    )
    assert (piped.stdout, piped.stderr, piped.returncode) == (b"y\n", b"", 128 + signal.SIGPIPE)


@pytest.mark.parametrize("words", [["--", "no-such-command-here"], ["-w", "nowhere", "--", "true"]])
def test_run_exits_125_when_the_command_never_started(words: list[str], environ: Env) -> None:
    done = run(environ, "run", *words)
    assert done.returncode == 125
    assert done.stderr.startswith("mistral-nb: ")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["use"], 2, "mistral-nb run"),
        (["use", "dev"], 2, "mistral-nb run"),
        (["frobnicate"], 2, "There is no sub-command frobnicate. Try: mistral-nb help"),
        (["rotat"], 2, "Try: mistral-nb rotate"),
        (["help", "frobnicate"], 2, "There is no sub-command frobnicate"),
        (["help", "rotate"], 0, ""),
        (["forget"], 2, "Try: mistral-nb help forget"),
        (["run"], 125, "no command to run"),
        (["run", "-w", "nowhere", "--", "true"], 125, "mistral-nb add nowhere"),
        (["add", "a b"], 2, "name"),
        (["verify", "nowhere"], 3, "mistral-nb add"),
        (["add", "dev", "--expires", "soon"], 2, "2027-01-31"),
        (["help"], 0, ""),
        (["--help"], 0, ""),
        ([], 0, ""),
        (["--version"], 0, ""),
        (["status"], 0, ""),
    ],
)
def test_exit_codes_and_what_to_do_next(words: list[str], code: int, says: str, environ: Env) -> None:
    done = run(environ, *words)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("place", ["add {}", "add --name {}", "add --name={}", "status MISTRAL_API_KEY={}", "{}"])
def test_a_key_as_an_argument_is_refused_and_not_repeated(place: str, environ: Env) -> None:
    key = make_text()
    done = run(environ, *place.format(key).split())
    assert done.returncode == 2
    assert "history" in done.stderr
    assert key not in done.stdout + done.stderr


def test_what_follows_two_dashes_is_the_commands_own(environ: Env) -> None:
    environ["MISTRAL_API_KEY"] = make_text()
    digest = make_text()
    assert run(environ, "run", "--", "echo", digest).stdout.strip() == digest


def test_without_input_the_error_names_the_ways_out(environ: Env) -> None:
    done = run(environ, "add", "dev")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_json_is_json(environ: Env, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    run(environ, "add", "dev", given=key.reveal())
    assert json.loads(run(environ, "status", "--json").stdout)["workspaces"]["dev"]["tail"] == key.tail
    assert json.loads(run(environ, "verify", "--json").stdout)["verdict"] == "accepted"
    assert json.loads(run(environ, "doctor", "--json").stdout)["checks"]


def test_python_m_is_the_same_command(environ: Env) -> None:
    words = [sys.executable, "-m", "mistral_nb", "--version"]
    assert subprocess.run(words, env=environ, capture_output=True, text=True).stdout.startswith("mistral_nb ")


def test_a_pipe_that_is_closed_early_is_no_traceback(environ: Env) -> None:
    words = f"'{SCRIPT}' help | true"
    done = subprocess.run(["bash", "-c", words], env=environ, capture_output=True, text=True)
    assert done.stderr == ""


def test_a_terminal_that_knows_only_ascii_is_written_to(environ: Env, sandbox: Sandbox) -> None:
    env = environ | {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    run(env, "add", "dev", given=sandbox.make_key().reveal())
    assert run(env, "status").returncode == 0


def test_in_a_terminal_it_asks_masked_and_again_after_an_empty_answer(environ: Env, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    with spawn([SCRIPT, "add", "dev"], environ) as screen:
        screen.sees("Mistral API key for workspace dev: ")
        assert screen.waits_masked()
        screen.types("")
        screen.sees("Nothing was given.")
        screen.sees("dev: ")
        assert screen.waits_masked()
        screen.types(f'export MISTRAL_API_KEY="{key.reveal()}"')
        screen.sees("expire?")
        screen.types("someday")
        screen.sees("2027-01-31, as 90d")
        screen.sees("expire?")
        screen.types("90d")
        screen.sees(f"dev …{key.tail}")
        assert screen.ends() == 0
        assert key.reveal() not in screen.raw


def test_ctrl_c_in_a_terminal_leaves_everything_as_it_was(environ: Env) -> None:
    with spawn([SCRIPT, "add", "dev"], environ) as screen:
        screen.sees("dev: ")
        screen.waits_masked()
        screen.presses(CTRL_C)
        screen.sees("Cancelled")
        assert screen.ends() == 130
    assert not os.path.exists(environ["MISTRAL_NB_HOME"])


def test_ctrl_c_while_the_api_is_silent_works_at_once(environ: Env, sandbox: Sandbox) -> None:
    sandbox.fail("silent")
    with spawn([SCRIPT, "add", "dev"], environ) as screen:
        screen.sees("dev: ")
        screen.waits_masked()
        screen.types(make_text())
        screen.sees("Asking Mistral")
        start = time.monotonic()
        screen.presses(CTRL_C)
        screen.sees("Interrupted")
        screen.ends()
        assert time.monotonic() - start < 3


def test_without_a_keyring_a_passphrase_is_asked_for_twice_and_the_choice_remembered(
    environ: Env, sandbox: Sandbox
) -> None:
    env = environ | {"MISTRAL_NB_STORE": "auto", "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    del env["MISTRAL_NB_PASSPHRASE_FILE"]
    first, second = sandbox.make_key(), sandbox.make_key()
    with spawn([SCRIPT, "add", "dev", "--expires", "never"], env) as screen:
        screen.sees("dev: ")
        screen.waits_masked()
        screen.types(first.reveal())
        screen.sees("A passphrase keeps the key in an encrypted file: ")
        screen.waits_masked()
        screen.types("open sesame")
        screen.sees("again: ")
        screen.waits_masked()
        screen.types("open sesame!")
        screen.sees("not the same")
        for _ in range(2):
            screen.sees(": ")
            screen.waits_masked()
            screen.types("open sesame")
        assert screen.ends() == 0
    with spawn([SCRIPT, "add", "prod", "--expires", "never"], env) as screen:
        screen.sees("prod: ")
        screen.waits_masked()
        screen.types(second.reveal())
        screen.sees("Passphrase of the encrypted file: ")
        screen.waits_masked()
        screen.types("wrong")
        screen.sees("does not open")
        screen.sees("Passphrase of the encrypted file: ")
        screen.waits_masked()
        screen.types("open sesame")
        assert screen.ends() == 0
        assert "open sesame" not in screen.raw


def test_another_tools_key_is_offered_by_source_and_tail_and_taken_on_a_yes(environ: Env, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    folder = Path(environ["HOME"]) / ".vibe"
    folder.mkdir()
    (folder / ".env").write_text(f"MISTRAL_API_KEY={key.reveal()}\n")
    with spawn([SCRIPT, "add", "dev", "--expires", "never"], environ) as screen:
        screen.sees(f"There is a key …{key.tail} in")
        screen.types("yes")
        screen.sees(f"dev …{key.tail}")
        assert screen.ends() == 0
        assert ".vibe" in screen.text


@pytest.mark.parametrize("words", [["scan"], ["scrub"], ["scan", "--json"]])
@pytest.mark.skipif(os.name != "posix", reason="no such name on Windows")
def test_a_file_s_name_gives_the_terminal_no_orders(words: list[str], environ: Env, tmp_path: Path) -> None:
    file = tmp_path / "a\x1b[31m\x9b2Jb.py"
    file.write_text(f'MISTRAL_API_KEY = "{make_text()}"\n')
    done = run(environ, *words, str(file))
    said = done.stdout + done.stderr
    assert "[31m" in said, "the file is named"
    assert not {"\x1b", "\x9b"} & set(said)


@pytest.mark.parametrize("around", ["{}", "{}\n", 'A=1\n# a note\nexport MISTRAL_API_KEY="{}"\nOTHER=x y z\n'])
def test_a_key_may_be_piped_as_a_whole_env_file(around: str, environ: Env, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    done = run(environ, "add", "dev", given=around.format(key.reveal()))
    assert (done.returncode, f"dev …{key.tail}" in done.stdout) == (0, True), done.stderr


def test_a_piped_key_of_an_odd_shape_is_said_to_be_that(environ: Env, sandbox: Sandbox) -> None:
    done = run(environ, "add", "dev", given=make_text()[:22])
    assert done.returncode == 3
    assert "Mistral's keys have 32 letters and digits; this has 22 characters." in done.stderr
    assert "No key was given" not in done.stderr
    assert sandbox.requests == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_what_the_system_refuses_is_a_plain_sentence(environ: Env) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([SCRIPT, "status"], env=environ, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 3
    assert done.stderr == "mistral-nb: Something could not be read or written: No space left on device.\n"


def test_every_action_of_the_table_can_be_loaded() -> None:
    for host in (CLI, MAGIC):
        for command in commands(host).values():
            assert callable(load(command))


def test_a_key_is_in_no_argument_of_a_child_process(environ: Env) -> None:
    key = make_key()
    environ["MISTRAL_API_KEY"] = key.reveal()
    done = run(environ, "run", "--", "ps", "-eo", "args")
    assert done.returncode == 0
    assert key.reveal() not in done.stdout
    control = run(environ, "run", "--", "sh", "-c", "ps -eo args; true", key.reveal())
    assert key.reveal() in control.stdout, "the search finds one that is an argument"


def test_a_filtered_file_is_followed_by_nothing_also_with_json(environ: Env) -> None:
    notebook = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n'
    done = run(environ, "scrub", "-", "--json", given=notebook)
    assert (done.returncode, done.stdout) == (0, notebook)


def test_a_wrapped_filter_that_is_not_set_up_is_said_not_to_run(environ: Env, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    env = environ | {"GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "init", "-q", str(repository)], env=env, check=True)
    (repository / ".gitattributes").write_text("*.ipynb filter=nbstripout\n")
    done = run(env, "protect", "--wrap", cwd=repository)
    assert done.returncode == 0
    assert "not set up here: it does not run" in done.stdout
    assert "also runs" not in done.stdout


def test_help_lists_the_sub_commands_and_the_options_of_one(environ: Env) -> None:
    listed = run(environ, "help").stdout
    assert all(f"\n    {name} " in listed for name in commands(CLI))
    assert "--" not in listed.replace("run -- CMD", "").replace("--expires, --name and --protected", "")
    assert max(map(len, listed.splitlines())) <= 80  # a terminal would cut words in two
    told = run(environ, "help", "rotate").stdout
    assert "--keep-old" in told and "usable, as WORKSPACE-old" in told
