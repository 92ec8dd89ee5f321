"""`scrub` and `scan` of one notebook that the quick test clears: done before anything else is imported.

Editors and hooks call these once a file. Where the quick test finds nothing, a call costs little more than
starting Python: 2.4 times `python -I -S -c pass` in CPU time; the usual way costs 7.4 times that, or more with a key.
"""

import io
import os
import sys

from mistral_nb import exit_codes
from mistral_nb.bounded_read import MAX_SETTINGS, read_file, read_with_status
from mistral_nb.key_variables import names_a_key
from mistral_nb.paths import NO_FOLDER, data_folder, parents
from mistral_nb.prompts.terminal import write_line
from mistral_nb.redaction.prefilter import Prefilter

STDIN = "-"
NOTHING = "1 file: no key found."
# Variables that hold secrets or name their files; the prefilter does not search for these. A test compares them.
SECRETS = (
    *("MISTRAL_API_KEY", "MISTRAL_ADMIN_API_KEY", "CODESTRAL_API_KEY", "LLM_MISTRAL_KEY"),
    *("MISTRAL_NB_PASSPHRASE", "MISTRAL_NB_PASSPHRASE_FILE", "MISTRAL_API_KEY_FILE"),
)


def run(words: list[str]) -> int | None:
    """OK once ``scrub FILE``, ``scan FILE``, ``scrub -`` or ``scan -`` is done; None if the usual way must do it."""
    words = [word for number, word in enumerate(words) if (number, word) != (1, "--")]  # from pre-commit
    if len(words) != 2 or words[0] not in ("scrub", "scan"):
        return None
    command, path = words
    if path == STDIN:
        data = sys.stdin.buffer.read()
        if not (data[:1] == b"{" and _is_clean(data, "")):
            sys.stdin = io.TextIOWrapper(io.BytesIO(data))  # for the usual way to read again
            return None
        if command == "scrub":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return exit_codes.OK
    elif not (path.endswith(".ipynb") and _is_plain_file(path) and _is_clean_file(path)):
        return None
    write_line(sys.stdout, NOTHING)
    return exit_codes.OK


def _is_plain_file(path: str) -> bool:
    return os.path.isfile(path) and not os.path.islink(path)


def _is_clean_file(path: str) -> bool:
    try:
        return _is_clean(read_with_status(path)[0], os.path.dirname(path))
    except OSError:  # the usual way reports it
        return False


def _is_clean(data: bytes, folder: str) -> bool:
    try:
        return _has_default_settings(folder) and Prefilter(data_folder(os.environ)).is_clean(data)
    except OSError:
        return False


def _has_default_settings(folder: str) -> bool:
    """Whether neither the environment nor the project affects what is searched for."""
    if any(name in SECRETS or names_a_key(name) for name in os.environ) or data_folder(os.environ) == NO_FOLDER:
        return False
    project = False
    for place in parents(folder):
        if os.path.exists(os.path.join(place, ".mistral-nb-revoked")):
            return False
        settings = os.path.join(place, "pyproject.toml")
        if not project and os.path.isfile(settings):  # the nearest counts
            project = True
            if b"mistral-nb" in read_file(settings, MAX_SETTINGS):
                return False
    return True
