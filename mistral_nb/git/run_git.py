"""Runs git: its output as bytes or text, its failures as one error with git's message.

Every git of this package starts here, so that a repository that is only looked at runs nothing that it brought along.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mistral_nb.child_environment import GIT, child_environment
from mistral_nb.errors import MistralNbError
from mistral_nb.paths import without_git_variables

if TYPE_CHECKING:
    import subprocess  # imported where it is used: the filter asks git about few files

SUBMODULE = "160000"  # the mode of its entry in the index
_LOCATION_VARIABLES = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"}
)
_PATHSPECS = frozenset(f"GIT_{how}_PATHSPECS" for how in ("LITERAL", "GLOB", "NOGLOB", "ICASE"))  # ours say it

# What a repository's configuration could make git run, switched off for every git that is started here.
# tests/git/test_strangers_git.py lists each way that git has, and what stops it. Not here: the filters,
# because git has no setting for all of them, and because none of the commands in use runs one.
_SAFE_SETTINGS = {
    "safe.bareRepository": "explicit",  # a folder of tracked files that looks like a repository is none
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.editor": "true",
    "sequence.editor": "true",
    "core.alternateRefsCommand": "true",
    "log.showSignature": "false",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "gpg.program": "false",
    "gpg.openpgp.program": "false",
    "gpg.x509.program": "false",
    "gpg.ssh.program": "false",
    "gpg.ssh.defaultKeyCommand": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
}
# Likewise, for every git that talks to no other repository: also a missing object is not fetched.
_OFFLINE_SETTINGS = {"core.sshCommand": "false", "core.askPass": "", "credential.helper": ""}
_OFFLINE_VARIABLES = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
_PROGRAM_VARIABLES = frozenset(
    {"GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "GIT_TEST_FSMONITOR"}
)
_READS_HOOKS_PATH = frozenset({"config", "rev-parse"})  # what `protect` asks; they run no hook


class StagedEntry(NamedTuple):
    """An entry of the index. ``stage``: 0, or in a merge with conflicts 1 to 3. ``path``: from the top."""

    mode: str
    blob: str
    stage: str
    path: str


class GitFailed(MistralNbError):
    """A git command failed. ``said``: the first line of its message."""

    def __init__(self, said: str, todo: str = "") -> None:
        super().__init__(said, todo)
        self.said = said


class Git:
    """git in one folder, with one environment.

    The environment counts as git's own do: in a hook or a filter, ``GIT_DIR``, ``GIT_INDEX_FILE`` and the
    quarantine's variables hold. ``given`` is that environment; ``environ`` what git gets of it. ``git_dir``: a
    repository that was named, which may be a bare one.
    """

    def __init__(
        self, folder: str | None = None, environ: Mapping[str, str] | None = None, *, git_dir: str | None = None
    ) -> None:
        self.folder = folder or os.getcwd()
        self.git_dir = git_dir
        self.given = dict(os.environ if environ is None else environ)
        for name in (
            _LOCATION_VARIABLES & self.given.keys()
        ):  # relative ones mean this folder, whatever is asked later from where
            self.given[name] = os.path.join(os.path.abspath(self.folder), self.given[name])
        kept = child_environment(GIT, self.given).items()
        self.environ = {name: value for name, value in kept if name not in _PATHSPECS | _PROGRAM_VARIABLES}
        self.environ["GIT_NO_REPLACE_OBJECTS"] = "1"  # what is pushed and cloned are the objects themselves

    @classmethod
    def at_path(cls, folder: str, environ: Mapping[str, str] | None = None) -> "Git":
        """git for a path that a person named: what a hook's environment says is about another repository."""
        return cls(folder, without_git_variables(os.environ if environ is None else environ))

    @classmethod
    def at_work(cls, folder: str | None, environ: Mapping[str, str]) -> "Git":
        """git for the repository in which a person is working; a bare one too."""
        place = os.path.abspath(folder or os.getcwd())
        bare = "GIT_DIR" not in environ and _is_git_dir(place)
        return cls(folder, environ, git_dir=place if bare else None)

    def in_folder(self, folder: str) -> "Git":
        """The same git from another folder of the repository."""
        return Git(folder, self.given, git_dir=self.git_dir)

    def command(self, *words: str, online: bool = False) -> list[str]:
        """The arguments of a git that runs no program of the repository's. ``online``: it may ask another one."""
        settings = _SAFE_SETTINGS if online else _SAFE_SETTINGS | _OFFLINE_SETTINGS
        given = [f"{name}={value}" for name, value in settings.items()]
        if words[0] in _READS_HOOKS_PATH:
            given.remove(f"core.hooksPath={os.devnull}")
        named = ["--bare", f"--git-dir={self.git_dir}"] if self.git_dir else []
        return ["git", "--no-pager", *named, *(word for one in given for word in ("-c", one)), *words]

    def environment(self, *, online: bool = False) -> dict[str, str]:
        """The environment of such a git."""
        return self.environ | ({"GIT_TERMINAL_PROMPT": "0"} if online else _OFFLINE_VARIABLES)

    def start(self, *words: str, **options: Any) -> "subprocess.Popen[bytes]":
        """A git that goes on while its output is read. ``options``: those of ``subprocess.Popen``."""
        import subprocess

        return subprocess.Popen(self.command(*words), cwd=self.folder, env=self.environment(), **options)

    def run(
        self, *words: str, given: bytes | None = None, seconds: float | None = None, online: bool = False
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run one git command, whatever its result. Raises `GitFailed` only if there is no git, and
        ``subprocess.TimeoutExpired`` after ``seconds``.
        """
        import subprocess

        source: dict[str, object] = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
        source["timeout"] = seconds
        words, environ = tuple(self.command(*words, online=online)), self.environment(online=online)
        try:
            return subprocess.run(  # type: ignore[call-overload,no-any-return]  # mypy matches no **source
                words, cwd=self.folder, env=environ, capture_output=True, check=False, **source
            )
        except FileNotFoundError:
            missing = "the folder" if not os.path.isdir(self.folder) else "git"
            raise GitFailed(
                f"{missing.capitalize()} was not found.", "Install git, or go to your repository."
            ) from None

    def output(self, *words: str, given: bytes | None = None) -> bytes:
        """What a command prints. Raises `GitFailed`."""
        done = self.run(*words, given=given)
        if done.returncode:
            raise GitFailed(error_line(done.stderr) or f"git {words[0]} failed ({done.returncode}).")
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

    def common_dir(self) -> str:
        """The folder of the repository, which its linked worktrees share. Raises `GitFailed`."""
        return os.path.realpath(os.path.join(self.folder, self.text("rev-parse", "--git-common-dir")))


class BlobReader:
    """Objects by their names, from one ``git cat-file --batch`` that waits for more."""

    def __init__(self, git: Git) -> None:
        from subprocess import DEVNULL, PIPE

        self._process = git.start("cat-file", "--batch", stdin=PIPE, stdout=PIPE, stderr=DEVNULL)

    def __enter__(self) -> "BlobReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, name: str) -> bytes | None:
        """A blob's content; None when it can't be read. ``name``: on one line."""
        assert self._process.stdin and self._process.stdout  # noqa: S101, for the type checker
        try:
            self._process.stdin.write(os.fsencode(name) + b"\n")
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


def _is_git_dir(folder: str) -> bool:
    """Whether a folder is a repository itself, rather than a working tree."""
    return (
        os.path.isfile(os.path.join(folder, "HEAD"))
        and os.path.isdir(os.path.join(folder, "objects"))
        and os.path.isdir(os.path.join(folder, "refs"))
        and not os.path.lexists(os.path.join(folder, ".git"))
    )


def split_nul(data: bytes) -> Iterator[str]:
    """The parts of a NUL-separated answer."""
    return (os.fsdecode(part) for part in data.split(b"\0") if part)


def list_staged_entries(git: Git, paths: Sequence[str] = ()) -> list[StagedEntry]:
    """The entries of the index, those at ``paths`` (seen from the top) or all. Raises `GitFailed`."""
    pathspecs = [f":(top,literal){path}" for path in paths] or [":(top)"]
    found = []
    for entry in split_nul(git.output("ls-files", "-s", "-z", "--full-name", "--", *pathspecs)):
        head, _, path = entry.partition("\t")
        mode, blob, stage = head.split(" ")
        found.append(StagedEntry(mode, blob, stage, path))
    return found


def error_line(said: bytes) -> str:
    """What went wrong, of all that git says on standard error."""
    lines = said.decode("utf-8", "replace").splitlines()
    line = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0] if lines else "")
    return f"git: {line.removeprefix('fatal: ').removeprefix('error: ').rstrip('.')}." if line else ""
