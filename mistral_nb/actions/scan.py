"""`scan`: report keys in files, or in a repository's history; nothing is changed."""

from mistral_nb.actions.context import Context
from mistral_nb.actions.files import over_files
from mistral_nb.errors import WrongUsage
from mistral_nb.report import Action


def action(
    context: Context,
    paths: list[str],
    everything: bool = False,
    git_history: str | None = None,
    replacement_file: str | None = None,
) -> Action:
    """``git_history``: a range of commits, "" for all of them."""
    if git_history is not None:
        from mistral_nb.actions import scan_history

        if paths or everything:
            raise WrongUsage("History is scanned alone.", "Give either --git-history or paths.")
        return (yield from scan_history.action(context, git_history, replacement_file))
    if not paths:
        raise WrongUsage("There is nothing to scan.", "Give files or folders, or --git-history.")
    if replacement_file is not None:
        raise WrongUsage("A replacement file is for history.", "Use it with --git-history.")
    report = yield from over_files(context, paths, everything=everything, write=False)
    return report
