"""The command line: parses arguments, runs an action, prints its report, returns an exit code."""

from __future__ import annotations

import os
import sys

from mistral_nb import exit_codes
from mistral_nb.errors import Cancelled, CannotAsk, MistralNbError, WrongUsage, reason
from mistral_nb.prompts.terminal import write_line

_HELP = ("-h", "--help")
_MAX_PIPED_BYTES = 1 << 16  # bytes: a key comes alone, or in a .env
TYPE_CHECKING = False  # importing typing costs 10 ms, and hooks call us once a file
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mistral_nb.report import Answer, Ask, Report


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command; returns its exit code. The only place of the command line that prints."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except MistralNbError as error:
        if isinstance(error, Cancelled) and sys.stderr.isatty():
            _show("")  # the prompt's own line
        _show(f"mistral-nb: {error}")
        return (
            exit_codes.NEVER_STARTED if words[:1] == ["run"] and not isinstance(error, Cancelled) else error.exit_code
        )
    except KeyboardInterrupt:
        _show("\nmistral-nb: Interrupted. To see where things stand: mistral-nb status")
        return exit_codes.INTERRUPTED
    except BrokenPipeError:  # the reader of our output is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.OK
    except OSError as error:
        _show(f"mistral-nb: Input or output failed: {reason(error)}.")
        return exit_codes.INCOMPLETE
    except Exception as error:  # noqa: BLE001, exit 1 would mean a finding, and a traceback could hold a key
        _show(f"mistral-nb: Unexpected error: {_error_location(error)}. Please report it.")
        return exit_codes.INCOMPLETE


def _error_location(error: BaseException) -> str:
    """The kind of an error and the line it came from; its text may hold anything."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f" at {os.path.basename(last.tb_frame.f_code.co_filename)}:{last.tb_lineno}" if last else ""
    return f"{type(error).__name__}{place}"


def _run(words: list[str]) -> int:
    if words[:1] in (["scrub"], ["scan"]):
        from mistral_nb.file_scrub import fast_path

        words = _name_dash_as_file(words)
        code = fast_path.run(words)
        if code is not None:
            return code
    _refuse_key_argument(words)
    return _run_action(words)


def _run_action(words: list[str]) -> int:
    from mistral_nb.argument_parser import parse_words, unknown_command_error
    from mistral_nb.command_context import Context
    from mistral_nb.command_runner import drive, load_action
    from mistral_nb.command_table import CLI, commands_for

    words = _help_words(words)
    if words[0] == "--version":
        from mistral_nb import __version__

        print(f"mistral_nb {__version__}")  # noqa: T201, a host prints
        return exit_codes.OK
    if words[0] not in commands_for(CLI):
        raise unknown_command_error(CLI, words[0])
    if words[0] == "curl":
        from mistral_nb.commands.curl import move_own_options_first

        words = move_own_options_first(words)
    if words[0] == "run":
        from mistral_nb.commands.run import name_workspace_by_option

        words = name_workspace_by_option(words)
    flags = parse_words(CLI, words)
    command = commands_for(CLI)[flags.pop("sub_command")]
    context = Context(host=CLI, interactive=_is_interactive(), say=_show, columns=_columns())
    as_json = flags.pop("json", False)
    answer = _TerminalAnswerer(piped="key" if command.name in ("login", "rotate") else "")
    report = drive(load_action(command)(context, **flags), answer, _show)
    _print_report(report, as_json=as_json)
    return report.exit_code


def _name_dash_as_file(words: list[str]) -> list[str]:
    """After ``--``, where pre-commit puts the names of files, ``-`` is a file, not standard input."""
    if "--" not in words:
        return words
    at = words.index("--") + 1
    return [*words[:at], *(os.path.join(os.curdir, word) if word == "-" else word for word in words[at:])]


def _help_words(words: list[str]) -> list[str]:
    """``--help`` in any place is `help`; what follows ``run`` and ``curl`` may be another program's."""
    if not words or words[0] in _HELP:
        return ["help"]
    ours = words[1:2] if words[0] in ("run", "curl") else words[1 : words.index("--") if "--" in words else None]
    return ["help", words[0]] if any(word in _HELP for word in ours) else words


def _refuse_key_argument(words: list[str]) -> None:
    """A key is never an argument: process lists show it, and the shell's history holds it."""
    from mistral_nb.sensitive_text import key_shaped_words

    ours = words[: words.index("--")] if "--" in words else words
    if any(key_shaped_words(word) and not os.path.exists(word) for word in ours):
        raise WrongUsage(
            "An argument looks like a key; it is now in your shell history.",
            "Delete that line from the history, and type mistral-nb login: it asks for the key.",
        )


def _columns() -> int:
    """The width of the terminal; 80 where there is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):
        return 80


def _is_interactive() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


class _TerminalAnswerer:
    """Answers from the terminal; without one, standard input answers the question ``piped``, once."""

    def __init__(self, piped: str) -> None:
        self._piped = piped

    def __call__(self, ask: Ask) -> Answer:
        from mistral_nb.api_key import Secret
        from mistral_nb.prompts.terminal import ask_person

        if _is_interactive():
            return ask_person(ask)
        if ask.name == self._piped and sys.stdin is not None:
            self._piped = ""
            return Secret(sys.stdin.buffer.read(_MAX_PIPED_BYTES).decode(errors="replace"))
        raise CannotAsk("Cannot prompt: standard input is not a terminal.")


def _print_report(report: Report, as_json: bool) -> None:
    from mistral_nb import report as drawing

    if report.document:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(report.document.rstrip("\n").encode(encoding, "replace").decode(encoding))  # noqa: T201, a host prints
        return
    if not (report.title or report.rows or report.notes or report.data):
        return  # the action owned its streams: nothing may follow a filter's output
    text = drawing.as_json(report) if as_json else drawing.as_text(report)
    if text:
        from mistral_nb.terminal_colours import colour, wants_colour

        paint = colour if not as_json and wants_colour(sys.stdout, os.environ) else None
        write_line(sys.stdout, text, paint)


def _show(text: str) -> None:
    if not text.startswith("\r"):
        write_line(sys.stderr, text)
    elif sys.stderr.isatty():  # a progress bar draws over its own line
        print(text, end="", file=sys.stderr, flush=True)  # noqa: T201, a host prints
