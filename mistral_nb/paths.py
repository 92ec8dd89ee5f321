"""The folder of index and vault, the walk up the parents, the environment for git: what runs at every save."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing costs 10 ms
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


NO_FOLDER = os.path.join(os.devnull, "mistral-nb")  # nothing can be there
NO_HOME_TEXT = (
    "This user has no home folder, so no key is kept or remembered here: set MISTRAL_NB_HOME to a folder for that."
)


def data_folder(environ: Mapping[str, str]) -> str:
    """``MISTRAL_NB_HOME``, or the platform's data folder; `NO_FOLDER` for a user without one.

    That is one without HOME and without an entry in the password file: a container that runs under any user id.
    """
    chosen = environ.get("MISTRAL_NB_HOME")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    user, shared = environ.get("HOME", ""), environ.get("XDG_DATA_HOME", "")
    if sys.platform == "linux" and os.path.isabs(user) and (not shared or os.path.isabs(shared)):
        return os.path.join(shared or os.path.join(user, ".local/share"), "mistral-nb")  # as platformdirs, 5 ms sooner
    from platformdirs import user_data_dir

    try:
        folder = user_data_dir("mistral-nb", appauthor=False)
    except RuntimeError:  # of newer ones; older ones return a path that starts with ~
        return NO_FOLDER
    return folder if os.path.isabs(folder) else NO_FOLDER


def identify_folder(folder: str) -> str:
    """16 hex digits that two processes share exactly if they use this folder of this machine; no path is told."""
    import hashlib
    import socket

    place = f"{socket.gethostname()}\0{os.path.normcase(os.path.realpath(folder))}"
    return hashlib.blake2b(os.fsencode(place), digest_size=8).hexdigest()


def parents(folder: str | None = None) -> Iterator[str]:
    """``folder`` (default: the working directory), absolute, and each folder above it, up to the root.

    Yields nothing if the working directory was deleted.
    """
    try:
        place = os.path.abspath(folder or os.getcwd())
    except OSError:
        return
    above = ""
    while place != above:
        yield place
        above, place = place, os.path.dirname(place)


def is_inside(path: str, folder: str) -> bool:
    """Whether a path is in a folder, or is that folder itself; both absolute, and without links in them."""
    inner, outer = (os.path.normcase(os.path.join(each, "")) for each in (path, folder))
    return inner.startswith(outer)


def without_git_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what a git hook sets, which speaks of another repository's files."""
    return {name: value for name, value in environ.items() if not name.startswith("GIT_")}
