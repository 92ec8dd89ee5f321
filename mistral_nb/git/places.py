"""Where protection was set up, in ``protected.json`` beside the index: so that all of it can be undone."""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from mistral_nb.errors import MistralNbError
from mistral_nb.files import locked, make_private_folder, write_atomically
from mistral_nb.git.attributes import Added

FILE_NAME = "protected.json"
_LOCK_SECONDS = 5.0


class PlacesUnreadable(MistralNbError):
    """``protected.json`` is damaged, or can't be written."""


class Place(NamedTuple):
    """One repository, or with an empty ``git_dir`` all of them (``--global``)."""

    git_dir: str  # the folder that holds its configuration
    folder: str  # its working tree, or that folder again
    attributes: str = ""  # the file our line was put into; "" when it was there before
    created: bool = False
    newline: bool = False
    wraps: str = ""
    hook: str = ""  # the pre-push hook that is ours

    @property
    def added(self) -> Added:
        return Added(bool(self.attributes), self.created, self.newline)


class Places:
    """``protected.json`` in the folder ``home``. Raises `PlacesUnreadable`."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.path = os.path.join(home, FILE_NAME)

    def all(self) -> list[Place]:
        return [_place(entry) for entry in self._read()]

    def of(self, git_dir: str) -> list[Place]:
        return [place for place in self.all() if place.git_dir == git_dir]

    def note(self, place: Place) -> None:
        """Remember a place, before it is changed; what an earlier call noted of it stays."""
        with self._editing() as entries:
            for number, entry in enumerate(entries):
                before = _place(entry)
                if (before.git_dir, before.folder) == (place.git_dir, place.folder):
                    place = place if place.attributes else place._replace(**_attributes_of(before))
                    entries[number] = entry | place._replace(hook=place.hook or before.hook)._asdict()
                    return
            entries.append(place._asdict())

    def forget(self, git_dir: str) -> None:
        with self._editing() as entries:
            entries[:] = [entry for entry in entries if entry.get("git_dir") != git_dir]

    @contextlib.contextmanager
    def _editing(self) -> Iterator[list[dict[str, Any]]]:
        try:
            make_private_folder(self.home)
            with locked(f"{self.path}.lock", _LOCK_SECONDS):
                entries = self._read()
                yield entries
                write_atomically(self.path, json.dumps({"version": 1, "places": entries}, indent=1).encode())
        except (OSError, TimeoutError) as error:
            why = getattr(error, "strerror", None) or "another process holds its lock"
            raise PlacesUnreadable(
                f"The list of protected repositories, {self.path}, could not be written: {why}.",
                "Make room or set MISTRAL_NB_HOME to a folder that can be written, and try again.",
            ) from None

    def _read(self) -> list[dict[str, Any]]:
        try:
            with open(self.path, "rb") as file:
                entries = json.loads(file.read())["places"]
            for entry in entries:
                _place(entry)
            return list(entries)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise PlacesUnreadable(
                f"The list of protected repositories, {self.path}, can't be read: "
                f"{error.strerror or type(error).__name__}.",
                "Make it readable for you, or set MISTRAL_NB_HOME to a folder of your own.",
            ) from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise PlacesUnreadable(
                f"The list of protected repositories, {self.path}, is damaged.",
                "Move that file aside; unprotect works in each repository without it.",
            ) from None


def _place(entry: dict[str, Any]) -> Place:
    return Place(**{name: entry[name] for name in Place._fields if name in entry})


def _attributes_of(place: Place) -> dict[str, Any]:
    return {"attributes": place.attributes, "created": place.created, "newline": place.newline}
