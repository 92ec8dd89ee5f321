"""What a kernel says once, under the first output in which it replaced a key: who did it, and that the value stays."""

from collections.abc import Mapping
from typing import Any

from mistral_nb.report import note_bundle

NOTE = "mistral_nb replaced a key in this output; the value in memory is unchanged."
_OUTPUTS = ("stream", "execute_result", "display_data", "error")

Message = Mapping[str, Any]


class FirstRedaction:
    """The note of one kernel. It goes to a person's cell alone: what programs run is read by programs."""

    def __init__(self) -> None:
        self._cells: set[str] = set()  # by their requests' ids, until the note is sent
        self.is_told = False

    def record(self, message: Message) -> None:
        """A key was replaced in this message."""
        if not self.is_told and message["header"]["msg_type"] in _OUTPUTS:
            self._cells.add((message["parent_header"] or {}).get("msg_id", ""))

    def take(self, cell: str) -> dict[str, Any] | None:
        """The content of the note if it belongs under this cell, which has ended; it is sent once."""
        if self.is_told or cell not in self._cells:
            return None
        self.is_told = True
        self._cells.clear()
        return {"data": note_bundle(NOTE), "metadata": {}, "transient": {}}


def is_from_a_person(request: Any) -> bool:
    """Whether a message asks to run a cell, for somebody who can be asked: not nbclient, papermill, nbval or an agent,
    and nothing that a page runs by itself."""
    content = request.get("content") if isinstance(request, dict) else None
    if not isinstance(content, dict):
        return False
    return bool(content.get("allow_stdin") and content.get("store_history", True) and not content.get("silent"))
