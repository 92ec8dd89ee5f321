"""The pre-push hook: put beside an existing one, which it runs first; and what is about to leave."""

import os
import shlex
from collections.abc import Sequence

from mistral_nb.errors import MistralNbError
from mistral_nb.files import write_atomically
from mistral_nb.git.driver import Driver
from mistral_nb.git.plumbing import Git

_MARK = "# mistral-nb: scans what is about to be pushed"
_BEFORE = ".before-mistral-nb"
_HOOK = """#!/bin/sh
MARK. The hook that was here before is run first: pre-pushBEFORE
before="$(dirname "$0")/pre-pushBEFORE"
input=$(cat)
feed() { [ -z "$input" ] || printf '%s\\n' "$input"; }
if [ -x "$before" ]; then feed | "$before" "$@" || exit $?; fi
set -- PLACES "$1"
if [ -x "$1" ] && [ -e "$2/mistral_nb/cli.py" ]; then
    export MISTRAL_NB_HOME="$3"
    { printf '%s\\n' "$4"; feed; } | "$1" -I -c 'START' "$2"
    exit
fi
echo "mistral-nb: what scans a push is gone: $1 with $2/mistral_nb." \\
    "Repair: pip install mistral_nb, then: mistral-nb protect --pre-push." \\
    "Once without it: git push --no-verify" >&2
exit 1
"""
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from mistral_nb.cli import main; "
    'sys.exit(main(["git-filter", "--pre-push"]))'
)


class HookElsewhere(MistralNbError):
    """The folder of hooks is not this repository's own."""


def install(git: Git, driver: Driver) -> str:
    """Write the hook; its path. Raises `HookElsewhere` for a folder that others share, and OSError."""
    path = os.path.realpath(git.path("hooks")) + os.sep + "pre-push"
    own = os.path.realpath(os.path.join(git.folder, git.text("rev-parse", "--git-common-dir")))
    if os.path.commonpath([path, own]) != own:
        raise HookElsewhere(
            f"Hooks are kept in {os.path.dirname(path)} (core.hooksPath), which is not this repository's own.",
            'Add to the pre-push hook there: { echo "$1"; cat; } | mistral-nb git-filter --pre-push',
        )
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path) and not is_ours(path):
        os.replace(path, path + _BEFORE)
    places = shlex.join([driver.python, driver.root, driver.home])
    hook = _HOOK.replace("MARK", _MARK).replace("BEFORE", _BEFORE).replace("START", _START).replace("PLACES", places)
    write_atomically(path, hook.encode(), 0o755)
    return path


def remove(path: str) -> bool:
    """Put the hook that was there before back; whether ours was there. Raises OSError."""
    if not is_ours(path):
        return False
    if os.path.exists(path + _BEFORE):
        os.replace(path + _BEFORE, path)
    else:
        os.unlink(path)
    return True


def is_ours(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return _MARK.encode() in file.read()
    except OSError:
        return False


def leaving(git: Git, remote: str, updates: Sequence[str]) -> list[str]:
    """The revisions that a push sends: words for ``git rev-list``; none when it only deletes.

    ``updates``: the lines git gives to the hook, ``LOCAL_REF LOCAL REMOTE_REF REMOTE``.
    """
    new, old = [], []
    for update in updates:
        words = update.split(" ")
        if len(words) != 4:
            continue
        _, local, _, theirs = words
        if local.strip("0"):
            new.append(local)
            if theirs.strip("0") and git.run("cat-file", "-e", theirs).returncode == 0:
                old.append(theirs)
    if not new:
        return []
    known = git.run("remote").stdout.split()
    there = [f"--remotes={remote}"] if os.fsencode(remote) in known else []
    return [*new, "--not", *old, *there] if old or there else new
