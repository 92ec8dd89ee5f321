"""`scan`: report keys in files, or in a repository's history; nothing is changed."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mistral_nb import environment, exit_codes
from mistral_nb.command_context import Context
from mistral_nb.errors import WrongUsage, reason
from mistral_nb.keys import host_consent, saved_answers
from mistral_nb.report import Action, Dialog
from mistral_nb.scanning import baseline as baseline_file
from mistral_nb.scanning import found_keys, scan_conclusion
from mistral_nb.scanning.baseline import FILES, HISTORY, Baseline
from mistral_nb.scanning.bulk_scrub import process_files
from mistral_nb.scanning.scan_conclusion import Conclusion
from mistral_nb.scanning.scan_findings import ScanFinding, ScanReport
from mistral_nb.watchlist import Watchlist, build_watchlist
from mistral_nb.wording import plural


def action(
    context: Context,
    paths: list[str],
    notebooks: bool = False,
    git_history: str | None = None,
    replacement_file: str | None = None,
    *,
    output_format: str = "text",
    output: str | None = None,
    baseline: str | None = None,
    update_baseline: bool = False,
    verify: bool = False,
) -> Action:
    """``git_history``: a range of commits, "" for all of them."""
    from mistral_nb.scanning.reports import output_formats

    started, scope = context.now(), FILES if git_history is None else HISTORY
    environment.register_variables(context.environ)
    _check_output(output, [*paths, *([baseline] if baseline else [])])
    old = _OldFindings.open(context, baseline, scope, updates=update_baseline)
    if verify:
        yield from host_consent.confirm_host(context)
    report = yield from _scan(context, paths, notebooks, git_history, replacement_file)
    watchlist = build_watchlist(context.folder, environ=context.environ)
    told = Conclusion(report.findings)
    if verify:
        told = yield from _ask_mistral(context, told, watchlist, scope)
    if update_baseline:
        told = old.update(told, watchlist, is_complete=report.exit_code != exit_codes.INCOMPLETE)
    else:
        told = old.apply(told, watchlist)
    report = scan_conclusion.conclude(report, told, _mask_names(told, watchlist))
    return output_formats.deliver(context, report, started, output_format, output)


def _check_output(output: str | None, read: Iterable[str]) -> None:
    """A report takes the place of no file that this scan reads by name. Raises `WrongUsage`."""
    if output and os.path.isfile(output) and os.path.realpath(output) in map(os.path.realpath, read):
        raise WrongUsage("--output names a file that is to be read.", "Give the report another name.")


def _scan(
    context: Context, paths: list[str], notebooks: bool, git_history: str | None, replacement_file: str | None
) -> Dialog[ScanReport]:
    if git_history is not None:
        from mistral_nb.scanning import git_history_report

        if paths or notebooks:
            raise WrongUsage("--git-history cannot be combined with paths.", "Give either --git-history or paths.")
        return (yield from git_history_report.action(context, git_history, replacement_file))
    if replacement_file is not None:
        raise WrongUsage("--replacement-file requires --git-history.", "Add --git-history.")
    return (yield from process_files(context, paths or ["."], write=False, only_notebooks=notebooks))


def _ask_mistral(context: Context, told: Conclusion, watchlist: Watchlist, scope: str) -> Dialog[Conclusion]:
    with _open_reader(context, scope) as read:
        asked = yield from found_keys.ask_mistral(context, told.findings, watchlist, read)
    problems = (asked.problem,) if asked.problem else ()
    return told._replace(findings=asked.findings, was_verified=True, problems=problems)


@contextlib.contextmanager
def _open_reader(context: Context, scope: str) -> Iterator[found_keys.Reader]:
    """What reads the file, or the object of git's, that a finding is in."""
    if scope == FILES:
        yield lambda finding: found_keys.read_work_file(context.folder, finding)
        return
    from mistral_nb.git.run_git import BlobReader, Git

    with BlobReader(Git.at_work(context.folder, context.environ)) as blobs:
        yield lambda finding: blobs.read(_object_name(finding)) or b""


def _object_name(finding: ScanFinding) -> str:
    """The object of git's that has the key: a blob, or the commit or tag that the record names."""
    return str(finding.more.get("blob") or finding.record.file.rpartition(" ")[2])


def _mask_names(told: Conclusion, watchlist: Watchlist) -> found_keys.NameMask:
    return found_keys.NameMask((finding.record for finding in told.findings), watchlist)


class _OldFindings(NamedTuple):
    """The baseline of a scan, read; ``path`` is None where none was named."""

    context: Context
    path: str | None
    scope: str
    baseline: Baseline

    @classmethod
    def open(cls, context: Context, path: str | None, scope: str, *, updates: bool) -> "_OldFindings":
        """One that is to be updated may be missing. Raises `WrongUsage`."""
        if updates and path is None:
            raise WrongUsage("--update-baseline requires --baseline.", "Name the file: --baseline FILE.")
        is_missing = path is None or (updates and not os.path.lexists(path))
        return cls(
            context, path, scope, baseline_file.EMPTY if is_missing or not path else baseline_file.read_baseline(path)
        )

    def update(self, told: Conclusion, watchlist: Watchlist, *, is_complete: bool) -> Conclusion:
        """Write the findings that may be silenced, and note which of this machine's own keys are among them."""
        path = self.path or ""
        masked = _mask_names(told, watchlist).findings(told.findings)
        complete = is_complete and not told.problems
        new = baseline_file.make_baseline(masked, self.baseline, self.scope, watchlist, is_complete=complete)
        try:
            baseline_file.write_baseline(path, new)
        except OSError as error:
            problem = f"The baseline {path} was not written: {reason(error)}."
            return told._replace(problems=(*told.problems, problem))
        for key_id, count in baseline_file.count_accepted(told.findings, new, self.scope, watchlist).items():
            saved_answers.save_answer(self.context, self._question(key_id), str(count))
        entries = new.part(self.scope)
        silenced = self._replace(baseline=new).apply(told, watchlist)
        return silenced._replace(notes=(*told.notes, f"{path} names {plural(len(entries), 'finding')} now."))

    def apply(self, told: Conclusion, watchlist: Watchlist) -> Conclusion:
        """What the baseline names no longer counts, where it may be silenced."""
        accepted = {key_id: self._read_accepted(key_id) for key_id in {one.key_id for one in told.findings}}
        applied = baseline_file.apply_baseline(told.findings, self.baseline, self.scope, watchlist, accepted)
        return told._replace(findings=applied.findings, not_silenced=applied.not_silenced)

    def _read_accepted(self, key_id: str) -> int:
        answer = saved_answers.read_answer(self.context, self._question(key_id)) or ""
        return int(answer) if answer.isdecimal() else 0

    def _question(self, key_id: str) -> str:
        return f"baseline:{self.scope}:{key_id}"
