"""Sets keys aside by a process of its own, for those that can't do it themselves; `aside_writer` is what runs there.

The git filter has an interpreter without the packages that the stores need, and a server that ends starts no threads.
"""

import json
import sys
from collections.abc import Iterable, Mapping

from mistral_nb.api_key import Key
from mistral_nb.child_environment import BOOTSTRAP_CODE, PACKAGE_ROOT, SET_ASIDE, child_environment
from mistral_nb.errors import NotSetAside

_WRITER = f"{BOOTSTRAP_CODE}from mistral_nb.storage.aside_writer import main; main()"


def set_aside_in_child(
    keys: Iterable[tuple[Key, tuple[str, int | None, str]]], environ: Mapping[str, str], seconds: float
) -> None:
    """Set keys aside, each with its file, cell and place, within ``seconds``. Raises `NotSetAside`."""
    import subprocess

    request = json.dumps(
        [{"key": key.reveal(), "file": file, "cell": cell, "place": place} for key, (file, cell, place) in keys]
    )
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _WRITER, PACKAGE_ROOT],
            input=request.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(SET_ASIDE, environ),
            timeout=seconds,
            check=False,
        )
        answer = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):  # whose texts may quote the request
        answer = {}
    if not answer.get("ok"):
        failed = answer.get("failed") or "A key that is in no store could not be set aside."
        raise NotSetAside(failed, answer.get("todo", "Try: mistral-nb doctor"))
