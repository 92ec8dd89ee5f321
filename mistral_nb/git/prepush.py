"""The pre-push hook: put beside an existing one, which it runs first; and what is about to leave."""

import os
import shlex
from collections.abc import Sequence

from mistral_nb.errors import MistralNbError
from mistral_nb.files import write_atomically
from mistral_nb.git.driver import Driver
from mistral_nb.git.plumbing import START, Git

_MARK = "# mistral-nb: scans what is about to be pushed"
_BEFORE = ".before-mistral-nb"
_HOOK = """#!/bin/sh
MARK. The hook that was here before is run first: pre-pushBEFORE
before="$(dirname "$0")/pre-pushBEFORE"
input=$(cat)
feed() { [ -z "$input" ] || printf '%s\\n' "$input"; }
if [ -x "$before" ]; then feed | "$before" "$@" || exit $?; fi
set -- WORDS "$1" "$2"
if [ -x "$1" ] && [ -e "$2/mistral_nb/cli.py" ]; then
    export MISTRAL_NB_HOME="$3"
    { printf '%s\\n' "$4" "$5"; feed; } | "$1" -I -c 'START' "$2"
    exit
fi
echo "mistral-nb: what scans a push is gone: $1 with $2/mistral_nb." \\
    "Repair: pip install mistral_nb, then: mistral-nb protect --pre-push." \\
    "Once without it: git push --no-verify" >&2
exit 1
"""
_PLACES = "set -- "
_START = f'{START}from mistral_nb.cli import main; sys.exit(main(["git-filter", "--pre-push"]))'
_LEGACY = ".legacy"  # what pre-commit makes of a hook that it finds, and runs before its own
_SECONDS = 20  # for the other side to list what it has


class HookElsewhere(MistralNbError):
    """The folder of hooks is not this repository's own, or two hooks are there already."""


def place(git: Git) -> str:
    """Where the hook is, or would be put. Raises `HookElsewhere`."""
    path = os.path.join(os.path.realpath(git.path("hooks")), "pre-push")
    own = os.path.realpath(os.path.join(git.folder, git.text("rev-parse", "--git-common-dir")))
    if os.path.commonpath([path, own]) != own:
        raise HookElsewhere(
            f"Hooks are kept in {os.path.dirname(path)} (core.hooksPath), which is not this repository's own.",
            """Add to the pre-push hook there: { printf '%s\\n' "$1" "$2"; cat; } | mistral-nb git-filter --pre-push""",
        )
    if is_ours(path + _LEGACY) and not is_ours(path):
        return path + _LEGACY
    if os.path.lexists(path) and not is_ours(path) and os.path.lexists(path + _BEFORE):
        raise HookElsewhere(
            f"There is a hook {path}, and {path}{_BEFORE}, which was there before mistral_nb.",
            "Make one of the two, then run this again.",
        )
    return path


def install(git: Git, driver: Driver) -> str:
    """Write the hook; its path. Raises `HookElsewhere`, and OSError."""
    path = place(git)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path) and not is_ours(path):
        os.replace(path, path + _BEFORE)
    places = shlex.join([driver.python, driver.root, driver.home])
    hook = _HOOK.replace("MARK", _MARK).replace("BEFORE", _BEFORE).replace("START", _START).replace("WORDS", places)
    write_atomically(path, hook.encode(), 0o755)
    return path


def remove(path: str) -> bool:
    """Put the hook that was there before back; whether ours was there. Raises OSError."""
    found = next((each for each in (path, path + _LEGACY) if is_ours(each)), None)
    if found is None:
        return False
    if os.path.lexists(path + _BEFORE):
        os.replace(path + _BEFORE, found)
    else:
        os.unlink(found)
    return True


def installed(path: str) -> Driver | None:
    """What our hook starts, be it the hook ``path`` or the one that another hook runs first; None without ours."""
    ours = next((text for text in (_read(path), _read(path + _LEGACY)) if _MARK in text), None)
    if ours is None:
        return None
    line = next((line for line in ours.splitlines() if line.startswith(_PLACES)), "")
    try:
        python, root, home, *_ = shlex.split(line.removeprefix(_PLACES))
    except ValueError:  # somebody changed it
        return Driver("", "", "")
    return Driver(python, root, home)


def is_ours(path: str) -> bool:
    return _MARK in _read(path)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def leaving(git: Git, remote: str, updates: Sequence[str]) -> list[str]:
    """The revisions that a push sends: words for ``git rev-list``; none when it only deletes.

    ``remote``: its address. ``updates``: the lines git gives to the hook, ``LOCAL_REF LOCAL REMOTE_REF REMOTE``.
    For a branch that is new there, the other side is asked what it has; where it does not say, all of the
    branch counts. What is noted here of a remote may be of another one that had its name.
    """
    new: list[str] = []
    old: list[str] = []
    for update in updates:
        words = update.split(" ")
        if len(words) != 4:
            continue
        _, local, _, theirs = words
        if local.strip("0"):
            new.append(local)
            old += [theirs] if theirs.strip("0") else _there(git, remote)
    old = _known_here(git, old)
    return [*new, "--not", *old] if new and old else new


def _there(git: Git, remote: str) -> list[str]:
    """What the references of a repository point to; nothing where it does not answer in time."""
    import subprocess

    asking = Git(git.folder, git.environ | {"GIT_TERMINAL_PROMPT": "0"})
    try:
        done = asking.run("ls-remote", "-q", remote, seconds=_SECONDS)
    except subprocess.TimeoutExpired:
        return []
    return [os.fsdecode(line.split(b"\t")[0]) for line in done.stdout.splitlines() if b"\t" in line]


def _known_here(git: Git, names: Sequence[str]) -> list[str]:
    """Those of the objects that are here too: of the others git could not tell what they hold."""
    given = "".join(f"{name}\n" for name in dict.fromkeys(names)).encode()
    checked = git.run("cat-file", "--batch-check=%(objectname)", given=given).stdout.splitlines() if given else []
    return [line.decode() for line in checked if b" " not in line]
