"""Where protection was set up, in ``protected.json`` beside the index, so that it can all be undone."""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from mistral_nb.bounded_read import MAX_OWN_FILE, read_file
from mistral_nb.errors import MistralNbError, reason
from mistral_nb.file_io import hold_private_file, write_atomically
from mistral_nb.git.attributes import AttributesChange
from mistral_nb.paths import NO_FOLDER

FILE_NAME = "protected.json"


class ProtectedReposUnreadable(MistralNbError):
    """``protected.json`` is damaged, or can't be written."""


class ProtectedRepo(NamedTuple):
    """One repository, or with an empty ``git_dir`` all of them (``--global``)."""

    git_dir: str  # the folder that holds its configuration
    folder: str  # its working tree, or that folder again
    attributes: str = ""  # the file our line was put into; "" when it was there before
    created: bool = False
    newline: bool = False
    wraps: str = ""
    hook: str = ""  # the pre-push hook that is ours

    @property
    def attributes_change(self) -> AttributesChange:
        return AttributesChange(bool(self.attributes), self.created, self.newline)


class ProtectedRepos:
    """``protected.json`` in the folder ``home``. Raises `ProtectedReposUnreadable`."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.path = os.path.join(home, FILE_NAME)

    def read_all(self) -> list[ProtectedRepo]:
        return [_parse_entry(entry) for entry in self._read()]

    def find(self, git_dir: str) -> list[ProtectedRepo]:
        return [repo for repo in self.read_all() if repo.git_dir == git_dir]

    def record(self, repo: ProtectedRepo) -> None:
        """Record a place before it is changed; what an earlier call recorded stays, with its attributes file."""
        with self._edit() as entries:
            for number, entry in enumerate(entries):
                before = _parse_entry(entry)
                same_file = not (repo.attributes and before.attributes) or repo.attributes == before.attributes
                if (before.git_dir, before.folder) == (repo.git_dir, repo.folder) and same_file:
                    repo = repo._replace(**_attributes_fields(before)) if before.attributes else repo
                    entries[number] = entry | repo._replace(hook=repo.hook or before.hook)._asdict()
                    return
            entries.append(repo._asdict())

    def remove(self, git_dir: str) -> None:
        with self._edit() as entries:
            entries[:] = [entry for entry in entries if entry.get("git_dir") != git_dir]

    @contextlib.contextmanager
    def _edit(self) -> Iterator[list[dict[str, Any]]]:
        with hold_private_file(self.path, self._not_written_error):
            entries = self._read()
            yield entries
            write_atomically(self.path, json.dumps({"version": 1, "places": entries}, indent=1).encode())

    def _not_written_error(self, why: str, todo: str) -> ProtectedReposUnreadable:
        return ProtectedReposUnreadable(
            f"The list of protected repositories, {self.path}, could not be written: {why}.", todo
        )

    def _read(self) -> list[dict[str, Any]]:
        if self.home == NO_FOLDER:
            return []
        try:
            entries = json.loads(read_file(self.path, MAX_OWN_FILE))["places"]
            for entry in entries:
                _parse_entry(entry)
            return list(entries)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ProtectedReposUnreadable(
                f"The list of protected repositories, {self.path}, can't be read: {reason(error)}.",
                "Make it readable, or set MISTRAL_NB_HOME to another folder.",
            ) from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ProtectedReposUnreadable(
                f"The list of protected repositories, {self.path}, is damaged.",
                "Rename that file; unprotect works in each repository without it.",
            ) from None


def _parse_entry(entry: dict[str, Any]) -> ProtectedRepo:
    return ProtectedRepo(**{name: entry[name] for name in ProtectedRepo._fields if name in entry})


def _attributes_fields(repo: ProtectedRepo) -> dict[str, Any]:
    return {"attributes": repo.attributes, "created": repo.created, "newline": repo.newline}
