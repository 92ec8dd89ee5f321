"""What IPython keeps of cells and results: its history, its log, and in a terminal what it shows."""

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

from mistral_nb.kernel.frames import UNSEEN
from mistral_nb.kernel.needles import Needles
from mistral_nb.kernel.patches import MagicPatches, Patch

Looking = Callable[[], Needles]


def patches(shell: Any, needles: Looking) -> Iterator[Patch]:
    """Patches that put the marker into ``In``, ``_i…``, the history database, ``%logstart``'s file."""
    if getattr(shell, "history_manager", None) is not None:
        yield Patch(shell.history_manager, "store_inputs", lambda original: _storing(original, needles))
    if getattr(shell, "logger", None) is not None:
        yield Patch(shell.logger, "log_write", lambda original: _logging(original, needles))
    yield Patch(shell.displayhook, "log_output", lambda original: _mapped(original, needles))


def terminal_patches(shell: Any, needles: Looking) -> Iterator[Patch]:
    """What terminal IPython prints itself: results, tracebacks, usage errors."""
    yield Patch(shell.displayhook, "write_format_data", lambda original: _mapped(original, needles))
    yield Patch(shell, "_showtraceback", lambda original: _tracing(original, needles))
    yield Patch(shell, "show_usage_error", lambda original: lambda error: original(_redacted(str(error), needles)))


def echo_patches(shell: Any, needles: Looking) -> MagicPatches:
    """``%env NAME=value`` prints the value; in a kernel the Session's guard sees that."""
    return MagicPatches(shell, ("env", "set_env"), lambda _, original: _echoing(original, needles))


def _echoing(original: Callable[..., Any], needles: Looking) -> Callable[..., Any]:
    def magic(line: str = "") -> Any:
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                return original(line)
        finally:
            sys.stdout.write(_redacted(said.getvalue(), needles))

    return magic


def _storing(original: Callable[..., Any], needles: Looking) -> Callable[..., Any]:
    def store_inputs(line_num: int, source: str, source_raw: str | None = None) -> Any:
        raw = source if source_raw is None else source_raw
        return original(line_num, *_redacted([source, raw], needles))

    return store_inputs


def _logging(original: Callable[..., Any], needles: Looking) -> Callable[..., Any]:
    def log_write(data: Any, kind: str = "input") -> Any:
        return original(_redacted(data, needles), kind)

    return log_write


def _mapped(original: Callable[..., Any], needles: Looking) -> Callable[..., Any]:
    """For functions whose first argument is a result's texts by MIME type."""

    def with_texts(texts: dict[str, Any], *args: Any) -> Any:
        return original(_redacted(texts, needles), *args)

    return with_texts


def _tracing(original: Callable[..., Any], needles: Looking) -> Callable[..., Any]:
    def show_traceback(kind: Any, value: Any, lines: Any) -> Any:
        return original(kind, value, _redacted(lines, needles))

    return show_traceback


def _redacted(value: Any, needles: Looking) -> Any:
    try:
        return _walked(value, needles())
    except Exception:  # noqa: BLE001, whatever it is, the cell must run
        return _walked(value, None)


def _walked(value: Any, needles: Needles | None) -> Any:
    if isinstance(value, str):
        return needles.redact(value) if needles is not None else UNSEEN
    if isinstance(value, list):
        return [_walked(item, needles) for item in value]
    if isinstance(value, dict):
        return {name: _walked(item, needles) for name, item in value.items()}
    return value
