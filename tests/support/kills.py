"""`kill -9` at random moments: how many, and the drivers `crashes`, `rotation_crashes`, `admin_crashes` in a process.

The long part kills MISTRAL_NB_KILLS times, by default 500; where the default run kills as well, 20 times.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from support.patience import PATIENCE

FEW, MANY = 20, int(os.environ.get("MISTRAL_NB_KILLS", "500"))
_MANY = pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.timeout(3600)], id="many")
few_or_many = pytest.mark.parametrize("kills", [pytest.param(FEW, id="few"), _MANY])
many = pytest.mark.parametrize("kills", [_MANY])
ATTEMPTS = 4  # for each kill that is wanted: on a busy machine some come too early or too late


def crash(driver: str, *arguments: object, environ: Mapping[str, str], given: str = "") -> dict[str, Any]:
    """What a driver found. It prints a line a kill; a minute without one fails the test, whatever the whole takes."""
    with subprocess.Popen(
        [sys.executable, "-m", f"support.{driver}", *map(str, arguments)],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        reader.start()
        try:
            process.stdin.write(given)
            process.stdin.close()
            line, last = _next_line(process), ""
            while line:
                line, last = _next_line(process), line
        finally:
            process.kill()
            reader.join()
    assert last.startswith("{"), f"{driver} ended early, or said nothing for a minute:\n{last}{''.join(errors)}"
    return json.loads(last)


def _next_line(process: subprocess.Popen[str]) -> str:
    """Empty at the end, and when nothing comes."""
    watchdog = threading.Timer(60 * PATIENCE, process.kill)
    watchdog.start()
    try:
        return process.stdout.readline()
    finally:
        watchdog.cancel()


def run_rounds(rounds: int, one_round: Callable[[], Any], enough: Callable[[], bool]) -> None:
    """So many rounds, and more until ``enough`` of them were cut where it matters; a true result ends it."""
    for number in range(rounds * ATTEMPTS):
        if number >= rounds and enough():
            return
        print(number, flush=True)  # a sign of life
        if one_round():
            return


class Pace:
    """How long to wait before a kill: follows the machine, which may be busy now and idle later."""

    def __init__(self, seconds: float) -> None:
        self.seconds = self._first = seconds

    def note(self, *, ended: bool, begun: bool = True) -> None:
        """``ended``: the kill came after the work; not ``begun``: before it."""
        if ended:
            self.seconds *= 0.8
        elif not begun:
            self.seconds *= 1.25
        elif self.seconds < self._first:
            self.seconds *= 1.05
