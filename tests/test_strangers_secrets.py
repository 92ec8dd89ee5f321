"""A secret in the place of a path or a name is repeated by none of our errors; and what a child process is given."""

import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from mistral_nb import cli
from mistral_nb.child_environment import (
    CURL,
    DEMO,
    GIT,
    GRANTED_VARIABLES,
    KEYRING,
    RUN,
    SECRET_VARIABLES,
    SET_ASIDE,
    WRAPPED_FILTER,
    child_environment,
)
from mistral_nb.command_context import Context
from mistral_nb.command_table import CLI, commands_for
from mistral_nb.commands import demo
from mistral_nb.errors import MistralNbError, NotAKey, NotSetAside, StoreError
from mistral_nb.git import stashed_keys
from mistral_nb.git.run_git import Git
from mistral_nb.git.wrapped_filter import WrappedFilter
from mistral_nb.key_records import KeyRecord
from mistral_nb.keys.key_file import read_key_file
from mistral_nb.sensitive_text import hide_keys, name_secret_file
from mistral_nb.storage import aside_child, keyring_store
from mistral_nb.storage.keyring_store import KeyringStore
from mistral_nb.storage.vault_passphrase import read_passphrase
from mistral_nb.watchlist import secrets_in
from support.commands import act
from support.keys import make_key
from support.patience import PATIENCE

KEY = make_key().reveal()
PHRASES = ("correct horse battery staple", "hunter2hunter2", "Tr0ub4dor&3/x", "/Ab3dEfGh1jK/x9", "a/b c/d")
FILE_VARIABLES = ("MISTRAL_API_KEY_FILE", "MISTRAL_NB_PASSPHRASE_FILE")
VARIABLES = (
    *FILE_VARIABLES,
    *("MISTRAL_NB_HOME", "MISTRAL_NB_WORKSPACE", "MISTRAL_NB_STORE", "MISTRAL_NB_PROMPT", "MISTRAL_NB_API"),
    *("MISTRAL_NB_ACTIVE", "MISTRAL_NB_GUARD_TERMINAL", "MISTRAL_API_KEY", "MISTRAL_ADMIN_API_KEY", "LLM_MISTRAL_KEY"),
    *("HOME", "XDG_DATA_HOME", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"),
)
COMMANDS: dict[str, dict[str, object]] = {
    "switch": {},
    "login": {},
    "logout": {"workspace": "dev", "yes": True},
    "run": {"command": ["--", "no-such-program"]},
    "status": {},
    "list": {},
    "verify": {},
    "doctor": {},
    "edit": {"workspace": "dev", "rename": "test"},
    "rotate": {"yes": True},
    "revoke": {"yes": True},
    "passphrase": {"new_file": "no/such/file"},
    "usage": {},
    "curl": {"words": ["/v1/models"]},
    "scan": {"paths": ["a.ipynb"]},
    "scrub": {"paths": ["a.ipynb"]},
    "protect": {"status": True},
    "export-fingerprints": {},
}
READS_A_SECRET_S_FILE = ("switch", "status", "doctor", "curl")


def said_by(context: Context, name: str, flags: dict[str, object]) -> str:
    try:
        return act(context, name, **flags).shown
    except (MistralNbError, OSError) as error:
        return f"{error}"


@pytest.mark.parametrize("variable", VARIABLES)
def test_no_command_repeats_a_key_that_a_variable_holds(variable, new_context, environ, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # a relative home is made here
    monkeypatch.setattr(os, "execvpe", lambda *_: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # what an exec would take over
    environ[variable] = KEY
    for name, flags in COMMANDS.items():
        assert KEY not in said_by(new_context("cli"), name, flags), name


@pytest.mark.parametrize("variable", FILE_VARIABLES)
@pytest.mark.parametrize("phrase", PHRASES)
def test_nothing_given_where_a_secret_s_file_belongs_is_repeated(phrase, variable, new_context, environ):
    environ[variable] = phrase
    environ["MISTRAL_NB_STORE"] = "file"
    for name in READS_A_SECRET_S_FILE:
        assert phrase not in said_by(new_context("cli"), name, COMMANDS[name]), name


@pytest.mark.parametrize("read", [read_key_file, read_passphrase])
def test_an_ordinary_wrong_path_is_still_named(read, tmp_path):
    """The control: who mistyped a path sees it."""
    (tmp_path / "empty").write_text("")
    for path in (
        "/run/secrets/mistral",
        "~/no/mistral.key",
        "./no/key",
        str(tmp_path / "gone"),
        str(tmp_path / "empty"),
    ):
        with pytest.raises(MistralNbError) as failed:
            read(path)
        assert path in str(failed.value)


def argument_cases() -> list[list[str]]:
    """A key in the place of each argument of each sub-command."""
    found = [[KEY], ["run", "--", KEY], ["curl", "--", KEY], ["curl", "-d", "x", KEY], ["help", KEY]]
    for command in commands_for(CLI).values():
        for flag in command.flags_for(CLI):
            if flag.argparse_options.get("action") == "store_true":
                continue
            option = [flag.names[0]] if flag.names[0].startswith("-") else []
            found += [[command.name, *option, KEY], [command.name, *option, f"a/{KEY}.txt"]]
            found += [[command.name, f"{flag.names[-1]}={KEY}"]] if option else []
    return found


@pytest.mark.parametrize("number", range(len(argument_cases())))  # the key is in no test's name
def test_no_argument_that_is_a_key_is_repeated(number, environ, monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    for name in set(os.environ) & SECRET_VARIABLES - environ.keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("MISTRAL_API_KEY", make_key().reveal())  # so that `run` gets as far as its program
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    code = cli.main(argument_cases()[number])
    said = "".join(capfd.readouterr())
    assert code and said
    assert KEY not in said


def test_a_word_that_is_no_key_is_still_named(environ, monkeypatch, tmp_path, capfd):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setenv("MISTRAL_NB_HOME", str(tmp_path))
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    assert cli.main(["run", "--", "no-such-program"]) == 125
    assert "no-such-program could not be started" in capfd.readouterr().err


def test_what_looks_like_a_key_is_in_no_error_of_ours(tmp_path):
    for kind in (MistralNbError, StoreError):
        assert KEY not in str(kind(f"{KEY} could not be started.", f"Try {KEY}"))
    assert KEY not in str(NotAKey("short", KEY, KEY))
    file = tmp_path / f"{KEY}.txt"
    file.write_text("")
    assert hide_keys(f"{file} can't be read.") == f"{file} can't be read."  # a name that a file has is no secret
    assert hide_keys(f"'{file}.gone' can't be read.") != f"'{file}.gone' can't be read."
    assert "ZeroDivisionError" in hide_keys("\x1b[31mZeroDivisionError\x1b[39m: division by zero")
    assert KEY not in hide_keys(f"\x1b[31m{KEY}\x1b[39m")
    assert hide_keys(f"blob {'0a1b' * 10} is missing") == f"blob {'0a1b' * 10} is missing"
    assert name_secret_file("X", str(file)) == f"X, {file},"


# What a child process is given.
_SHOW = f"{shlex.quote(sys.executable)} -c 'import os, json; print(json.dumps(list(os.environ)))'"


@pytest.fixture
def full(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An environment in which each of these variables is set, and a program that shows what it is given."""
    (tmp_path / "bin").mkdir()
    for program in ("curl", "show"):
        (tmp_path / "bin" / program).write_text(f"#!/bin/sh\n{_SHOW} > {shlex.quote(str(tmp_path / 'given'))}\n")
        (tmp_path / "bin" / program).chmod(0o755)
    secrets = {name: make_key().reveal() for name in SECRET_VARIABLES}
    files = {name: str(tmp_path / name) for name in FILE_VARIABLES}
    for file in files.values():
        Path(file).write_text("a passphrase of sixteen")
    return environ | secrets | files | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "SSLKEYLOGFILE": "x"}


def given_to(child: str, full: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the variables that a real child of this kind has."""
    given = tmp_path / "given"
    if child in (RUN, CURL):
        words = {RUN: ["run", "--", "show"], CURL: ["curl", "/v1/models"]}[child]
        code = f"import sys; from mistral_nb.cli import main; sys.exit(main({words}))"
        import subprocess

        done = subprocess.run(
            [sys.executable, "-c", code], env=full, capture_output=True, text=True, timeout=60 * PATIENCE
        )
        assert done.returncode == 0, done.stderr
        return set(json.loads(given.read_text()))
    if child == GIT:
        return set(json.loads(Git(str(tmp_path), full).output("-c", f"alias.shown=!{_SHOW}", "shown")))
    if child == WRAPPED_FILTER:
        git = Git(str(tmp_path), full | {"GIT_DIR": str(tmp_path / "x.git")})
        git.output("init", "-q")
        git.output("config", "filter.theirs.clean", _SHOW)
        return set(json.loads(WrappedFilter(git, "theirs").clean("a", b"", print)))
    if child == SET_ASIDE:
        shown = "import os, json; print(json.dumps({'failed': json.dumps(list(os.environ))}))"
        monkeypatch.setattr(aside_child, "_WRITER", shown)
        key = make_key()
        record = KeyRecord("a", "remembered", key.fingerprint, key.tail, "not stored", "", 1, None, "source", None)
        with pytest.raises(NotSetAside) as told:
            stashed_keys.set_aside([record], {key.fingerprint: key}, str(tmp_path), full)
        return set(json.loads(told.value.failed))
    if child == KEYRING:
        shown = "import os, json; print(json.dumps({'failed': json.dumps(list(os.environ))}), flush=True)"
        monkeypatch.setattr(keyring_store, "_CHILD", [sys.executable, "-c", shown])
        with pytest.raises(StoreError) as told:
            KeyringStore(environ=full).put("dev", "current", make_key())
        return set(json.loads(told.value.failed))
    with demo._set_up(Context(environ=full)) as stage:
        own = {name for name, value in stage.environ.items() if full.get(name) != value}
        return set(stage.environ) - own  # what it makes for itself is not ours


@pytest.mark.parametrize("child", sorted(GRANTED_VARIABLES))
def test_a_child_is_given_what_the_list_says(child, full, tmp_path, monkeypatch):
    given = given_to(child, full, tmp_path, monkeypatch)
    assert given & SECRET_VARIABLES == GRANTED_VARIABLES[child]
    assert "PATH" in given


def test_only_the_program_of_run_is_given_a_key_and_that_of_one_workspace():
    assert {child for child, granted in GRANTED_VARIABLES.items() if granted} == {RUN, SET_ASIDE}
    assert not {n for n in GRANTED_VARIABLES[SET_ASIDE] if "PASSPHRASE" not in n}
    assert not {n for n in GRANTED_VARIABLES[RUN] if "ADMIN" in n or "PASSPHRASE" in n}
    assert set(GRANTED_VARIABLES) == {RUN, CURL, KEYRING, SET_ASIDE, GIT, WRAPPED_FILTER, DEMO}


def test_the_list_knows_every_variable_that_holds_a_secret(full):
    assert set(secrets_in(child_environment(GIT, full))) == set()
    assert len(secrets_in(full)) >= 4  # the control
