"""The keys in a ``.env`` that a cell mentions: known before the cell reads it, whatever it reads it with."""

import itertools
import os
import re
from collections.abc import Iterator

from mistral_nb import environment

_MENTION = re.compile(r"\.env(?![a-z])|dotenv")  # not os.environ
_NAME = re.compile(r"\.env(?![a-z])")
_ENDS = (  # of a path: as a text of Python, and in a line for the shell
    re.compile(r"""["'\n\0]"""),
    re.compile(r"""[\s"'=<>|;&()\0]"""),
)
_LONGEST_PATH = 1024  # characters
_MOST_FILES = 20


def register_env_files(code: str) -> None:
    """Register the keys of the files that a cell names, and of the project's ``.env`` files if it names any."""
    if not _MENTION.search(code):
        return
    from mistral_nb.storage.key_discovery import project_env_files, read_env_keys  # which %load_ext need not import

    for file in dict.fromkeys((*_named_files(code), *project_env_files(None))):
        for key in read_env_keys(file).values():
            environment.register_key_in_background(key)


def _named_files(code: str) -> Iterator[str]:
    for name in itertools.islice(_NAME.finditer(code), _MOST_FILES):
        before = code[max(0, name.start() - _LONGEST_PATH) : name.start()]
        after = code[name.end() : name.end() + _LONGEST_PATH]
        for ends in _ENDS:
            yield os.path.expanduser(ends.split(before)[-1] + name[0] + ends.split(after)[0])
