"""The pre-push hook: installed, with an existing one run first; and what is being pushed."""

import os
import shlex
from collections.abc import Sequence

from mistral_nb.child_environment import BOOTSTRAP_CODE
from mistral_nb.file_io import write_atomically
from mistral_nb.git.filter_config import REPAIR, FilterDriver
from mistral_nb.git.hook_place import LEGACY_SUFFIX, MARK, PREVIOUS_SUFFIX, HookPlace, is_ours, read_text
from mistral_nb.git.key_names import Reference
from mistral_nb.git.run_git import Git, GitFailed

_HOOK = """#!/bin/sh
MARK. The hook that was here before is run first: BEFORE
before="$(dirname "$0")/BEFORE"
input=$(cat)
feed() { [ -z "$input" ] || printf '%s\\n' "$input"; }
if [ -x "$before" ]; then feed | "$before" "$@" || exit $?; fi
set -- WORDS "$1" "$2"
if [ -x "$1" ] && [ -e "$2/mistral_nb/cli.py" ]; then
    export MISTRAL_NB_HOME="$3"
    { printf '%s\\n' "$4" "$5"; feed; } | "$1" -I -c 'START' "$2"
    exit
fi
echo "mistral-nb is no longer installed, so this push is not scanned. REPAIR" >&2
echo "To go on without it: git push --no-verify, or delete $0" >&2
exit 1
"""
_ARGUMENTS_PREFIX = "set -- "
_HOOK_CODE = f'{BOOTSTRAP_CODE}from mistral_nb.cli import main; sys.exit(main(["git-filter", "--pre-push"]))'
_SECONDS = 20  # for the other side to list what it has


def install_hook(place: HookPlace, driver: FilterDriver) -> None:
    """Write the hook. Raises OSError."""
    path = place.path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path) and not is_ours(path) and not place.caller:
        os.replace(path, path + PREVIOUS_SUFFIX)
    places = shlex.join([driver.python, driver.root, driver.home])
    name = os.path.basename(path).removesuffix(LEGACY_SUFFIX)
    hook = (
        _HOOK.replace("MARK", MARK)
        .replace("BEFORE", name + PREVIOUS_SUFFIX)
        .replace("START", _HOOK_CODE)
        .replace("WORDS", places)
        .replace("REPAIR", REPAIR)
    )
    write_atomically(path, hook.encode(), 0o755)


def remove_hook(path: str) -> bool:
    """Restore the previous hook; returns whether ours was there. Raises OSError."""
    found = next((each for each in (path, path + LEGACY_SUFFIX) if is_ours(each)), None)
    if found is None:
        return False
    if os.path.lexists(path + PREVIOUS_SUFFIX):
        os.replace(path + PREVIOUS_SUFFIX, found)
    else:
        os.unlink(found)
    return True


def installed_driver(path: str) -> FilterDriver | None:
    """What our hook starts, whether it is ``path`` or the one that another hook runs first; None without ours."""
    ours = next((text for text in (read_text(path), read_text(path + LEGACY_SUFFIX)) if MARK in text), None)
    if ours is None:
        return None
    line = next((line for line in ours.splitlines() if line.startswith(_ARGUMENTS_PREFIX)), "")
    try:
        python, root, home, *_ = shlex.split(line.removeprefix(_ARGUMENTS_PREFIX))
    except ValueError:  # it was edited
        return FilterDriver("", "", "")
    return FilterDriver(python, root, home)


def outgoing_revisions(git: Git, remote: str, updates: Sequence[str]) -> list[str]:
    """The revisions that a push sends: words for ``git rev-list``; none when it only deletes.

    ``remote``: its address. ``updates``: the lines git gives to the hook, ``LOCAL_REF LOCAL REMOTE_REF REMOTE``.
    Raises `GitFailed` for any other line.
    For a new branch, the remote is asked what it has; if it does not answer, all of the
    branch counts. Local remote-tracking refs may belong to another remote of the same name.
    """
    new: list[str] = []
    old: list[str] = []
    for update in updates:
        _, local, _, theirs = _split_update(update)
        if local.strip("0"):
            new.append(local)
            old += [theirs] if theirs.strip("0") else _remote_objects(git, remote)
    old = _select_local_objects(git, old)
    return [*new, "--not", *old] if new and old else new


def pushed_references(updates: Sequence[str]) -> list[Reference]:
    """The branches and tags that a push creates or changes, by their names there, from the same lines."""
    words = map(_split_update, updates)
    return [Reference(theirs, target) for _, target, theirs, _ in words if target.strip("0")]


def _split_update(update: str) -> list[str]:
    """The four words; the first, which is as a person typed it, may have blanks: ``main@{2 days ago}``."""
    words = update.rsplit(" ", 3)
    if len(words) != 4:
        raise GitFailed("git told the pre-push hook of a push in a way that it does not know.")
    return words


def _remote_objects(git: Git, remote: str) -> list[str]:
    """What the references of a repository point to; nothing where it does not answer in time."""
    import subprocess

    try:  # git has just reached it, by the programs that the person has set for that
        done = git.run("ls-remote", "-q", "--upload-pack=git-upload-pack", remote, seconds=_SECONDS, online=True)
    except subprocess.TimeoutExpired:
        return []
    return [os.fsdecode(line.split(b"\t")[0]) for line in done.stdout.splitlines() if b"\t" in line]


def _select_local_objects(git: Git, names: Sequence[str]) -> list[str]:
    """Those of the objects that are here too: of the others git could not tell what they hold."""
    given = "".join(f"{name}\n" for name in dict.fromkeys(names)).encode()
    checked = git.run("cat-file", "--batch-check=%(objectname)", given=given).stdout.splitlines() if given else []
    return [line.decode() for line in checked if b" " not in line]
