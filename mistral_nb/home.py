"""The folder of index and vault. Apart from `config`, because what runs at every save needs only this."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing costs 10 ms
if TYPE_CHECKING:
    from collections.abc import Mapping


def home(environ: Mapping[str, str]) -> str:
    """``MISTRAL_NB_HOME``, or the platform's data folder."""
    chosen = environ.get("MISTRAL_NB_HOME")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    user, shared = environ.get("HOME", ""), environ.get("XDG_DATA_HOME", "")
    if sys.platform == "linux" and os.path.isabs(user) and (not shared or os.path.isabs(shared)):
        return os.path.join(shared or os.path.join(user, ".local/share"), "mistral-nb")  # as platformdirs, 5 ms sooner
    from platformdirs import user_data_dir

    folder = user_data_dir("mistral-nb", appauthor=False)
    if not os.path.isabs(folder):  # no HOME and no entry in the password file, as in some containers
        from mistral_nb.errors import WrongUsage

        raise WrongUsage("This user has no home folder.", "Set MISTRAL_NB_HOME to a folder for keys and their list.")
    return folder
