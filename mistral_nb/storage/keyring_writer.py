"""Writes one item to the keyring and ends: the process that is killed when that takes too long.

One request, a line of JSON on standard input; one answer, a line on standard output. When standard
input ends, the parent is gone, so this exits: a late write could undo a newer one.
"""

import json
import os
import threading
from typing import Any

from mistral_nb.errors import StoreError
from mistral_nb.storage.keyring_backends import find_approved_backend


def serve(requests: int, answers: int) -> None:
    """Do what the request on the descriptor ``requests`` asks, answer on ``answers``, never return."""
    line = _read_line(requests)
    threading.Thread(target=_end_with, args=(requests,), daemon=True).start()
    answer = json.dumps(_perform(line)).encode() + b"\n"
    os.write(answers, answer)
    os._exit(0)  # no clean-up: a thread still reads


def _perform(line: bytearray) -> dict[str, Any]:
    failure: str
    try:
        _run_action(find_approved_backend(os.environ), **json.loads(line))
    except StoreError as error:
        return {"kind": type(error).__name__, "failed": error.failed, "todo": error.todo}
    except Exception as error:  # noqa: BLE001, a backend raises what its system raises
        failure = type(error).__name__
    else:
        return {"ok": True}
    return {"error": failure}


def _run_action(backend: Any, action: str, service: str, user: str, key: str | None) -> None:
    if action == "put":
        backend.set_password(service, user, key)
    elif backend.get_password(service, user) is not None:
        backend.delete_password(service, user)


def _read_line(descriptor: int) -> bytearray:
    line = bytearray()
    while not line.endswith(b"\n"):
        chunk = os.read(descriptor, 4096)
        if not chunk:
            os._exit(1)
        line += chunk
    return line


def _end_with(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    serve(0, 1)
