"""Runs another filter inside ours: its clean and smudge commands, as git would run them.

Keys are removed before its clean command, because what that stores elsewhere (LFS) must not contain any.
"""

from collections.abc import Callable

from mistral_nb.child_environment import WRAPPED_FILTER, child_environment
from mistral_nb.errors import MistralNbError
from mistral_nb.git.run_git import Git


class WrappedFilterFailed(MistralNbError):
    """The other filter's command failed, and it is required."""


class WrappedFilter:
    """The driver ``name`` as git's configuration has it."""

    def __init__(self, git: Git, name: str) -> None:
        self._git = git
        self._name = name
        self._required = git.config(f"filter.{name}.required", "--type=bool") == "true"
        self._commands = {action: git.config(f"filter.{name}.{action}") or "" for action in ("clean", "smudge")}

    def clean(self, path: str, data: bytes, say: Callable[[str], None]) -> bytes:
        return self._run("clean", path, data, say)

    def smudge(self, path: str, data: bytes, say: Callable[[str], None]) -> bytes:
        return self._run("smudge", path, data, say)

    def _run(self, action: str, path: str, data: bytes, say: Callable[[str], None]) -> bytes:
        """The command's output for the content. A required one that fails raises `WrappedFilterFailed`;
        any other passes the content through, as in git.
        """
        command = self._commands[action]
        if not command:
            if self._required:
                raise WrappedFilterFailed(f"The filter {self._name} is required and has no {action} command.")
            return data
        import subprocess

        words = ["sh", "-c", substitute_path(command, path)]
        environ = child_environment(WRAPPED_FILTER, self._git.given)  # git's own: the person asked for this program
        done = subprocess.run(words, input=data, stdout=subprocess.PIPE, cwd=self._git.folder, env=environ, check=False)
        if done.returncode == 0:
            return data if done.stdout == data else done.stdout
        failed = f"The filter {self._name} failed at {action} ({done.returncode})."
        if self._required:
            raise WrappedFilterFailed(failed)
        say(f"{path}: {failed} It was skipped, as git does.")
        return data


def substitute_path(command: str, path: str) -> str:
    """A filter's command with ``%f`` replaced by the quoted path, and ``%%`` by a percent sign."""
    import shlex

    parts = command.split("%%")
    return "%".join(part.replace("%f", shlex.quote(path)) for part in parts)
