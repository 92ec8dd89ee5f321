"""What Tab offers after ``%mistral_key``."""

import os
from typing import Any

from mistral_nb import config
from mistral_nb.command_table import MAGIC, commands_for
from mistral_nb.errors import MistralNbError
from mistral_nb.storage.index import Index


def complete(event: Any) -> list[str]:
    """Completions for the text so far: sub-commands, workspaces and flags."""
    words = event.line.split()[1:]
    table = commands_for(MAGIC)
    if words and words[0] in table and event.symbol.startswith("-"):
        return [name for flag in table[words[0]].flags for name in flag.names if name.startswith("-")]
    try:
        kept = list(Index(config.data_folder(os.environ)).read().workspaces)
    except MistralNbError:
        kept = []
    first = not words or (len(words) == 1 and not event.line.endswith(" "))
    return [*table, *kept] if first else kept
