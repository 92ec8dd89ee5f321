"""Our lines in ``.git/info/attributes``: they hold for every branch, worktree and older commit of a clone.

That file overrides the ``.gitattributes`` of all folders, so the notebooks that these give to another filter are
named in it: each line has the attribute `_MARK`, by which it is found again.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence

from mistral_nb.git import attributes
from mistral_nb.git.attributes import UNSPECIFIED, AttributesChange
from mistral_nb.git.filter_config import ATTRIBUTES_LINE, NAME, NOTEBOOKS
from mistral_nb.git.run_git import Git, split_nul
from mistral_nb.paths import without_git_variables

NO_OTHER_FILTER = frozenset({NAME, UNSPECIFIED, "unset", "set"})  # "set": the attribute has no value
_MARK = "left-by-mistral-nb"
_FILE, _SUBFOLDER = "any name.ipynb", "any folder"  # need not exist: attributes go by names


def file_path(git: Git) -> str:
    """Where the file is. Raises `GitFailed`."""
    return git.path("info/attributes")


def find_other_filters(git: Git, paths: Sequence[str]) -> dict[str, str]:
    """The filter that a new notebook ("") and each path would have without our lines, where it is not ours.

    ``git`` is in the top folder. Raises `GitFailed`.
    """
    with _git_without_our_lines(git) as other:
        asked = attributes.ask_filters(other, (_FILE, *paths))
    found = {"" if path == _FILE else path: name for path, name in asked.items()}
    return {path: name for path, name in found.items() if name not in NO_OTHER_FILTER}


def make_lines(git: Git, paths: Sequence[str]) -> list[str]:
    """The lines for the notebooks at ``paths``, and for new ones beside them. Raises `GitFailed`."""
    folders = sorted({os.path.dirname(path) for path in (*paths, *_list_attributes_files(git))}, key=_depth)
    new_files = {folder: os.path.join(folder, _FILE) for folder in folders}
    below = {folder: os.path.join(folder, _SUBFOLDER, _FILE) for folder in folders if folder}
    with _git_without_our_lines(git) as other:
        has = attributes.ask_filters(other, (*paths, *new_files.values(), *below.values()))
    lines, recursive = [ATTRIBUTES_LINE], set[str]()
    for folder, file in new_files.items():
        wanted = _own_or_other(has[file])
        is_recursive = folder in below and wanted != NAME and has[below[folder]] == wanted
        if wanted != NAME or any(_is_inside(folder, parent) for parent in recursive):
            pattern = f"/{_escape(folder)}/{'**/' if is_recursive else ''}{NOTEBOOKS}".replace("//", "/")
            lines.append(_format_line(pattern, wanted))
        if is_recursive:
            recursive.add(folder)
    for path in paths:
        if (wanted := _own_or_other(has[path])) != _own_or_other(has[new_files[os.path.dirname(path)]]):
            lines.append(_format_line(f"/{_escape(path)}", wanted))
    return lines


def put_lines(path: str, lines: Sequence[str]) -> AttributesChange:
    """Make these the end of the file, in place of our earlier ones. Raises OSError."""
    return attributes.put_block(path, lines, _is_ours)


def remove_lines(path: str, added: AttributesChange) -> bool:
    """Remove all lines that are ours; returns whether there were any. Raises OSError."""
    return attributes.remove_block(path, _is_ours, added)


def read_our_lines(path: str) -> list[str]:
    """Our lines as they stand in the file. Raises OSError."""
    return [os.fsdecode(line) for line in attributes.read_lines(path) if _is_ours(line)]


@contextlib.contextmanager
def _git_without_our_lines(git: Git) -> Iterator[Git]:
    """git for the same working tree and settings, which does not see our lines of this clone.

    A repository of its own for the time of the question, whose ``info/attributes`` has the lines of others.
    """
    chosen = git.config("core.attributesFile", "--type=path")
    file = file_path(git)
    others = [line for line in attributes.read_lines(file) if not _is_ours(line)]
    with tempfile.TemporaryDirectory() as folder:
        config = {name: value for name, value in git.given.items() if name.startswith("GIT_CONFIG")}
        environ = without_git_variables(git.given) | config
        empty = Git(folder, environ)
        empty.output("init", "-q", "--template=", ".")
        if chosen:
            empty.output("config", "core.attributesFile", chosen)
        git_dir = os.path.join(folder, ".git")
        os.makedirs(os.path.join(git_dir, "info"), exist_ok=True)
        with open(os.path.join(git_dir, "info", "attributes"), "wb") as copy:
            copy.write(b"".join(line + b"\n" for line in others))
        yield Git(git.folder, environ | {"GIT_DIR": git_dir, "GIT_WORK_TREE": git.folder})


def _list_attributes_files(git: Git) -> list[str]:
    words = ("ls-files", "-z", "-co", "--exclude-standard", "--full-name", "--", ":(top,glob)**/.gitattributes")
    return list(split_nul(git.output(*words)))


def _is_ours(line: bytes) -> bool:
    return line.strip() == ATTRIBUTES_LINE.encode() or line.split()[-1:] == [_MARK.encode()]


def _own_or_other(name: str) -> str:
    return NAME if name in NO_OTHER_FILTER else name


def _format_line(pattern: str, name: str) -> str:
    return f"{_quote(pattern)} filter={name} {_MARK}"


def _escape(path: str) -> str:
    """A path as a pattern that means this path alone."""
    return re.sub(r"[\\*?\[]", r"\\\g<0>", path)


def _quote(pattern: str) -> str:
    """As attributes have a pattern with a blank: quoted as in C."""
    if not re.search(r"[\s\"\x00-\x1f\x7f]", pattern):
        return pattern
    plain = pattern.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\{ord(found[0]):03o}", plain) + '"'


def _is_inside(folder: str, parent: str) -> bool:
    return folder.startswith(parent + "/")


def _depth(folder: str) -> tuple[int, str]:
    return folder.count("/") + bool(folder), folder
