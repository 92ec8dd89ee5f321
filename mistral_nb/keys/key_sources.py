"""What `status`, `doctor` and `verify` say of the places that keys come from, beside the variable itself."""

import os
from collections.abc import Iterator

from mistral_nb import environment
from mistral_nb.api.hosts import api_name
from mistral_nb.command_context import Context
from mistral_nb.config import API_KEY_VARIABLE, KEY_FILE_VARIABLE
from mistral_nb.environment import ActiveKey
from mistral_nb.errors import MistralNbError
from mistral_nb.keys.activation_report import describe_key
from mistral_nb.keys.key_file import read_key_file
from mistral_nb.report import Row, RowState
from mistral_nb.storage.key_discovery import MisnamedKey, find_misnamed_keys


def source_rows(context: Context, active: ActiveKey | None) -> list[Row]:
    """Rows on a value that is not a key, the key file, misnamed variables, and cells in which the marker stands."""
    return [
        *_unusable_rows(context),
        *_key_file_rows(context, active),
        *_misnamed_rows(context, active),
        *marker_cell_rows(context),
    ]


def _unusable_rows(context: Context) -> Iterator[Row]:
    sentence = environment.no_key_sentence(context.environ)
    if sentence:
        words = sentence.removeprefix(f"{API_KEY_VARIABLE} ").removesuffix(".")
        yield Row(API_KEY_VARIABLE, words, "warn", how_to_set(context))


def how_to_set(context: Context) -> str:
    if not context.in_notebook:
        return f"Unset {API_KEY_VARIABLE}, or set it to a key."
    return f"{context.format_command('')} sets {API_KEY_VARIABLE}, which Mistral() reads."


def _key_file_rows(context: Context, active: ActiveKey | None) -> Iterator[Row]:
    """What MISTRAL_API_KEY_FILE means here. A pipe is left to who uses the key: it can be read once."""
    path = context.config.key_file
    if not path:
        return
    if active and not active.is_ours:
        yield Row(KEY_FILE_VARIABLE, f"is set, but {API_KEY_VARIABLE} is used first")
        return
    if os.path.exists(path) and not os.path.isfile(path):
        yield Row(KEY_FILE_VARIABLE, f"names {path}, which is read when a key is needed")
        return
    try:
        key = read_key_file(path)
    except MistralNbError as error:
        yield Row(KEY_FILE_VARIABLE, error.failed, "bad", error.todo)
        return
    whose = describe_key(context, key)
    if active and active.key == key:
        yield Row(KEY_FILE_VARIABLE, f"names {path}, which holds this key")
    elif active and environment.marked_workspace(context.environ):
        yield Row(KEY_FILE_VARIABLE, f"names {path}, which holds {whose}; this process was switched to another key")
    else:
        how = context.format_command("" if context.in_notebook else "run -- CMD…")
        yield Row(KEY_FILE_VARIABLE, f"names {path}, which holds {whose}; it is used before a stored key: {how}")


def _misnamed_rows(context: Context, active: ActiveKey | None) -> Iterator[Row]:
    for misnamed in find_misnamed_keys(context.environ, context.folder):
        if misnamed.is_alone and not (active and active.key == misnamed.key):
            state: RowState = "" if active or misnamed.other_host else "warn"
            yield Row("misnamed", describe_misnamed_key(context, misnamed), state)


def misnamed_hint(context: Context) -> str:
    """A sentence on a key under a wrong name, for an error that says that there is none; empty without one."""
    found = find_misnamed_keys(context.environ, context.folder)
    usable = (each for each in found if each.is_alone and not each.other_host and each.intended == API_KEY_VARIABLE)
    return next((describe_misnamed_key(context, each) for each in usable), "")


def describe_misnamed_key(context: Context, misnamed: MisnamedKey) -> str:
    """``MISTRAL_KEY holds the key …Ug6Y: did you mean MISTRAL_API_KEY?``, and which host it may be for."""
    whose = describe_key(context, misnamed.key)
    meant, asked = f"did you mean {misnamed.intended}?", api_name(context.config.api)
    if misnamed.other_host:
        return (
            f"{misnamed.place} holds the key {whose}, for {misnamed.other_host}: it does not work at {asked}. "
            f"If it is Mistral's own, {meant}"
        )
    for_codestral = f" A key for codestral.mistral.ai does not work at {asked}." if misnamed.is_for_codestral else ""
    return f"{misnamed.place} holds the key {whose}: {meant}{for_codestral}"


def marker_cell_rows(context: Context) -> list[Row]:
    """A row if a cell of this kernel ran with the marker where a key had been."""
    if not context.in_notebook:
        return []
    from mistral_nb.guard import cell_keys

    if not cell_keys.has_run_marker():
        return []
    return [Row("cells", cell_keys.MARKER_IN_A_CELL, "warn", cell_keys.INSTEAD_OF_THE_MARKER)]
