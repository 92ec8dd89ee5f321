"""The file for ``git filter-repo --replace-text``. It contains the keys: created on request, mode 0600."""

import os
from collections.abc import Iterable

from mistral_nb.api_key import MARKER, MAX_KEY_LENGTH, MIN_KEY_LENGTH, Secret, fingerprint
from mistral_nb.errors import MistralNbError, reason
from mistral_nb.file_io import PRIVATE_FILE
from mistral_nb.git.run_git import BlobReader, Git
from mistral_nb.key_records import KeyRecord
from mistral_nb.redaction.key_characters import find_runs


class ReplacementsNotWritten(MistralNbError):
    """The file could not be created, or already exists."""


def write_replacements(git: Git, path: str, found: Iterable[tuple[str, KeyRecord]]) -> tuple[int, int]:
    """Write the file: how many keys are in it, and how many are not, because they stand in no blob plainly.

    ``found``: blobs with what was found in them. Raises `ReplacementsNotWritten`; an existing file is left alone.
    """
    blobs_by_key: dict[str, tuple[str, list[str]]] = {}
    for blob, record in found:
        if record.fingerprint:
            blobs_by_key.setdefault(record.fingerprint, (record.tail, []))[1].append(blob)
    keys = []
    with BlobReader(git) as blobs:
        for name, (tail, names) in blobs_by_key.items():
            each = (_find_key(blobs.read(blob) or b"", name, tail) for blob in dict.fromkeys(names))
            keys += [key for key in [next((key for key in each if key), None)] if key]
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    except OSError as error:
        raise ReplacementsNotWritten(
            f"The replacement file {path} could not be written: {reason(error)}.", "Choose another file."
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        for key in keys:
            file.write(f"literal:{key.reveal()}==>{MARKER}\n".encode())
    return len(keys), len(blobs_by_key) - len(keys)


def _find_key(data: bytes, name: str, tail: str) -> Secret | None:
    """The characters of a key of which a fingerprint and the tail are known."""
    for run in find_runs(data, MIN_KEY_LENGTH):
        position = run.text.find(tail.encode())
        while position >= 0:
            end = position + len(tail)
            for start in range(max(0, end - MAX_KEY_LENGTH), end - MIN_KEY_LENGTH + 1):
                if fingerprint(run.text[start:end].decode()) == name:
                    return Secret(run.text[start:end].decode())
            position = run.text.find(tail.encode(), position + 1)
    return None
