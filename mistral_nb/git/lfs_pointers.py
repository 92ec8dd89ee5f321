"""Notebooks that Git LFS stores elsewhere: git has a small pointer to the content, which never replaces it.

Our attributes win over those of other branches, so our filter may be given a path that a branch leaves to LFS.
`find_common_dir` runs for every git command, and so imports nothing that costs time.
"""

import os

from mistral_nb.bounded_read import read_beginning

_START = b"version https://git-lfs.github.com/spec/"
_MAX_SIZE = 1024  # of a pointer, by LFS's own rule
_MAX_LINE = 4096  # of a file that names a folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mistral_nb.git.run_git import BlobReader, Git


def is_pointer(data: bytes) -> bool:
    return len(data) < _MAX_SIZE and data.startswith(_START)


class PointerGuard:
    """For one git command in the working tree at ``top``."""

    def __init__(self, top: str) -> None:
        self._top = top
        self._uses_lfs = os.path.isdir(os.path.join(find_common_dir(top), "lfs"))
        self._blobs: BlobReader | None = None

    def check(self, path: str, data: bytes) -> None:
        """Raises `CannotClean` if this content would be stored in the place of a pointer, on a path that is LFS's."""
        if not self._uses_lfs or is_pointer(data):
            return
        from mistral_nb.git.run_git import Git

        git = Git(self._top)
        if not is_pointer(self._read_staged(git, path)):
            return
        from mistral_nb.errors import CannotClean
        from mistral_nb.git.clone_attributes import find_other_filters

        if find_other_filters(git, [path]).get(path) == "lfs":
            raise CannotClean(
                "Git LFS stores this file, and its filter was not run.",
                "Run mistral-nb protect again, which leaves such files to LFS (or protect --wrap, which runs both).",
            )

    def _read_staged(self, git: "Git", path: str) -> bytes:
        from mistral_nb.git.run_git import BlobReader

        if "\n" in path:
            return bytes(git.run("cat-file", "blob", f":0:{path}").stdout)
        if self._blobs is None:
            self._blobs = BlobReader(git)
        return self._blobs.read(f":0:{path}") or b""

    def close(self) -> None:
        if self._blobs:
            self._blobs.close()


def find_common_dir(top: str) -> str:
    """The folder of the repository, which its linked worktrees share; "" if it can't be found."""
    place = os.environ.get("GIT_DIR") or os.path.join(top, ".git")
    try:
        if os.path.isfile(place):
            place = os.path.join(top, _read_line(place).partition("gitdir:")[2].strip())
        return os.path.join(place, _read_line(os.path.join(place, "commondir")))
    except FileNotFoundError:
        return place
    except OSError:
        return ""


def _read_line(path: str) -> str:
    return os.fsdecode(read_beginning(path, _MAX_LINE)).partition("\n")[0]
