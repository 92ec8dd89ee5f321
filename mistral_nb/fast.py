"""`scrub` and `scan` of one file, or of standard input, without what only the other calls need.

Editors and hooks call these once a file. No argparse and no report here; and where a first glance
tells that there is nothing, no regular expressions either, so that a call costs little more than
starting Python. What is not plain goes the usual way, through `cli`.
"""

from __future__ import annotations

import os
import sys

from mistral_nb import terminal
from mistral_nb.git.glance import Glance
from mistral_nb.home import home

TYPE_CHECKING = False  # importing typing costs 10 ms
if TYPE_CHECKING:
    from mistral_nb.saving.clean import Outcome
    from mistral_nb.watch import Watchlist

STDIN = "-"
NOTHING = "1 file: no key found."
# Secrets at hand, which a glance does not look for: a test compares them with `config`.
SECRETS = ("MISTRAL_API_KEY", "MISTRAL_ADMIN_API_KEY", "CODESTRAL_API_KEY", "LLM_MISTRAL_KEY", "MISTRAL_NB_PASSPHRASE")


def run(arguments: list[str]) -> int | None:
    """The exit code of ``scrub FILE``, ``scan FILE``, ``scrub -`` or ``scan -``; None for any other call."""
    arguments = [word for number, word in enumerate(arguments) if (number, word) != (1, "--")]  # from pre-commit
    if len(arguments) != 2 or arguments[0] not in ("scrub", "scan"):
        return None
    path, write = arguments[1], arguments[0] == "scrub"
    if path == STDIN:
        return _stream(sys.stdin.buffer.read(), write)
    if path.startswith("-") or not os.path.isfile(path):
        return None
    try:
        if path.endswith(".ipynb") and _plain(os.path.dirname(path)):
            with open(path, "rb") as file:
                if Glance(home(os.environ)).nothing_in(file.read()):
                    return _told(NOTHING)
    except OSError:  # the closer look says what it was
        pass
    return _closely(path, write)


def _plain(folder: str) -> bool:
    """Whether neither the environment nor the project has a word in what is looked for."""
    if any(name in os.environ for name in SECRETS):
        return False
    place, project = os.path.abspath(folder), False
    while True:
        if os.path.exists(os.path.join(place, ".mistral-nb-revoked")):
            return False
        settings = os.path.join(place, "pyproject.toml")
        if not project and os.path.isfile(settings):  # the nearest counts
            project = True
            with open(settings, "rb") as file:
                if b"mistral-nb" in file.read():
                    return False
        place, child = os.path.dirname(place), place
        if place == child:
            return True


def _stream(data: bytes, write: bool) -> int:
    if _is_quiet(data):
        return _passed_on(data) if write else _told(NOTHING)
    from mistral_nb.saving import words
    from mistral_nb.saving.clean import Outcome, clean
    from mistral_nb.watch import gather

    watchlist = gather()
    _warn(watchlist)
    cleaned = clean(data, "", watchlist)
    outcome = Outcome(STDIN, cleaned.removed, cleaned.left, cleaned.noted)
    if not write:
        return _tell(outcome, write)
    if outcome.removed:
        terminal.write(sys.stderr, words.line(outcome, write=True))
    _passed_on(cleaned.data)
    return words.exit_code([outcome], write=True)


def _is_quiet(data: bytes) -> bool:
    try:
        return data[:1] == b"{" and _plain("") and Glance(home(os.environ)).nothing_in(data)
    except OSError:
        return False


def _closely(path: str, write: bool) -> int:
    from mistral_nb.saving import words
    from mistral_nb.saving.clean import Order, clean_file, stored
    from mistral_nb.watch import gather

    watchlist = gather(os.path.dirname(path) or ".")
    _warn(watchlist)
    outcome = clean_file(path, watchlist, Order(write, kept=stored(os.environ) if write else None))
    if outcome.pending:
        terminal.write(sys.stderr, words.before(outcome))
        outcome = clean_file(path, watchlist, Order(write))
    return _tell(outcome, write)


def _tell(outcome: Outcome, write: bool) -> int:
    """What was done to a file on stderr, what was found and the summary on stdout: as `actions.files` does."""
    from mistral_nb.saving import words

    line = words.line(outcome, write=write)
    done = write or bool(outcome.problem)
    if line and done:
        terminal.write(sys.stderr, line)
    terminal.write(sys.stdout, words.summary(1, [outcome], write=write))
    if line and not done:
        terminal.write(sys.stdout, line)
    return words.exit_code([outcome], write=write)


def _told(text: str) -> int:
    terminal.write(sys.stdout, text)
    return 0


def _passed_on(data: bytes) -> int:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return 0


def _warn(watchlist: Watchlist) -> None:
    for problem in watchlist.problems:
        terminal.write(sys.stderr, f"mistral-nb: {problem}")
