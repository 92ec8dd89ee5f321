"""Asking git: its answers as bytes or text, its refusals as one error that says what git said."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mistral_nb.errors import MistralNbError

if TYPE_CHECKING:
    import subprocess  # imported where it is used: the filter asks git about few files

SUBMODULE = "160000"  # the mode of its entry in the index
_PLACES = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"})
_PATHSPECS = frozenset(f"GIT_{how}_PATHSPECS" for how in ("LITERAL", "GLOB", "NOGLOB", "ICASE"))  # ours say it
# For a Python that is given the package's folder: the package comes from there, and nothing else does, or a
# package beside it could stand in the place of a module of the standard library.
START = "import sys; sys.path.insert(0, sys.argv[1]); import mistral_nb; sys.path.append(sys.path.pop(0)); "


class Staged(NamedTuple):
    """An entry of the index. ``stage``: 0, or in a merge with conflicts 1 to 3. ``path``: from the top."""

    mode: str
    blob: str
    stage: str
    path: str


class GitFailed(MistralNbError):
    """git would not do it. ``said``: the first line of what it said."""

    def __init__(self, said: str, todo: str = "") -> None:
        super().__init__(said, todo)
        self.said = said


class Git:
    """git in one folder, with one environment."""

    def __init__(self, folder: str | None = None, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder or os.getcwd()
        given = os.environ if environ is None else environ
        self.environ = {name: value for name, value in given.items() if name not in _PATHSPECS}
        self.environ["GIT_NO_REPLACE_OBJECTS"] = "1"  # what is pushed and cloned are the objects themselves
        for name in _PLACES & self.environ.keys():  # relative ones mean this folder, whatever is asked later from where
            self.environ[name] = os.path.join(os.path.abspath(self.folder), self.environ[name])

    def run(
        self, *words: str, given: bytes | None = None, seconds: float | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        """One git command, whatever comes of it. Raises `GitFailed` only where there is no git, and
        ``subprocess.TimeoutExpired`` after ``seconds``.
        """
        import subprocess

        source: dict[str, object] = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
        source["timeout"] = seconds
        try:
            return subprocess.run(  # type: ignore[call-overload,no-any-return]  # mypy matches no **source
                ["git", *words], cwd=self.folder, env=self.environ, capture_output=True, check=False, **source
            )
        except FileNotFoundError:
            missing = "the folder" if not os.path.isdir(self.folder) else "git"
            raise GitFailed(f"{missing.capitalize()} is not there.", "Install git, or go to your repository.") from None

    def output(self, *words: str, given: bytes | None = None) -> bytes:
        """What a command prints. Raises `GitFailed`."""
        done = self.run(*words, given=given)
        if done.returncode:
            raise GitFailed(first_line(done.stderr) or f"git {words[0]} failed ({done.returncode}).")
        return bytes(done.stdout)

    def text(self, *words: str, given: bytes | None = None) -> str:
        """What a command prints, without the newline at its end. Raises `GitFailed`."""
        return os.fsdecode(self.output(*words, given=given)).removesuffix("\n")

    def config(self, name: str, *scope: str) -> str | None:
        """A setting's value; None when it is not set."""
        done = self.run("config", *scope, "--get", name)
        return os.fsdecode(bytes(done.stdout)).removesuffix("\n") if done.returncode == 0 else None

    def path(self, name: str) -> str:
        """Where a file of the repository's own folder is: ``info/attributes``, ``hooks``. Raises `GitFailed`."""
        return os.path.join(self.folder, self.text("rev-parse", "--git-path", name))

    def top(self) -> str | None:
        """The working tree's top folder; None in a bare repository. Raises `GitFailed` outside of any."""
        inside = self.text("rev-parse", "--is-inside-work-tree") == "true"
        if inside:
            return self.text("rev-parse", "--show-toplevel")
        if self.text("rev-parse", "--is-inside-git-dir") == "true" or self.config("core.bare") == "true":
            return None
        return self.text("rev-parse", "--show-toplevel")


class Blobs:
    """Objects by their names, from one ``git cat-file --batch`` that waits for more."""

    def __init__(self, git: Git) -> None:
        import subprocess

        self._process = subprocess.Popen(
            ["git", "cat-file", "--batch"],
            cwd=git.folder,
            env=git.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> "Blobs":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, name: str) -> bytes | None:
        """A blob's content; None when it can't be read."""
        assert self._process.stdin and self._process.stdout  # noqa: S101, for the type checker
        try:
            self._process.stdin.write(name.encode() + b"\n")
            self._process.stdin.flush()
            words = self._process.stdout.readline().split()
            if len(words) != 3 or words[1:2] == [b"missing"]:
                return None
            size = int(words[2])
            data = self._process.stdout.read(size + 1)
        except (OSError, ValueError):
            return None
        return data[:-1] if len(data) == size + 1 else None

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()


def split(data: bytes) -> Iterator[str]:
    """The parts of a NUL-separated answer."""
    return (os.fsdecode(part) for part in data.split(b"\0") if part)


def staged(git: Git, paths: Sequence[str] = ()) -> list[Staged]:
    """The entries of the index, those at ``paths`` (seen from the top) or all. Raises `GitFailed`."""
    pathspecs = [f":(top,literal){path}" for path in paths] or [":(top)"]
    found = []
    for entry in split(git.output("ls-files", "-s", "-z", "--full-name", "--", *pathspecs)):
        head, _, path = entry.partition("\t")
        mode, blob, stage = head.split(" ")
        found.append(Staged(mode, blob, stage, path))
    return found


def first_line(said: bytes) -> str:
    """What went wrong, of all that git says on standard error."""
    lines = said.decode("utf-8", "replace").splitlines()
    line = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0] if lines else "")
    return f"git: {line.removeprefix('fatal: ').removeprefix('error: ').rstrip('.')}." if line else ""
