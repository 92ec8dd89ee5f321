"""The one table of sub-commands. The magic, the command line, completion and help read it; the docs show it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

MAGIC, CLI = "magic", "cli"
BOTH = frozenset({MAGIC, CLI})


class Flag(NamedTuple):
    """An argument of a sub-command: its names, its help, and what argparse needs beside them."""

    names: tuple[str, ...]
    help: str
    argparse_options: Mapping[str, Any] = MappingProxyType({})
    hosts: frozenset[str] = BOTH

    @property
    def is_internal(self) -> bool:
        """Whether only programs of ours give it."""
        return self.help.startswith("internal: ")

    @property
    def metavar(self) -> str:
        """What stands for its value in usage."""
        return str(self.argparse_options.get("metavar", self.names[0]))


class Command(NamedTuple):
    name: str
    summary: str
    flags: tuple[Flag, ...] = ()
    hosts: frozenset[str] = BOTH

    def usage(self, host: str | None = None) -> str:
        """Its usage in a host; without a host, everything that any host accepts."""
        return " ".join([self.name, *(format_flag(flag) for flag in self.flags_for(host) if not flag.is_internal)])

    def short_usage(self, host: str) -> str:
        """The usage without options."""
        return " ".join(
            [self.name, *(format_flag(flag) for flag in self.flags_for(host) if not flag.names[0].startswith("-"))]
        )

    def flags_for(self, host: str | None = None) -> list[Flag]:
        """The arguments it accepts in a host."""
        return [flag for flag in self.flags if host is None or host in flag.hosts]


_STORE_TRUE: dict[str, Any] = {"action": "store_true"}
WORKSPACE_OPTION = Flag(("-w", "--workspace"), "the workspace", {"metavar": "WORKSPACE"})
_WORKSPACE = Flag(("workspace",), "the workspace; also as -w WORKSPACE", {"nargs": "?", "metavar": "WORKSPACE"})
_JSON = Flag(("--json",), "print JSON", _STORE_TRUE)
_YES = Flag(("--yes",), "assume yes", _STORE_TRUE)
_FORCE = Flag(("--force",), "also use an expired key", _STORE_TRUE)
_EXPIRES = Flag(("--expires",), "expiry: a date, 90d, or never", {"metavar": "DATE"})
_KEY_NAME = Flag(("--key-name",), "the key's name at Mistral", {"metavar": "NAME"})
_ASK_FIRST = Flag(("--ask-first",), "ask once per process before it is used", _STORE_TRUE)
_NO_ASK_FIRST = Flag(("--no-ask-first",), "do not ask", _STORE_TRUE)
_LONG = Flag(("--long",), "also show key name and organisation", _STORE_TRUE, frozenset({MAGIC}))
_MANUAL = Flag(("--manual",), "do not use the Admin key", _STORE_TRUE)
_WIDGET = Flag(("--widget",), "prompt with the encrypted widget", _STORE_TRUE, frozenset({MAGIC}))
_NO_WAIT = Flag(("--no-wait",), "show the widget without waiting for it", _STORE_TRUE, frozenset({MAGIC}))

RUN_COMMAND = "[WORKSPACE] -- CMD…"
SCAN_FORMATS = ("text", "json", "jsonl", "sarif", "github", "gitlab")
SHELLS = ("bash", "zsh", "fish")  # for which there is a completion script

COMMANDS: tuple[Command, ...] = (
    Command(
        "switch",
        "use a workspace's key in this process; ask for one if none is stored",
        (_WORKSPACE, _FORCE, _YES, _WIDGET, _NO_WAIT),
        frozenset({MAGIC}),
    ),
    Command(
        "login",
        "ask for a key, verify it, store it; on the command line also from standard input",
        (
            _WORKSPACE,
            _KEY_NAME,
            _EXPIRES,
            _ASK_FIRST,
            _NO_ASK_FIRST,
            Flag(
                ("--from-aside",),
                "a key that was taken out of a file and set aside",
                {"nargs": "?", "const": "", "metavar": "ID"},
            ),
            Flag(("--admin",), "an Admin key of the organisation", _STORE_TRUE),
            _YES,
            _WIDGET,
            _NO_WAIT,
        ),
    ),
    Command("status", "show the current state", (_LONG, _JSON)),
    Command(
        "verify",
        "check a key with Mistral and explain the answer",
        (
            _WORKSPACE,
            Flag(("--old",), "check the key that a rotation replaced", _STORE_TRUE),
            _LONG,
            _JSON,
        ),
    ),
    Command(
        "rotate",
        "replace a key with a new one, without a gap; the command line also reads it from standard input",
        (
            _WORKSPACE,
            _KEY_NAME,
            _EXPIRES,
            Flag(("--keep-old",), "keep the old key usable as WORKSPACE-old", _STORE_TRUE),
            Flag(("--yes",), "with an Admin key: delete the old key without asking", _STORE_TRUE),
            _MANUAL,
            Flag(("--wait",), "how long to wait for Mistral to accept it", {"metavar": "SECONDS", "type": float}),
            _JSON,
        ),
    ),
    Command(
        "revoke",
        "take a leaked key out of use, check that Mistral refuses it, and show where it leaked",
        (
            _WORKSPACE,
            Flag(("--clean-history",), "also remove it from IPython's history", _STORE_TRUE),
            Flag(("--yes",), "assume yes; with an Admin key, delete it at Mistral too", _STORE_TRUE),
            _MANUAL,
            _JSON,
        ),
    ),
    Command(
        "list",
        "list the stored keys; with an Admin key, also the organisation's",
        (Flag(("--remote",), "include the list from Mistral's Admin API", _STORE_TRUE), _LONG, _JSON),
    ),
    Command(
        "usage",
        "show the organisation's costs by category; needs an Admin key",
        (
            Flag(("workspace",), "only this workspace; also as -w", {"nargs": "?", "metavar": "WORKSPACE"}),
            Flag(("--month",), "2026-11, or 11; default: this month", {"metavar": "MONTH"}),
            _JSON,
        ),
    ),
    Command(
        "export-fingerprints",
        "write the fingerprints of retired and compromised keys to .mistral-nb-revoked, for everyone's scan",
        (Flag(("path",), "output file or folder; default: the repository", {"nargs": "?", "metavar": "PATH"}), _JSON),
    ),
    Command(
        "logout",
        "delete a key from this machine",
        (
            _WORKSPACE,
            Flag(("--all",), "every key that is stored here", {**_STORE_TRUE, "dest": "everything"}),
            Flag(("--aside",), "delete the keys that were taken out of files and set aside", _STORE_TRUE),
            Flag(
                ("--trace",),
                "also delete its fingerprint, so that saves no longer catch the key; in place of a workspace, the last "
                "four characters of a key that is not stored",
                _STORE_TRUE,
            ),
            _YES,
        ),
    ),
    Command(
        "edit",
        "change a workspace's name or store, or the details of its key, without the key",
        (
            _WORKSPACE,
            Flag(("--rename",), "a new name for the workspace", {"metavar": "NAME"}),
            Flag(("--store",), "keyring or file", {"metavar": "STORE", "choices": ("keyring", "file")}),
            _KEY_NAME,
            _EXPIRES,
            _ASK_FIRST,
            _NO_ASK_FIRST,
        ),
    ),
    Command(
        "passphrase",
        "change the passphrase of the encrypted file",
        (Flag(("--new-file",), "read the new passphrase from a file", {"metavar": "PATH"}),),
    ),
    Command("doctor", "check everything and suggest fixes", (_JSON,)),
    Command(
        "run",
        "run a command with a key in its environment",
        (
            _FORCE,
            _YES,
            Flag(
                ("command",),
                "the workspace, also as -w WORKSPACE; then, after --, the command",
                {"nargs": "...", "metavar": RUN_COMMAND},
            ),
        ),
        frozenset({CLI}),
    ),
    Command(
        "curl",
        "call Mistral's API with curl; the key is not in process lists, and standard input stays free",
        (
            WORKSPACE_OPTION,
            _FORCE,
            _YES,
            Flag(("words",), "a path, such as /v1/models, and curl's options", {"nargs": "...", "metavar": "PATH…"}),
        ),
        frozenset({CLI}),
    ),
    Command(
        "scrub",
        "remove keys from notebooks and other files, in place; - filters standard input",
        (
            Flag(("paths",), "files and folders, or just -", {"nargs": "*", "metavar": "PATH…"}),
            Flag(
                ("--all",),
                "change all text files of a folder, not only notebooks",
                {**_STORE_TRUE, "dest": "everything"},
            ),
            Flag(("--ipython-history",), "clean IPython's history instead", _STORE_TRUE),
            _JSON,
        ),
        frozenset({CLI}),
    ),
    Command(
        "scan",
        "report keys in files or in a repository's history; changes nothing",
        (
            Flag(
                ("paths",),
                "files and folders, or just -; default: this folder",
                {"nargs": "*", "metavar": "PATH…"},
            ),
            Flag(("--notebooks",), "only the notebooks of a folder", _STORE_TRUE),
            Flag(
                ("--git-history",),
                "all commits (in CI those pushed), or a range",
                {"nargs": "?", "const": "", "metavar": "RANGE"},
            ),
            Flag(("--replacement-file",), "write the keys to a file for git filter-repo", {"metavar": "FILE"}),
            Flag(
                ("--format",),
                "text, json, jsonl, sarif, github or gitlab",
                {"choices": SCAN_FORMATS, "default": "text", "dest": "output_format", "metavar": "FORMAT"},
            ),
            Flag(("--json",), "as --format json", {"action": "store_const", "const": "json", "dest": "output_format"}),
            Flag(("--output",), "write that report to a file, and print text", {"metavar": "FILE"}),
            Flag(("--baseline",), "a file that names old findings, which do not count", {"metavar": "FILE"}),
            Flag(("--update-baseline",), "write the findings to that file", _STORE_TRUE),
            Flag(("--verify",), "ask Mistral whether each key that is found still works", _STORE_TRUE),
        ),
        frozenset({CLI}),
    ),
    Command(
        "protect",
        "keep keys out of this repository's commits and pushes",
        (
            Flag(("--local",), "use .git/info/attributes instead of .gitattributes", _STORE_TRUE),
            Flag(("--global",), "all your repositories", {**_STORE_TRUE, "dest": "everywhere"}),
            Flag(("--wrap",), "run the existing notebook filter inside this one", _STORE_TRUE),
            Flag(("--no-pre-push",), "do not scan what is pushed", {"action": "store_false", "dest": "pre_push"}),
            Flag(("--renormalize",), "stage tracked notebooks with their keys removed", _STORE_TRUE),
            Flag(("--status",), "only report the current state", _STORE_TRUE),
            _JSON,
        ),
    ),
    Command(
        "unprotect",
        "undo protect",
        (
            Flag(("--global",), "undo protect --global", {**_STORE_TRUE, "dest": "everywhere"}),
            Flag(("--all",), "undo protect everywhere", {**_STORE_TRUE, "dest": "everything"}),
            _JSON,
        ),
    ),
    Command(
        "git-filter",
        "internal: called by git",
        (Flag(("--pre-push",), "internal: called by the pre-push hook", _STORE_TRUE),),
        frozenset({CLI}),
    ),
    Command(
        "uninstall",
        "remove what mistral_nb put on this machine: keys, git filters, hooks, start-up files",
        (
            Flag(("--keep-keys",), "leave the stored keys and the data folder", _STORE_TRUE),
            _YES,
        ),
        frozenset({CLI}),
    ),
    Command(
        "autoload",
        "load mistral_nb in every new kernel, by an IPython start-up file",
        (
            Flag(("--switch",), "also set this workspace's key, without asking", {"metavar": "WORKSPACE"}),
            Flag(("--system",), "for all who use this Python environment", _STORE_TRUE),
            Flag(("--remove",), "turn it off", _STORE_TRUE),
            Flag(("--status",), "only report whether it is on", _STORE_TRUE),
            _JSON,
        ),
    ),
    Command(
        "completion",
        "print a completion script for a shell",
        (
            Flag(("shell",), "bash, zsh or fish", {"nargs": "?", "metavar": "SHELL", "choices": SHELLS}),
            Flag(("--workspaces",), "internal: called by the script", _STORE_TRUE),
        ),
        frozenset({CLI}),
    ),
    Command("demo", "run the main workflow end to end: offline, with a temporary store", (), frozenset({CLI})),
    Command(
        "help",
        "list the sub-commands, or show the options of one",
        (Flag(("command",), "a sub-command", {"nargs": "?", "metavar": "SUB-COMMAND"}),),
    ),
)


def commands_for(host: str) -> dict[str, Command]:
    """The sub-commands of one host, by name, in the table's order."""
    return {command.name: command for command in COMMANDS if host in command.hosts}


def format_flag(flag: Flag) -> str:
    """An argument as shown in usage."""
    meta = flag.metavar
    if not flag.names[0].startswith("-"):
        return f"[{meta}]" if flag.argparse_options.get("nargs") in ("?", "*") else meta
    if "action" in flag.argparse_options:
        return f"[{flag.names[0]}]"
    return f"[{flag.names[0]} {f'[{meta}]' if flag.argparse_options.get('nargs') == '?' else meta}]"
