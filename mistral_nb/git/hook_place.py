"""Where the pre-push scan goes: into the repository's own hooks, or beside them where another tool runs the hooks.

husky and shared folders of hooks (``core.hooksPath``) and lefthook write the hook that git runs. There our script has
a name of its own, and a person adds the lines that call it.
"""

import os
from typing import NamedTuple

from mistral_nb.bounded_read import MAX_SETTINGS, read_file
from mistral_nb.git.run_git import Git
from mistral_nb.paths import is_inside

NAME = "pre-push"
CALLED_NAME = "mistral-nb-pre-push"  # git runs no hook of this name
PREVIOUS_SUFFIX = ".before-mistral-nb"
LEGACY_SUFFIX = ".legacy"  # where pre-commit moves an existing hook, which it runs first
MARK = "# mistral-nb: scans what is about to be pushed"
_SCRIPT = f'"$(git rev-parse --git-common-dir)/hooks/{CALLED_NAME}"'
# In a clone without our script the lines do nothing: such a file is often committed. What they read of standard
# input, they leave to the next command.
_SHELL_LINES = f"""\
# Starts the scan of mistral-nb, where a clone has it.
scan={_SCRIPT}
if [ -x "$scan" ]; then
    pushed=$(cat)
    printf '%s\\n' "$pushed" | "$scan" "$@" || exit 1
    exec <<END
$pushed
END
fi
"""
_NEW_HOOK = "#!/bin/sh\n"
_LEFTHOOK_LINES = f"""\
pre-push:
  commands:
    mistral-nb:
      run: scan={_SCRIPT}; test ! -x "$scan" || "$scan" {{1}} {{2}}
      use_stdin: true
"""
_LEFTHOOK_FILES = tuple(
    f"{folder}{dot}lefthook{local}{extension}"
    for folder, dot in (("", ""), ("", "."), (".config/", ""))
    for local in ("", "-local")
    for extension in (".yml", ".yaml", ".json", ".jsonc", ".toml")
)


class HookPlace(NamedTuple):
    """``path``: our script. ``caller``: the file of another tool in which ``lines`` call it, "" if git runs it itself.
    ``is_called``: whether they stand there."""

    path: str
    caller: str = ""
    lines: str = ""
    is_called: bool = True


def find_place(git: Git) -> HookPlace:
    """For the repository of ``git``, which is in its top folder. Raises `GitFailed`."""
    common = git.common_dir()
    folder = os.path.realpath(git.path("hooks"))
    beside = os.path.join(common, "hooks", CALLED_NAME)
    path = os.path.join(folder, NAME)
    if not is_inside(folder, common):
        return _called_place(beside, _caller_file(git.folder, folder), (), is_shell=True)
    if "lefthook" in read_text(path).lower():
        files = [os.path.join(git.folder, name) for name in _LEFTHOOK_FILES]
        there = [file for file in files if os.path.isfile(file)] or files[:1]
        return _called_place(beside, there[0], there, is_shell=False)
    if is_ours(path + LEGACY_SUFFIX) and not is_ours(path):
        return HookPlace(path + LEGACY_SUFFIX)
    if os.path.lexists(path) and not is_ours(path) and os.path.lexists(path + PREVIOUS_SUFFIX):
        return _called_place(beside, path, (), is_shell=True)  # there are two already
    return HookPlace(path)


def is_ours(path: str) -> bool:
    """Whether a hook is our script, rather than one that calls it."""
    return MARK in read_text(path)


def read_text(path: str) -> str:
    """A hook or a tool's settings; "" for what can't be read."""
    try:
        return read_file(path, MAX_SETTINGS).decode(errors="surrogateescape")
    except OSError:
        return ""


def _called_place(beside: str, caller: str, callers: "list[str] | tuple[()]", *, is_shell: bool) -> HookPlace:
    start = "" if not is_shell or os.path.lexists(caller) else _NEW_HOOK
    is_called = any(_calls_us(read_text(file)) for file in callers or [caller])
    return HookPlace(beside, caller, start + _SHELL_LINES if is_shell else _LEFTHOOK_LINES, is_called)


def _caller_file(top: str, folder: str) -> str:
    """The pre-push hook in a folder of hooks; husky runs the one above its folder of generated ones."""
    husky = os.path.join(os.path.realpath(top), ".husky")
    return os.path.join(husky if is_inside(folder, husky) else folder, NAME)


def _calls_us(text: str) -> bool:
    lines = [line.strip() for line in text.splitlines()]
    return any(CALLED_NAME in line and not line.startswith(("#", "//")) for line in lines)
