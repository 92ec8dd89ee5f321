"""The command line: words in, an action driven, its report printed, an exit code out."""

from __future__ import annotations

import os
import sys

from mistral_nb.errors import Cancelled, CannotAsk, MistralNbError, WrongUsage
from mistral_nb.terminal import write

_MOST_PIPED = 1 << 16  # bytes: a key comes alone, or in a .env
TYPE_CHECKING = False  # importing typing costs 10 ms, and hooks call us once a file
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mistral_nb.report import Answer, Ask, Report

INTERRUPTED = 130
NEVER_STARTED = 125  # of `run`, whose other exit codes are the command's


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command; returns its exit code. The only place of the command line that prints."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except MistralNbError as error:
        if isinstance(error, Cancelled) and sys.stderr.isatty():
            _show("")  # the prompt's own line
        _show(f"mistral-nb: {error}")
        return NEVER_STARTED if words[:1] == ["run"] and not isinstance(error, Cancelled) else error.exit_code
    except KeyboardInterrupt:
        _show("\nmistral-nb: Interrupted. To see where things stand: mistral-nb status")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        _show(f"mistral-nb: Something could not be read or written: {error.strerror or type(error).__name__}.")
        return MistralNbError.exit_code
    except Exception as error:  # noqa: BLE001, exit 1 would mean a finding, and a traceback could hold a key
        _show(f"mistral-nb: This failed in a way that nobody foresaw: {_where(error)}. Please report it.")
        return MistralNbError.exit_code


def _where(error: BaseException) -> str:
    """The kind of an error and the line it came from; its text may hold anything."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f" at {os.path.basename(last.tb_frame.f_code.co_filename)}:{last.tb_lineno}" if last else ""
    return f"{type(error).__name__}{place}"


def _run(words: list[str]) -> int:
    if words[:1] in (["scrub"], ["scan"]):
        from mistral_nb import fast

        code = fast.run(words)
        if code is not None:
            return code
    _refuse_a_key(words)
    return _run_action(words)


def _run_action(words: list[str]) -> int:
    from mistral_nb.actions import drive, load
    from mistral_nb.actions.context import Context
    from mistral_nb.commands import CLI, commands
    from mistral_nb.parsing import no_such, parser

    words = ["help"] if words in ([], ["-h"], ["--help"]) else words
    if words[0] == "--version":
        from mistral_nb import __version__

        print(f"mistral_nb {__version__}")  # noqa: T201, a host prints
        return 0
    if words[0] == "use":
        raise WrongUsage(
            "A command can't set another process's environment.",
            "Try: mistral-nb run -w WORKSPACE -- CMD…, or in a notebook: %load_ext mistral_nb",
        )
    if words[0] not in commands(CLI):
        raise no_such(CLI, words[0])
    if words[0] == "curl":
        from mistral_nb.actions.curl import ours_first

        words = ours_first(words)
    flags = vars(parser(CLI).parse_args(words))
    command = commands(CLI)[flags.pop("sub_command")]
    context = Context(host=CLI, interactive=_interactive(), say=_show)
    as_json = flags.pop("json", False)
    answer = _Answers(piped="key" if command.name in ("add", "rotate") else "")
    report = drive(load(command)(context, **flags), answer, _show)
    _print(report, as_json=as_json)
    return report.exit_code


def _refuse_a_key(words: list[str]) -> None:
    """A key is never an argument: process lists show it, and the shell's history holds it."""
    from mistral_nb.key import key_shaped

    ours = words[: words.index("--")] if "--" in words else words
    if any(key_shaped(word) and not os.path.exists(word) for word in ours):
        raise WrongUsage(
            "An argument looks like a key, and your shell's history now holds it.",
            "Delete that line from the history, and type mistral-nb add: it asks for the key.",
        )


def _interactive() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


class _Answers:
    """The person at the terminal; without one, standard input answers the question ``piped``, once."""

    def __init__(self, piped: str) -> None:
        self._piped = piped

    def __call__(self, ask: Ask) -> Answer:
        from mistral_nb.asker import ask_person
        from mistral_nb.key import Secret

        if _interactive():
            return ask_person(ask)
        if ask.name == self._piped and sys.stdin is not None:
            self._piped = ""
            return Secret(sys.stdin.buffer.read(_MOST_PIPED).decode(errors="replace"))
        raise CannotAsk("Nobody is here to answer: standard input is no terminal.")


def _print(report: Report, as_json: bool) -> None:
    from mistral_nb import report as drawing

    if not (report.title or report.rows or report.notes or report.data):
        return  # the action owned its streams: nothing may follow what a filter wrote
    text = drawing.as_json(report) if as_json else drawing.as_text(report)
    if text:
        write(sys.stdout, text)


def _show(text: str) -> None:
    if not text.startswith("\r"):
        write(sys.stderr, text)
    elif sys.stderr.isatty():  # a progress bar draws over its own line
        print(text, end="", file=sys.stderr, flush=True)  # noqa: T201, a host prints
