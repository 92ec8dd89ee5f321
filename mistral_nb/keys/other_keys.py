"""When the API refuses a key: which other keys are at hand, and whether this one is for another host.

Keys are named by tail and place; none is tried, and no store is opened.
"""

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from mistral_nb.api.hosts import api_name, classify_host, host_name
from mistral_nb.api_key import Key, key_or_none
from mistral_nb.command_context import Context
from mistral_nb.config import API_KEY_VARIABLE
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.key_variables import is_about_mistral, names_codestral, other_host
from mistral_nb.keys import expiry, key_file
from mistral_nb.keys.activation_report import describe_key, format_key
from mistral_nb.storage.index import ADMIN, LIVE
from mistral_nb.storage.key_discovery import find_misnamed_keys, project_env_files, read_env_file

MOST_NAMED = 3
_ADDRESSES = ("https://", "http://")
_OUR_ADDRESSES = ("MISTRAL_NB_API", "MISTRAL_NB_ADMIN_API")


def refusal_sentences(context: Context, refused: Key) -> tuple[str, ...]:
    """What to add to a refusal: that the key may be for another host, and which other keys are at hand."""
    return (*filter(None, [other_host_sentence(context, refused)]), *other_key_sentences(context, refused))


class OtherKey(NamedTuple):
    """A key at hand; ``sentence`` names it, its place, and how to use it."""

    fingerprint: str
    sentence: str


def other_key_sentences(context: Context, refused: Key) -> tuple[str, ...]:
    """The keys at hand besides the refused one, at most three, and then how many more there are."""
    found: dict[str, str] = {}
    usable = (other for other in _find_other_keys(context, refused) if _is_usable(context, other.fingerprint))
    for other in usable:
        if other.fingerprint != refused.fingerprint:
            found.setdefault(other.fingerprint, other.sentence)
    sentences = tuple(found.values())
    if len(sentences) <= MOST_NAMED:
        return sentences
    return (*sentences[:MOST_NAMED], f"{len(sentences) - MOST_NAMED} more: {context.format_command('list')}")


def _find_other_keys(context: Context, refused: Key) -> Iterator[OtherKey]:
    stored = dict(_stored_keys(context))
    yield from (stored[name] for name in _former_workspaces(context, refused) if name in stored)
    yield from _from_env_files(context)
    yield from _from_key_file(context)
    for misnamed in find_misnamed_keys(context.environ, context.folder):
        is_for_another = misnamed.other_host or (misnamed.is_for_codestral and not misnamed.is_alone)
        if not is_for_another and misnamed.intended == API_KEY_VARIABLE:
            sentence = f"{misnamed.place} holds …{misnamed.key.tail}: did you mean {misnamed.intended}?"
            yield OtherKey(misnamed.key.fingerprint, sentence)
    yield from stored.values()


def _stored_keys(context: Context) -> Iterator[tuple[str, OtherKey]]:
    today = context.today()
    for name, entry in context.stored_workspaces().items():
        left = expiry.days_left(entry, today)
        if entry.kind != ADMIN and (left is None or left >= 0):
            switch = context.format_switch_command(name)
            yield name, OtherKey(entry.fingerprint, f"{format_key(name, entry.tail, entry)} is stored here: {switch}")


def _former_workspaces(context: Context, refused: Key) -> list[str]:
    """The workspaces whose key the refused one was: what they keep now is the likeliest to work."""
    active = context.active
    names = [active.workspace] if active and active.key == refused and active.workspace else []
    with contextlib.suppress(MistralNbError):
        retired = context.read_index().retired
        names += [each.former_workspace for each in retired if each.fingerprint == refused.fingerprint]
    return names


def _from_env_files(context: Context) -> Iterator[OtherKey]:
    for file in project_env_files(context.folder):
        key = read_env_file(file)
        if key:
            changed = ""
            with contextlib.suppress(OSError):
                changed = f", changed on {datetime.fromtimestamp(os.path.getmtime(file)):%Y-%m-%d %H:%M},"
            load = "load_dotenv(override=True)" if context.in_notebook else "set MISTRAL_API_KEY from it"
            yield OtherKey(key.fingerprint, f"{file}{changed} holds {describe_key(context, key)}: {load}")


def _from_key_file(context: Context) -> Iterator[OtherKey]:
    path = context.config.key_file
    if path and os.path.isfile(path):  # a pipe is read once, by who uses the key
        try:
            key = key_file.read_key_file(path)
        except MistralNbError:
            return
        whose = describe_key(context, key)
        yield OtherKey(key.fingerprint, f"MISTRAL_API_KEY_FILE holds {whose}: unset MISTRAL_API_KEY to use it")


def _is_usable(context: Context, fingerprint: str) -> bool:
    """Whether a key was not retired or revoked here."""
    try:
        noted = context.read_index().remembered.get(fingerprint)
    except MistralNbError:
        return True
    kept = any(entry.fingerprint == fingerprint for entry in context.stored_workspaces().values())
    return kept or noted is None or noted.state == LIVE


def other_host_sentence(context: Context, refused: Key) -> str:
    """A sentence if the refused key is probably one for another host than the one that was asked; else empty."""
    asked = api_name(context.config.api)
    if classify_host(context.config.api) in ("other", "insecure"):
        return f"{asked} is not Mistral's own API: a key made for api.mistral.ai does not work there."
    for name, value in context.environ.items():
        served_by = other_host(name) or ("codestral.mistral.ai" if names_codestral(name) else "")
        if served_by and key_or_none(value) == refused:
            return f"{name} holds it, too: a key for {served_by} does not work at {asked}."
    for misnamed in find_misnamed_keys(context.environ, context.folder):
        if misnamed.other_host and misnamed.key == refused:
            return f"{misnamed.place} holds it, too: a key for {misnamed.other_host} does not work at {asked}."
    for name, host in _addresses_elsewhere(context):
        return f"{name} points to {host}: a key made there does not work at {asked}."
    if not refused.is_standard:
        return (
            f"It has {refused.length} characters, Mistral's own have 32: perhaps it is one for Azure or another host."
        )
    return ""


def _addresses_elsewhere(context: Context) -> Iterator[tuple[str, str]]:
    """Variables that name an address of a Mistral model which is not Mistral's own, and its host."""
    for name, value in context.environ.items():
        if name in _OUR_ADDRESSES or not value.startswith(_ADDRESSES) or not is_about_mistral(name):
            continue
        try:
            if classify_host(value.partition("?")[0]) in ("other", "insecure"):
                yield name, host_name(value.partition("?")[0])
        except WrongUsage:
            continue
