"""What people write into a commit or a tag: its message, its names, and other headers."""

from collections.abc import Iterator

from mistral_nb.key_records import AUTHOR, COMMITTER, HEADER, MESSAGE, NAME, TAGGER

_OF_GIT = frozenset({b"tree", b"parent", b"object", b"type"})  # names of objects and types
_PEOPLE = {b"author": AUTHOR, b"committer": COMMITTER, b"tagger": TAGGER}


def split_object(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The parts of a commit's or a tag's content, each with its place; a person without the time."""
    head, _, message = data.partition(b"\n\n")
    rest = []
    for line in head.split(b"\n"):
        word, _, value = line.partition(b" ")  # a line that goes on begins with a space
        if word in _PEOPLE:
            yield _PEOPLE[word], value[: value.rfind(b">") + 1] or value
        elif word == b"tag":
            yield NAME, value
        elif word not in _OF_GIT:
            rest.append(value)
    if rest:
        yield HEADER, b"\n".join(rest)
    if message:
        yield MESSAGE, message
