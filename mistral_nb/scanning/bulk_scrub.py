"""What `scrub` and `scan` share: paths to files, files to outcomes, on all cores where that pays."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, WrongUsage, reason
from mistral_nb.key_records import keys_to_json, to_json
from mistral_nb.report import Dialog, Step
from mistral_nb.scanning.file_discovery import BINARY, LARGE, PLURALS, find_files, is_binary_file, is_notebook
from mistral_nb.scanning.found_keys import NameMask
from mistral_nb.scanning.progress_bar import ProgressBar
from mistral_nb.scanning.scan_findings import ScanReport, make_findings
from mistral_nb.watchlist import Watchlist, build_watchlist

if TYPE_CHECKING:
    from mistral_nb.file_scrub.clean_file import FileResult
    from mistral_nb.file_scrub.key_copies import CopyKeeper

STDIN = "-"
_PARALLEL_MIN_BYTES = 150_000_000  # bytes: starting further processes costs as much as reading this
_MAX_PROCESSES = 61  # what Windows can wait for
_LARGE_BYTES = 64 << 20  # bytes: a file is read whole, and larger ones of a folder would fill the memory
_BATCH_BYTES = 4_000_000  # bytes in one piece of work: what Ctrl-C waits for

Steps = Dialog[None]


class FileJob(NamedTuple):
    """``is_named``: a person named the path, rather than a folder above it. ``root``: that folder, or the file's.
    ``write``: whether keys are removed from it, rather than only counted."""

    path: str
    is_named: bool
    size: int
    root: str
    write: bool


class FilesFound:
    """What was found below the paths that a person ``named``.

    ``passed_over``: paths, by why they are not looked into. ``cleanable``: files with keys that ``--all`` would remove.
    """

    def __init__(self, named: Iterable[str] = ()) -> None:
        self.named = set(map(os.path.abspath, named))
        self.jobs: list[FileJob] = []
        self.outcomes: list[FileResult] = []
        self.passed_over: dict[str, list[str]] = {}
        self.cleanable: set[str] = set()

    def add_unread(self, path: str, why: str) -> None:
        from mistral_nb.file_scrub.clean_file import FileResult

        self.outcomes.append(FileResult(path, problem=why))

    def add_passed_over(self, path: str, why: str) -> None:
        if os.path.abspath(path) not in self.named:
            self.passed_over.setdefault(why, []).append(path)


class FolderWatchlists(dict[str, Watchlist]):
    """One per folder, built on first use: its files share it, and so do neighbours with an equal one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self.environ = environ
        self._last = Watchlist()

    @cached_property
    def keep_copy(self) -> CopyKeeper | None:
        """Sets aside what no store holds; one for all files."""
        from mistral_nb.file_scrub.key_copies import open_keeper

        return open_keeper(self.environ)

    def __missing__(self, folder: str) -> Watchlist:
        built = build_watchlist(folder or ".", environ=self.environ)
        if built != self._last:
            self._last = built
        self[folder] = self._last
        return self._last


def process_files(context: Context, paths: Sequence[str], *, write: bool, only_notebooks: bool) -> Dialog[ScanReport]:
    """Process all ``paths``; a file that can't be read or written is reported, and the others continue.

    ``only_notebooks``: of a folder's files the others are not searched, or, with ``write``, searched but not changed.
    """
    from mistral_nb.file_scrub import removal_summary

    if STDIN in paths:
        if len(paths) > 1:
            raise WrongUsage("'-' cannot be combined with other paths.", "Give either - or paths.")
        return (yield from _process_stdin(context, write))
    found = _collect_jobs(paths, write=write, only_notebooks=only_notebooks)
    watchlist = build_watchlist(context.folder, environ=context.environ)
    for outcome in found.outcomes:
        yield Step(_hide_keys(removal_summary.format_line(outcome, write=write), outcome, watchlist))
    try:
        yield from _process_jobs(context, found)
    except KeyboardInterrupt:
        raise Cancelled(
            f"Cancelled; {'files already cleaned stay cleaned' if write else 'nothing was changed'}."
        ) from None
    place = {job.path: number for number, job in enumerate(found.jobs)}
    found.outcomes.sort(key=lambda outcome: place.get(outcome.path, -1))
    report = _make_report(found, write)
    if not write:  # `scan` opens the files once more, by their names
        return report
    return NameMask((finding.record for finding in report.findings), watchlist).report(report)


def _hide_keys(text: str, outcome: FileResult, watchlist: Watchlist) -> str:
    """A text on a file, "" for most: the file's name may hold a key."""
    return text and NameMask((*outcome.removed, *outcome.left), watchlist).text(text)


def _process_stdin(context: Context, write: bool) -> Dialog[ScanReport]:
    """Filter standard input to standard output, without keys."""
    from mistral_nb.file_scrub import removal_summary
    from mistral_nb.file_scrub.clean_file import clean_bytes, make_result, search_bytes

    data = sys.stdin.buffer.read()
    watchlist = build_watchlist(context.folder, environ=context.environ)
    yield from (Step(f"mistral-nb: {problem}") for problem in watchlist.problems)
    cleaned = (clean_bytes if write else search_bytes)(data, "", watchlist)
    outcome = make_result(STDIN, cleaned, watchlist)
    if not write:
        given = FilesFound()
        given.jobs.append(FileJob(STDIN, True, len(data), "", False))
        given.outcomes.append(outcome)
        return _make_report(given, write)
    if outcome.removed:
        yield Step(removal_summary.format_line(outcome, write=True))
    sys.stdout.buffer.write(cleaned.data)
    sys.stdout.buffer.flush()
    return ScanReport("", exit_code=removal_summary.exit_code([outcome], write=write))


def _collect_jobs(paths: Iterable[str], *, write: bool, only_notebooks: bool) -> FilesFound:
    """The jobs of named files come first: of two of one file, the first is done."""
    found, seen = FilesFound(paths), set()
    for path in sorted(paths, key=os.path.isdir):
        try:
            for job in _make_jobs(path, found, write=write, only_notebooks=only_notebooks):
                name = os.path.abspath(job.path)
                if name not in seen:
                    seen.add(name)
                    found.jobs.append(job)
        except OSError as error:
            found.add_unread(path, reason(error))
    return found


def _make_jobs(path: str, found: FilesFound, *, write: bool, only_notebooks: bool) -> Iterator[FileJob]:
    if not os.path.isdir(path):
        size = os.path.getsize(path) if os.path.exists(path) else 0
        yield FileJob(path, True, size, os.path.dirname(path) or ".", write)
        return
    for file in find_files(path, unread=found.add_unread, passed_over=found.add_passed_over):
        writes = write and (not only_notebooks or is_notebook(file))
        if only_notebooks and not write and not is_notebook(file):
            continue
        if is_binary_file(file):
            found.add_passed_over(file, BINARY)
            continue
        with contextlib.suppress(FileNotFoundError):  # gone meanwhile
            size = os.path.getsize(file)
            if size > _LARGE_BYTES and not is_notebook(file):
                found.add_passed_over(file, LARGE)
            else:
                yield FileJob(file, False, size, path, writes)


def _process_jobs(context: Context, found: FilesFound) -> Steps:
    """Collect every file's outcome; report what is removed along the way."""
    from mistral_nb.file_scrub import removal_summary

    jobs = found.jobs
    watchlists = FolderWatchlists(context.environ)
    folders = dict.fromkeys(os.path.dirname(job.path) for job in jobs)
    for problem in dict.fromkeys(problem for folder in folders for problem in watchlists[folder].problems):
        yield Step(f"mistral-nb: {problem}")
    bar = ProgressBar(sum(job.size for job in jobs))
    for job, result in _run_jobs(jobs, watchlists):
        outcome = result
        if outcome.needs_warning:
            warning = removal_summary.format_removal_warning(outcome)
            yield from bar.print_line(_hide_keys(warning, outcome, watchlists[os.path.dirname(job.path)]))
            outcome = _process_file(job, watchlists, warns_first=False)
        if not job.write:
            if outcome.removed:
                found.cleanable.add(outcome.path)
            outcome = outcome._replace(removed=(), left=(*outcome.removed, *outcome.left))
        if job.write or outcome.problem:
            line = removal_summary.format_line(outcome, write=job.write)
            yield from bar.print_line(_hide_keys(line, outcome, watchlists[os.path.dirname(job.path)]))
        found.outcomes.append(outcome)
        yield from bar.advance(job.size)
    yield from bar.clear()


def _run_jobs(jobs: list[FileJob], watchlists: FolderWatchlists) -> Iterator[tuple[FileJob, FileResult]]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pays_off = cores > 1 and len(jobs) > 1 and sum(job.size for job in jobs) >= _PARALLEL_MIN_BYTES
    done: set[FileJob] = set()
    if pays_off and watchlists.environ is os.environ:  # which is what the other processes have
        for job, outcome in _run_in_parallel(jobs, cores):
            done.add(job)
            yield job, outcome
    for job in jobs:
        if job not in done:
            yield job, _process_file(job, watchlists)


def _run_in_parallel(jobs: list[FileJob], cores: int) -> Iterator[tuple[FileJob, FileResult]]:
    """Ends early, silently, if a process was killed: perhaps for its memory."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import active_children, get_context

    others = set(active_children())
    pool = ProcessPoolExecutor(min(cores, _MAX_PROCESSES), get_context("spawn"))
    try:
        with _ignore_interrupts():  # the processes inherit that: this one ends them
            pieces = {pool.submit(run_batch, piece): piece for piece in _make_batches(jobs)}
        for future in as_completed(pieces):
            yield from zip(pieces[future], future.result(), strict=True)
    except (BrokenProcessPool, OSError):  # killed, or could not be started
        for child in set(active_children()) - others:
            child.kill()  # one that starts while the pool breaks is not ended by the pool, which would wait for it
    finally:  # on Ctrl-C running pieces are ended, and no other starts
        pool.shutdown(wait=True, cancel_futures=True)


def run_batch(piece: list[FileJob]) -> list[FileResult]:
    """One piece of work, in a process of its own."""
    watchlists = FolderWatchlists(os.environ)
    return [_process_file(job, watchlists) for job in piece]


def _make_batches(jobs: Iterable[FileJob]) -> Iterator[list[FileJob]]:
    piece: list[FileJob] = []
    for job in jobs:
        piece.append(job)
        if len(piece) >= 200 or sum(job.size for job in piece) >= _BATCH_BYTES:
            yield piece
            piece = []
    if piece:
        yield piece


@contextlib.contextmanager
def _ignore_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _process_file(job: FileJob, watchlists: FolderWatchlists, *, warns_first: bool = True) -> FileResult:
    from mistral_nb.file_scrub.clean_file import CleanOptions, clean_file, is_run_by_git

    watchlist = watchlists[os.path.dirname(job.path)]
    order = CleanOptions(
        job.write,
        is_explicit=not is_run_by_git(watchlists.environ),
        is_named=job.is_named,
        root=job.root,
        warns_first=warns_first,
        keep_copy=watchlists.keep_copy,
    )
    return clean_file(job.path, watchlist, order)


def _make_report(found: FilesFound, write: bool) -> ScanReport:
    from mistral_nb.file_scrub import removal_summary

    outcomes = found.outcomes
    records = [record for outcome in outcomes for record in (*outcome.removed, *outcome.left)]
    unchanged = {job.path for job in found.jobs if not job.write} if write else set()
    counted = [outcome.path for outcome in outcomes if outcome.path in unchanged and outcome.left]
    return ScanReport(
        "",
        notes=(
            *(() if write else map(removal_summary.format_finding, records)),
            *removal_summary.format_counted_files(counted, found.cleanable),
            *removal_summary.format_passed_over(found.passed_over, PLURALS),
            removal_summary.format_summary(outcomes, write=write),
        ),
        exit_code=removal_summary.exit_code(outcomes, write=write),
        data={
            "files": removal_summary.count_searched(outcomes),
            "findings": [to_json(record) for record in records],
            "keys": keys_to_json(records),
            "passed_over": [{"path": p, "reason": why} for why, paths in found.passed_over.items() for p in paths],
        },
        findings=make_findings((record, {}) for record in records),
    )
