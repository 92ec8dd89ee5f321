"""What `scrub` and `scan` share: paths to files, files to outcomes, on all cores where that pays."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mistral_nb.actions.context import Context
from mistral_nb.actions.walk import HISTORY, files_in
from mistral_nb.errors import Cancelled, WrongUsage
from mistral_nb.report import Answer, Ask, Report, Step
from mistral_nb.watch import Watchlist, gather

if TYPE_CHECKING:
    from mistral_nb.saving.clean import Outcome

STDIN = "-"
_PAYS_OFF = 32_000_000  # bytes: starting further processes costs as much as reading this
_MOST_PROCESSES = 61  # what Windows can wait for
_BATCH = 4_000_000  # bytes in one piece of work: what Ctrl-C waits for
_SHOWN_AFTER, _SHOWN_EVERY = 1.0, 0.1  # seconds

Steps = Generator[Ask | Step, Answer, None]


class Job(NamedTuple):
    """``named``: a person named the path, rather than a folder above it."""

    path: str
    named: bool
    size: int


class Watchlists(dict[str, Watchlist]):
    """One a folder, gathered when first asked for: a thousand files share it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self.environ = environ

    def __missing__(self, folder: str) -> Watchlist:
        self[folder] = gather(folder or ".", environ=self.environ)
        return self[folder]


def over_files(
    context: Context, paths: Sequence[str], *, everything: bool, write: bool
) -> Generator[Ask | Step, Answer, Report]:
    """All of ``paths``, one by one; a file that can't be read or written is said, and the others go on."""
    from mistral_nb.saving import words

    if STDIN in paths:
        if len(paths) > 1:
            raise WrongUsage("Standard input goes alone.", "Give either - or paths.")
        return (yield from _over_standard_input(context, write))
    outcomes: list[Outcome] = []
    jobs = list(_jobs(paths, everything, outcomes))
    yield from (Step(words.line(outcome, write=write)) for outcome in outcomes)
    try:
        yield from _work(context, jobs, write, outcomes)
    except KeyboardInterrupt:
        raise Cancelled(f"Cancelled; {'files already cleaned stay so' if write else 'nothing was changed'}.") from None
    place = {job.path: number for number, job in enumerate(jobs)}
    outcomes.sort(key=lambda outcome: place.get(outcome.path, -1))
    return _report(len(jobs), outcomes, write)


def _over_standard_input(context: Context, write: bool) -> Generator[Ask | Step, Answer, Report]:
    """A filter owns its streams: what it reads, without keys, is what it writes."""
    from mistral_nb.saving import words
    from mistral_nb.saving.clean import Outcome, clean

    data = sys.stdin.buffer.read()
    watchlist = gather(context.folder, environ=context.environ)
    yield from (Step(f"mistral-nb: {problem}") for problem in watchlist.problems)
    cleaned = clean(data, "", watchlist)
    outcome = Outcome(STDIN, cleaned.removed, cleaned.left, cleaned.noted)
    if not write:
        return _report(1, [outcome], write)
    if outcome.removed:
        yield Step(words.line(outcome, write=True))
    sys.stdout.buffer.write(cleaned.data)
    sys.stdout.buffer.flush()
    return Report("", exit_code=words.exit_code([outcome], write=write))


def _jobs(paths: Iterable[str], everything: bool, outcomes: list[Outcome]) -> Iterator[Job]:
    from mistral_nb.saving.clean import Outcome

    def unread(path: str, why: str) -> None:
        outcomes.append(Outcome(path, problem=why))

    seen = set()
    for path in paths:
        try:
            named = not os.path.isdir(path)
            found: Iterable[str] = [path] if named else files_in(path, every=everything, unread=unread)
            for file in found:
                if os.path.normpath(file) not in seen:
                    seen.add(os.path.normpath(file))
                    yield Job(file, named, os.path.getsize(file) if os.path.exists(file) else 0)
        except OSError as error:
            unread(path, error.strerror or type(error).__name__)


def _work(context: Context, jobs: list[Job], write: bool, outcomes: list[Outcome]) -> Steps:
    """Every file's outcome, into ``outcomes``; what is removed is told as it goes."""
    from mistral_nb.saving import words
    from mistral_nb.saving.clean import stored

    watchlists = Watchlists(context.environ)
    folders = dict.fromkeys(os.path.dirname(job.path) for job in jobs)
    for problem in dict.fromkeys(problem for folder in folders for problem in watchlists[folder].problems):
        yield Step(f"mistral-nb: {problem}")
    bar = Bar(sum(job.size for job in jobs))
    for job, result in _results(jobs, watchlists, write, stored(context.environ) if write else None):
        outcome = result
        if outcome.pending:
            yield from bar.under(words.before(outcome))
            outcome = _one(job, watchlists, write, None)
        if write or outcome.problem:
            yield from bar.under(words.line(outcome, write=write))
        outcomes.append(outcome)
        yield from bar.advanced(job.size)
    yield from bar.cleared()


def _results(
    jobs: list[Job], watchlists: Watchlists, write: bool, kept: frozenset[str] | None
) -> Iterator[tuple[Job, Outcome]]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pays_off = cores > 1 and len(jobs) > 1 and sum(job.size for job in jobs) >= _PAYS_OFF
    done: set[Job] = set()
    if pays_off and watchlists.environ is os.environ:  # which is what the other processes have
        for job, outcome in _on_all_cores(jobs, write, kept, cores):
            done.add(job)
            yield job, outcome
    for job in jobs:
        if job not in done:
            yield job, _one(job, watchlists, write, kept)


def _on_all_cores(
    jobs: list[Job], write: bool, kept: frozenset[str] | None, cores: int
) -> Iterator[tuple[Job, Outcome]]:
    """Ends early, without a word, where a process was killed: for its memory, perhaps."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(min(cores, _MOST_PROCESSES), get_context("spawn"))
    try:
        with _interrupts_ignored():  # the processes inherit that: this one ends them
            pieces = {pool.submit(work, piece, write, kept): piece for piece in _pieces(jobs)}
        for future in as_completed(pieces):
            yield from zip(pieces[future], future.result(), strict=True)
    except BrokenProcessPool:
        return
    finally:  # at Ctrl-C the pieces in work are ended, and no other begins
        pool.shutdown(wait=True, cancel_futures=True)


def work(piece: list[Job], write: bool, kept: frozenset[str] | None) -> list[Outcome]:
    """One piece of work, in a process of its own."""
    watchlists = Watchlists(os.environ)
    return [_one(job, watchlists, write, kept) for job in piece]


def _pieces(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    piece: list[Job] = []
    for job in jobs:
        piece.append(job)
        if len(piece) >= 200 or sum(job.size for job in piece) >= _BATCH:
            yield piece
            piece = []
    if piece:
        yield piece


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _one(job: Job, watchlists: Watchlists, write: bool, kept: frozenset[str] | None) -> Outcome:
    from mistral_nb.saving.clean import Order, clean_file

    watchlist = watchlists[os.path.dirname(job.path)]
    binary = job.named or os.path.basename(job.path) == HISTORY
    return clean_file(job.path, watchlist, Order(write, kept=kept, binary=binary))


class Bar:
    """Progress in bytes, shown when the work turns out to be long. A step that begins with ``\\r`` redraws."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._clock = max(total, 1), clock
        self._done, self._next, self._shown = 0, clock() + _SHOWN_AFTER, False

    def advanced(self, size: int) -> Iterator[Step]:
        self._done += size
        if self._clock() >= self._next:
            self._next, self._shown = self._clock() + _SHOWN_EVERY, True
            filled = 30 * self._done // self._total
            yield Step(f"\r[{'#' * filled}{' ' * (30 - filled)}] {100 * self._done // self._total:3} %")

    def under(self, text: str) -> Iterator[Step]:
        """A line of text in the bar's place."""
        if text:
            yield from self.cleared()
            yield Step(text)

    def cleared(self) -> Iterator[Step]:
        if self._shown:
            yield Step(f"\r{' ' * 38}\r")


def _report(files: int, outcomes: Sequence[Outcome], write: bool) -> Report:
    from mistral_nb.saving import words

    findings = [
        {
            "tier": finding.tier,
            "fingerprint": finding.fingerprint,
            "file": outcome.path,
            "path": finding.path,
            "line": finding.line,
        }
        for outcome in outcomes
        for finding in (*outcome.removed, *outcome.left)
    ]
    return Report(
        words.summary(files, outcomes, write=write),
        notes=() if write else tuple(words.line(o, write=False) for o in outcomes if o.removed or o.left),
        exit_code=words.exit_code(outcomes, write=write),
        data={"files": files, "findings": findings},
    )
