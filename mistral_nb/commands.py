"""The one table of sub-commands. The magic, the command line, completion, help and README read it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

MAGIC, CLI = "magic", "cli"
BOTH = frozenset({MAGIC, CLI})


class Flag(NamedTuple):
    """An argument of a sub-command: its names, its help, and what argparse needs beside them."""

    names: tuple[str, ...]
    help: str
    more: Mapping[str, Any] = MappingProxyType({})
    hosts: frozenset[str] = BOTH


class Command(NamedTuple):
    name: str
    does: str
    flags: tuple[Flag, ...] = ()
    hosts: frozenset[str] = BOTH
    action: str = ""  # a module of mistral_nb.actions; default: the command's name

    def usage(self, host: str | None = None) -> str:
        """How it is typed in a host; without one, all that any host takes."""
        return " ".join([self.name, *map(shown, self.taken(host))])

    def brief(self, host: str) -> str:
        """The same without its options."""
        return " ".join([self.name, *(shown(flag) for flag in self.taken(host) if not flag.names[0].startswith("-"))])

    def taken(self, host: str | None = None) -> list[Flag]:
        """The arguments that it takes in a host."""
        return [flag for flag in self.flags if host is None or host in flag.hosts]


_ON: dict[str, Any] = {"action": "store_true"}
_OPTIONAL_WORKSPACE = Flag(("workspace",), "the workspace", {"nargs": "?", "metavar": "WORKSPACE"})
_WORKSPACE = Flag(("workspace",), "the workspace", {"metavar": "WORKSPACE"})
_CHOSEN = Flag(("-w", "--workspace"), "the workspace", {"metavar": "WORKSPACE"})
_PATH = Flag(("path",), "the backup's file", {"metavar": "PATH"})
_JSON = Flag(("--json",), "print JSON", _ON)
_YES = Flag(("--yes",), "answer yes where it asks", _ON)
_ALL = Flag(("--all",), "every text file of a folder, not its notebooks alone", {**_ON, "dest": "everything"})
_FORCE = Flag(("--force",), "also a key whose date is past", _ON)
_EXPIRES = Flag(("--expires",), "when it expires: a date, 90d, or never", {"metavar": "DATE"})
_NAME = Flag(("--name",), "the key's name at Mistral", {"metavar": "NAME"})
_LONG = Flag(("--long",), "with key name and organisation", _ON)
_BY_HAND = Flag(("--by-hand",), "without the Admin key that is here", _ON)
_WIDGET = Flag(("--widget",), "ask by the sealed card", _ON, frozenset({MAGIC}))
_NO_WAIT = Flag(("--no-wait",), "the card, without waiting for it", _ON, frozenset({MAGIC}))

COMMANDS: tuple[Command, ...] = (
    Command(
        "use",
        "put a workspace's key into this process's environment; ask for it if there is none",
        (_OPTIONAL_WORKSPACE, _FORCE, _YES, _WIDGET, _NO_WAIT),
        frozenset({MAGIC}),
    ),
    Command(
        "add",
        "ask for a key, verify it, keep it; on the command line also from standard input; "
        "of a kept key --expires, --name and --protected change what is noted, without the key",
        (
            _OPTIONAL_WORKSPACE,
            _NAME,
            _EXPIRES,
            Flag(("--protected",), "ask once a process before it is used", _ON),
            Flag(("--unprotected",), "do not ask any more", _ON),
            Flag(("--admin",), "an Admin key of the organisation", _ON),
            _YES,
            _WIDGET,
            _NO_WAIT,
        ),
    ),
    Command("status", "say where everything stands", (_LONG, _JSON)),
    Command(
        "verify",
        "ask Mistral about a key and say what the answer means",
        (
            _OPTIONAL_WORKSPACE,
            Flag(("--old",), "about the key that a rotation replaced", _ON),
            _LONG,
            _JSON,
        ),
    ),
    Command(
        "rotate",
        "a new key in place of the old one, without a gap; on the command line also from standard input",
        (
            _OPTIONAL_WORKSPACE,
            _NAME,
            _EXPIRES,
            Flag(("--keep-old",), "the old key stays usable, as WORKSPACE-old", _ON),
            Flag(("--yes",), "with an Admin key: delete the old key without asking", _ON),
            _BY_HAND,
            Flag(("--wait",), "how long to wait until Mistral accepts it", {"metavar": "SECONDS", "type": float}),
            _JSON,
        ),
    ),
    Command(
        "revoke",
        "a leaked key: out of use at once, until Mistral refuses it; and where it leaked",
        (
            _OPTIONAL_WORKSPACE,
            Flag(("--clean-history",), "take it out of IPython's history too", _ON),
            Flag(("--yes",), "with an Admin key: delete it without asking", _ON),
            _BY_HAND,
            _JSON,
        ),
    ),
    Command(
        "list",
        "the keys that are kept; with an Admin key, the organisation's list beside them",
        (Flag(("--remote",), "ask Mistral's Admin API for its list", _ON), _LONG, _JSON),
    ),
    Command(
        "usage",
        "what the organisation pays, by category; needs an Admin key",
        (
            Flag(("--month",), "2026-11, or 11; default: this month", {"metavar": "MONTH"}),
            Flag(("-w", "--workspace"), "of this workspace alone", {"metavar": "WORKSPACE"}),
            _JSON,
        ),
    ),
    Command(
        "export-fingerprints",
        "the fingerprints of retired and compromised keys into .mistral-nb-revoked, for everyone's scan",
        (Flag(("path",), "its file or folder; default: the repository's", {"nargs": "?", "metavar": "PATH"}), _JSON),
        action="export_fingerprints",
    ),
    Command(
        "forget",
        "remove a key from here",
        (_WORKSPACE, Flag(("--trace",), "its fingerprint too: saves no longer catch it", _ON), _YES),
    ),
    Command(
        "move",
        "a workspace's key into another store",
        (_WORKSPACE, Flag(("store",), "keyring or file", {"metavar": "STORE", "choices": ("keyring", "file")})),
    ),
    Command(
        "rename",
        "a workspace's key under another name",
        (_WORKSPACE, Flag(("new_name",), "its new name", {"metavar": "NAME"})),
    ),
    Command(
        "passphrase",
        "change the passphrase of the encrypted file",
        (Flag(("--new-file",), "a file that holds the new one", {"metavar": "PATH"}),),
    ),
    Command("backup", "the keys of the encrypted file, sealed in one file", (_PATH, _YES)),
    Command(
        "restore",
        "the keys of a backup into the encrypted file",
        (_PATH, Flag(("--replace",), "also where another key is kept", _ON)),
    ),
    Command("doctor", "check everything, with the repair beside each finding", (_JSON,)),
    Command(
        "run",
        "run a command with a key in its environment",
        (
            _CHOSEN,
            _FORCE,
            _YES,
            Flag(("command",), "the command, after --", {"nargs": "...", "metavar": "-- CMD…"}),
        ),
        frozenset({CLI}),
    ),
    Command(
        "curl",
        "ask Mistral's API by curl; the key is in no process list, and standard input stays free",
        (
            _CHOSEN,
            _FORCE,
            _YES,
            Flag(("words",), "a path, such as /v1/models, and curl's options", {"nargs": "...", "metavar": "PATH…"}),
        ),
        frozenset({CLI}),
    ),
    Command(
        "scrub",
        "take keys out of notebooks and other files, in place; - filters standard input",
        (
            Flag(("paths",), "files, folders, or - alone", {"nargs": "*", "metavar": "PATH…"}),
            _ALL,
            Flag(("--ipython-history",), "out of what IPython remembers, instead", _ON),
            _JSON,
        ),
        frozenset({CLI}),
    ),
    Command(
        "scan",
        "report keys in files, or in a repository's history; nothing is changed",
        (
            Flag(("paths",), "files, folders, or - alone", {"nargs": "*", "metavar": "PATH…"}),
            _ALL,
            Flag(("--git-history",), "all commits, or a range", {"nargs": "?", "const": "", "metavar": "RANGE"}),
            Flag(("--replacement-file",), "for git filter-repo: it will hold the keys", {"metavar": "FILE"}),
            _JSON,
        ),
        frozenset({CLI}),
    ),
    Command(
        "protect",
        "keep keys out of this repository's commits, by a git filter",
        (
            Flag(("--local",), "by .git/info/attributes, not by .gitattributes", _ON),
            Flag(("--global",), "all repositories of yours", {**_ON, "dest": "everywhere"}),
            Flag(("--wrap",), "run the filter that notebooks have already inside this one", _ON),
            Flag(("--pre-push",), "scan what is about to be pushed, too", _ON),
            Flag(("--renormalize",), "stage tracked notebooks without the keys that are in them", _ON),
            Flag(("--status",), "only say what holds here", _ON),
            _JSON,
        ),
    ),
    Command(
        "unprotect",
        "undo protect",
        (
            Flag(("--global",), "what protect --global did", {**_ON, "dest": "everywhere"}),
            Flag(("--all",), "everywhere it was run", {**_ON, "dest": "everything"}),
            _JSON,
        ),
    ),
    Command(
        "git-filter",
        "what git starts; protect sets it up",
        (
            Flag(("--clean",), "one file, from standard input to standard output", {"metavar": "PATH"}),
            Flag(("--smudge",), "the other way: as it is", {"metavar": "PATH"}),
            Flag(("--pre-push",), "what the hook starts", _ON),
        ),
        frozenset({CLI}),
        action="git_filter",
    ),
    Command("demo", "show the main job end to end: offline, with a throw-away store", (), frozenset({CLI})),
    Command(
        "help",
        "list these, or say what one of them takes",
        (Flag(("command",), "a sub-command", {"nargs": "?", "metavar": "SUB-COMMAND"}),),
    ),
)


def commands(host: str) -> dict[str, Command]:
    """The sub-commands of one host, by name, in the table's order."""
    return {command.name: command for command in COMMANDS if host in command.hosts}


def shown(flag: Flag) -> str:
    """An argument as it is typed."""
    meta = flag.more.get("metavar", flag.names[0])
    if not flag.names[0].startswith("-"):
        return f"[{meta}]" if flag.more.get("nargs") == "?" else meta
    if "action" in flag.more:
        return f"[{flag.names[0]}]"
    return f"[{flag.names[0]} {f'[{meta}]' if flag.more.get('nargs') == '?' else meta}]"
