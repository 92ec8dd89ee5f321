"""The files for ``git filter-repo``. One holds the keys: made on request, mode 0600, outside of every work tree."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from mistral_nb.errors import MistralNbError, reason
from mistral_nb.file_io import PRIVATE_FILE
from mistral_nb.git.history_findings import HistoryFinding
from mistral_nb.git.object_text import split_object
from mistral_nb.git.run_git import BlobReader, Git, GitFailed
from mistral_nb.key_records import MESSAGE
from mistral_nb.paths import is_inside
from mistral_nb.redaction.findings import WatchlistLike, select_counted
from mistral_nb.redaction.redact import redact
from mistral_nb.redaction.rewrite_rules import ReplaceRule, apply_rules, find_rules, in_order

BLOBS_SUFFIX = ".blobs"
_BINARY_BYTES = 8192  # in which filter-repo looks for a NUL; it leaves such blobs as they are
_UNESCAPED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


class ReplacementsNotWritten(MistralNbError):
    """The file could not be created, already exists, or would be in a work tree."""


class Replacements(NamedTuple):
    """What the files hold, and what they can't remove.

    ``rules``: texts that are replaced. ``in_messages``: whether some are in messages. ``blobs``: binary ones and
    archives, which are removed whole. ``names``: places in names, people and headers. ``left``: blobs and messages
    in which a key would stay.
    """

    rules: tuple[ReplaceRule, ...]
    in_messages: bool
    blobs: tuple[str, ...]
    names: int
    left: int


def write_replacements(git: Git, path: str, found: Sequence[HistoryFinding], watchlist: WatchlistLike) -> Replacements:
    """Write the file, and beside it, if needed, one with the names of blobs (`BLOBS_SUFFIX`).

    Raises `ReplacementsNotWritten`; then neither is there, but for an existing file, which is left alone.
    """
    _refuse_work_trees(git, path)
    result = find_replacements(git, found, watchlist)
    _create(path, b"".join(map(_format_rule, result.rules)))
    if result.blobs:
        try:
            _create(path + BLOBS_SUFFIX, b"".join(f"{blob}\n".encode() for blob in result.blobs))
        except ReplacementsNotWritten:
            os.unlink(path)
            raise
    return result


def find_replacements(git: Git, found: Sequence[HistoryFinding], watchlist: WatchlistLike) -> Replacements:
    """The rules, each tried on what it is for."""
    blobs = dict.fromkeys(one.name for one in found if one.is_in_blob)
    messages = dict.fromkeys(one.name for one in found if one.record.place == MESSAGE)
    with BlobReader(git) as reader:
        contents = {name: reader.read(name) or b"" for name in blobs}
        texts = [dict(split_object(reader.read(name) or b"")).get(MESSAGE, b"") for name in messages]
    texts += [data for data in contents.values() if not _is_skipped(data)]
    rules = in_order({rule for text in texts for rule in find_rules(text, watchlist)})
    left = sum(_has_key(apply_rules(text, rules), watchlist) for text in texts)
    skipped = tuple(name for name, data in contents.items() if _is_skipped(data))
    names = sum(not one.is_in_blob and one.record.place != MESSAGE for one in found)
    return Replacements(tuple(rules), bool(messages), skipped, names, left)


def _is_skipped(data: bytes) -> bool:
    return b"\0" in data[:_BINARY_BYTES]


def _has_key(data: bytes, watchlist: WatchlistLike) -> bool:
    return bool(select_counted(redact(data, watchlist).findings))


def _format_rule(rule: ReplaceRule) -> bytes:
    """A line of the file. Literals, which filter-repo applies first, are for whole plain keys alone."""
    if rule.is_plain:
        return b"literal:%b==>%b\n" % (rule.old, rule.new)
    return b"regex:%b==>%b\n" % (_escape(rule.old, b"\\x%02x"), _escape(rule.new, b"\\%03o"))


def _escape(text: bytes, form: bytes) -> bytes:
    """With other characters than letters and digits as a regular expression of Python, or its replacement, has them."""
    return b"".join(b"%c" % byte if byte in _UNESCAPED else form % byte for byte in text)


def _refuse_work_trees(git: Git, path: str) -> None:
    """Raises `ReplacementsNotWritten` where `git add` could take the file into a commit, of whatever repository."""
    folder = os.path.dirname(os.path.abspath(path))
    for each in (git, Git.at_path(folder, git.given)):
        _refuse_work_tree(each, path)


def _refuse_work_tree(git: Git, path: str) -> None:
    try:
        top = git.top()
    except GitFailed:
        return
    place = os.path.realpath(os.path.dirname(os.path.abspath(path)))
    metadata = git.common_dir()
    if top and is_inside(place, os.path.realpath(top)) and not is_inside(place, metadata):
        raise ReplacementsNotWritten(
            f"The replacement file {path} would be in the work tree, where a commit could take it in.",
            f"Name a file outside of it, such as {os.path.join('..', os.path.basename(path))}.",
        )


def _create(path: str, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    except OSError as error:
        raise ReplacementsNotWritten(
            f"The replacement file {path} could not be written: {reason(error)}.", "Choose another file."
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
