"""What IPython records of cells and results: its history, its log, and its output in a terminal."""

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

from mistral_nb.guard.ipython_patches import MagicPatches, Patch
from mistral_nb.guard.text_matcher import MatcherSource
from mistral_nb.guard.value_redaction import redact_values


def history_patches(shell: Any, get_matcher: MatcherSource) -> Iterator[Patch]:
    """Patches that put the marker into ``In``, ``_i…``, the history database, ``%logstart``'s file."""
    if getattr(shell, "history_manager", None) is not None:
        yield Patch(shell.history_manager, "store_inputs", lambda original: _wrap_store_inputs(original, get_matcher))
    if getattr(shell, "logger", None) is not None:
        yield Patch(shell.logger, "log_write", lambda original: _wrap_log_write(original, get_matcher))
    yield Patch(shell.displayhook, "log_output", lambda original: _wrap_with_texts(original, get_matcher))


def terminal_patches(shell: Any, get_matcher: MatcherSource) -> Iterator[Patch]:
    """What terminal IPython prints itself: results, tracebacks, usage errors."""
    yield Patch(shell.displayhook, "write_format_data", lambda original: _wrap_with_texts(original, get_matcher))
    yield Patch(shell, "_showtraceback", lambda original: _wrap_show_traceback(original, get_matcher))
    yield Patch(shell, "show_usage_error", lambda original: _wrap_usage_error(original, get_matcher))


def traceback_patches(shell: Any, get_matcher: MatcherSource) -> Iterator[Patch]:
    """What IPython makes of an error: extensions ask for it too, and send it to a model, such as ``%ai fix``."""
    for name in ("InteractiveTB", "SyntaxTB"):
        formatter = getattr(shell, name, None)
        if formatter is not None:
            yield Patch(formatter, "structured_traceback", lambda original: _wrap_result(original, get_matcher))


def echo_patches(shell: Any, get_matcher: MatcherSource) -> MagicPatches:
    """``%env NAME=value`` prints the value; in a kernel the Session's guard sees that."""
    return MagicPatches(shell, ("env", "set_env"), lambda _, original: _wrap_echo(original, get_matcher))


def _wrap_echo(original: Callable[..., Any], get_matcher: MatcherSource) -> Callable[..., Any]:
    def magic(line: str = "") -> Any:
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                return original(line)
        finally:
            sys.stdout.write(redact_values(said.getvalue(), get_matcher))

    return magic


def _wrap_store_inputs(original: Callable[..., Any], get_matcher: MatcherSource) -> Callable[..., Any]:
    def store_inputs(line_num: int, source: str, source_raw: str | None = None) -> Any:
        raw = source if source_raw is None else source_raw
        return original(line_num, *redact_values([source, raw], get_matcher))

    return store_inputs


def _wrap_log_write(original: Callable[..., Any], get_matcher: MatcherSource) -> Callable[..., Any]:
    def log_write(data: Any, kind: str = "input") -> Any:
        return original(redact_values(data, get_matcher), kind)

    return log_write


def _wrap_with_texts(original: Callable[..., Any], get_matcher: MatcherSource) -> Callable[..., Any]:
    """For functions whose first argument is a result's texts by MIME type."""

    def call_redacted(texts: dict[str, Any], *args: Any) -> Any:
        return original(redact_values(texts, get_matcher), *args)

    return call_redacted


def _wrap_result(original: Callable[..., Any], get_matcher: MatcherSource) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return redact_values(original(*args, **kwargs), get_matcher)

    return call


def _wrap_usage_error(original: Callable[..., Any], get_matcher: MatcherSource) -> Callable[..., Any]:
    return lambda error: original(redact_values(str(error), get_matcher))


def _wrap_show_traceback(original: Callable[..., Any], get_matcher: MatcherSource) -> Callable[..., Any]:
    def show_traceback(kind: Any, value: Any, lines: Any) -> Any:
        return original(kind, value, redact_values(lines, get_matcher))

    return show_traceback
