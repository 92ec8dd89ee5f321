"""`scan`: report keys in files, or in a repository's history; nothing is changed."""

from mistral_nb import environment
from mistral_nb.command_context import Context
from mistral_nb.errors import WrongUsage
from mistral_nb.report import Action
from mistral_nb.scanning.bulk_scrub import process_files


def action(
    context: Context,
    paths: list[str],
    notebooks: bool = False,
    git_history: str | None = None,
    replacement_file: str | None = None,
) -> Action:
    """``git_history``: a range of commits, "" for all of them."""
    environment.register_variables(context.environ)
    if git_history is not None:
        from mistral_nb.scanning import git_history_report

        if paths or notebooks:
            raise WrongUsage("--git-history cannot be combined with paths.", "Give either --git-history or paths.")
        return (yield from git_history_report.action(context, git_history, replacement_file))
    if replacement_file is not None:
        raise WrongUsage("--replacement-file requires --git-history.", "Add --git-history.")
    report = yield from process_files(context, paths or ["."], write=False, only_notebooks=notebooks)
    return report
