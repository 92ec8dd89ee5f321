"""What a kernel says once, under the first output in which it replaced a key: who did it, and that the value stays."""

from collections.abc import Mapping
from typing import Any

from mistral_nb.report import note_bundle

NOTE = "mistral_nb replaced a key in this output; the value in memory is unchanged."
_OUTPUTS = ("stream", "execute_result", "display_data", "update_display_data", "error")

Message = Mapping[str, Any]


class FirstRedaction:
    """The note of one kernel. It goes to a person's cell alone: what programs run is read by programs."""

    def __init__(self) -> None:
        # by their requests' ids, until the note is sent; streams apart, since they are sent later and in another thread
        self._streams: set[str] = set()
        self._others: set[str] = set()
        self.is_told = False

    def record(self, message: Message) -> None:
        """A key was replaced in this message."""
        if not self.is_told and message["header"]["msg_type"] in _OUTPUTS:
            cells = self._streams if message["header"]["msg_type"] == "stream" else self._others
            cells.add((message["parent_header"] or {}).get("msg_id", ""))

    def clear(self, cell: str, *, streams: bool) -> None:
        """The cell has taken back what it showed: its streams, or all else."""
        (self._streams if streams else self._others).discard(cell)

    def take(self, cell: str) -> dict[str, Any] | None:
        """The content of the note if it belongs under this cell, which has ended; it is sent once."""
        if self.is_told or cell not in self._streams | self._others:
            return None
        self.is_told = True
        return {"data": note_bundle(NOTE), "metadata": {}, "transient": {}}


def is_from_a_person(request: Any) -> bool:
    """Whether a message asks to run a cell, for somebody who can be asked: not nbclient, papermill or nbval, and
    nothing that a page runs by itself."""
    content = request.get("content") if isinstance(request, dict) else None
    if not isinstance(content, dict):
        return False
    return bool(content.get("allow_stdin") and content.get("store_history", True) and not content.get("silent"))
