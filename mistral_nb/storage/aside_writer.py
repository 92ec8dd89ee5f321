"""Sets keys aside for a process that has no access to the stores.

One request, JSON on standard input: a list of ``{"key", "file", "cell", "place"}``. One answer, a line of JSON on
standard output: ``{"ok": true}``, or ``{"failed", "todo"}`` with the two sentences of an error.
"""

import json
import os
import sys
from typing import Any

from mistral_nb.api_key import Key
from mistral_nb.config import load
from mistral_nb.errors import MistralNbError
from mistral_nb.storage.set_aside import RemovalPlace, open_set_aside


def main() -> None:
    """Answer the request on standard input."""
    sys.stdout.write(json.dumps(_perform(sys.stdin.buffer.read())) + "\n")


def _perform(request: bytes) -> dict[str, Any]:
    failure: str
    try:
        aside = open_set_aside(load(os.environ))
        for one in json.loads(request):
            aside.put(Key(one["key"]), RemovalPlace(one["file"], one["cell"], one["place"]))
    except MistralNbError as error:
        return {"failed": error.failed, "todo": error.todo}
    except Exception as error:  # noqa: BLE001, its text may quote the request
        failure = type(error).__name__
    else:
        return {"ok": True}
    return {"failed": f"A key that is in no store could not be set aside: {failure}.", "todo": "Try: mistral-nb doctor"}
