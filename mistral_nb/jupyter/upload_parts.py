"""The parts in which JupyterLab uploads a large file: a key that two of them cut is found before the second is written.

The last part may never come, so each is searched together with the end of what is on disk already.
"""

import os
from typing import Any

from mistral_nb.file_scrub import file_types
from mistral_nb.file_scrub.clean_file import CleanResult, clean_by_type
from mistral_nb.jupyter.contents_models import decode_content, encode_content
from mistral_nb.redaction.utf16 import to_utf8
from mistral_nb.watchlist import Watchlist

_FIRST_PART = 1  # it replaces what is on disk; every other part is appended
_REACH = 65536  # bytes: more than a key in any form has, with what wraps it
_BEGINNING = 8192  # bytes of a file that say of what kind it is


def clean_part(model: dict[str, Any], file: str, watchlist: Watchlist) -> CleanResult:
    """Remove the keys that this machine has seen from a part of a file, in place.

    Where the part before has the beginning of a key, its end on disk is rewritten together with this part. The end of
    a part can make anything look like a key, so shapes are judged only on the whole. Raises OSError.
    """
    data = decode_content(model)
    if watchlist.strict or data is None:
        return CleanResult(b"")
    beginning, before = _read_ends(file) if model["chunk"] != _FIRST_PART else (b"", b"")
    cleaned = clean_by_type(
        before + data,
        file,
        watchlist,
        is_explicit=False,
        tiers=file_types.CERTAIN_TIERS,
        beginning=beginning or None,
    )
    if cleaned.removed:
        if cleaned.data.startswith(before):
            encode_content(model, cleaned.data[len(before) :])
        else:
            _replace_end(file, len(before), cleaned.data)
            encode_content(model, b"")
    return cleaned._replace(left=())  # told of the whole


def _read_ends(file: str) -> tuple[bytes, bytes]:
    """The first bytes of what is on disk, and the last; none of a file that is not there, or not on this disk."""
    if not os.path.isfile(file):
        return b"", b""
    with open(file, "rb") as stream:
        beginning = stream.read(_BEGINNING)
        size = stream.seek(0, os.SEEK_END)
        start = max(0, size - _REACH) // 2 * 2  # between two characters of UTF-16
        stream.seek(start)
        end = stream.read()
    if start and to_utf8(beginning) is None:
        end = _from_line(end)
    return beginning, end


def _from_line(end: bytes) -> bytes:
    """From the first line on, so that no escape and no base64 is cut; all of it where the lines are long."""
    line = end.find(b"\n", 0, len(end) // 2)
    return end[line + 1 :]


def _replace_end(file: str, length: int, data: bytes) -> None:
    """Write ``data`` in the place of the file's last ``length`` bytes."""
    with open(file, "r+b") as stream:
        stream.seek(-length, os.SEEK_END)
        stream.write(data)
        stream.truncate()
