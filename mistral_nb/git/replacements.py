"""The file that ``git filter-repo --replace-text`` reads. It holds the keys: made on request, mode 0600."""

import os
from collections.abc import Iterable

from mistral_nb.errors import MistralNbError
from mistral_nb.files import PRIVATE_FILE
from mistral_nb.git.plumbing import Blobs, Git
from mistral_nb.key import LONGEST, MARKER, SHORTEST, Secret, fingerprint
from mistral_nb.scrub.findings import Finding
from mistral_nb.scrub.shapes import runs


class NotWritten(MistralNbError):
    """The file could not be made, or is there already."""


def write(git: Git, path: str, held: Iterable[tuple[str, Finding]]) -> tuple[int, int]:
    """Write the file: how many keys are in it, and how many are not, because they stand in no blob plainly.

    ``held``: blobs with what was found in them. Raises `NotWritten`; an existing file is left alone.
    """
    wanted: dict[str, tuple[str, list[str]]] = {}
    for blob, finding in held:
        if finding.fingerprint:
            wanted.setdefault(finding.fingerprint, (finding.tail, []))[1].append(blob)
    keys = []
    with Blobs(git) as blobs:
        for name, (tail, names) in wanted.items():
            each = (_key_in(blobs.read(blob) or b"", name, tail) for blob in dict.fromkeys(names))
            keys += [key for key in [next((key for key in each if key), None)] if key]
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise NotWritten(f"The replacement file {path} could not be written: {why}.", "Name another file.") from None
    with os.fdopen(descriptor, "wb") as file:
        for key in keys:
            file.write(f"literal:{key.reveal()}==>{MARKER}\n".encode())
    return len(keys), len(wanted) - len(keys)


def _key_in(data: bytes, name: str, tail: str) -> Secret | None:
    """The characters of a key of which a fingerprint and the tail are known."""
    for run in runs(data, SHORTEST):
        position = run.text.find(tail.encode())
        while position >= 0:
            end = position + len(tail)
            for start in range(max(0, end - LONGEST), end - SHORTEST + 1):
                if fingerprint(run.text[start:end].decode()) == name:
                    return Secret(run.text[start:end].decode())
            position = run.text.find(tail.encode(), position + 1)
    return None
