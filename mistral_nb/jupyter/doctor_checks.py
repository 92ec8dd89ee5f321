"""`doctor`'s checks of saves: is the hook installed where Jupyter writes files?"""

import json
import os
from collections.abc import Iterator, Mapping
from glob import escape, glob
from importlib.util import find_spec

from mistral_nb.bounded_read import MAX_SETTINGS, read_file
from mistral_nb.jupyter.save_coverage import check_coverage
from mistral_nb.report import Row

_CONFIG = "jupyter_server_config"


def checks(environ: Mapping[str, str], *, in_kernel: bool) -> Iterator[Row]:
    """In a kernel: whether its notebook is saved past our hook. Elsewhere: whether a server started here has it."""
    if in_kernel:
        found = check_coverage(environ)
        yield Row("saves", str(found), found.state, found.repair)
    elif find_spec("jupyter_server") is None:
        yield Row("saves", "no Jupyter server in this environment: the check is made where it is installed")
    elif is_enabled():
        yield Row("saves", "Jupyter servers started from this environment are covered", "ok")
    else:
        repair = "jupyter server extension enable mistral_nb, then restart the server"
        yield Row("saves", "the server extension is not enabled here", "warn", repair)


def is_enabled() -> bool:
    """Whether Jupyter's settings, nearest first, turn the extension on: as ``jupyter server extension list`` says."""
    from jupyter_core.paths import jupyter_config_path

    try:
        folders = jupyter_config_path()
    except RuntimeError:  # a user without a home folder
        return False
    for folder in folders:
        beside = sorted(glob(os.path.join(escape(folder), f"{_CONFIG}.d", "*.json")), reverse=True)
        for file in (os.path.join(folder, f"{_CONFIG}.json"), *beside):  # the last one read wins
            said = _read_setting(file)
            if said is not None:
                return said
    return False


def _read_setting(file: str) -> bool | None:
    try:
        value = json.loads(read_file(file, MAX_SETTINGS))["ServerApp"]["jpserver_extensions"]["mistral_nb"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return bool(value)
