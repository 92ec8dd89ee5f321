"""`unprotect`: undo `protect`, here or everywhere it was run."""

import os
from typing import TYPE_CHECKING

from mistral_nb import exit_codes
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError, reason
from mistral_nb.paths import without_git_variables
from mistral_nb.report import Action, Report, Row

if TYPE_CHECKING:
    from mistral_nb.git.run_git import Git


def action(context: Context, everything: bool = False, everywhere: bool = False) -> Action:
    yield from ()
    from mistral_nb.git import repository_protection
    from mistral_nb.git.run_git import Git

    git = Git.at_work(context.folder, context.environ)
    home = context.config.home
    try:
        if everything:
            return unprotect_everywhere(context)
        if everywhere:
            return _make_report(repository_protection.unprotect_all(git, home), "your git configuration")
        return _unprotect_repository(git, home)
    except OSError as error:
        why = f"{error.filename or 'a file'}: {reason(error)}"
        raise MistralNbError(f"Could not remove protection: {why}.", "Fix this and run the command again.") from None


def _unprotect_repository(git: "Git", home: str) -> Report:
    from mistral_nb.git import attributes, filter_config, repository_protection

    done = repository_protection.unprotect(git, home)
    report = _make_report(done, "this repository")
    where = repository_protection.find_repository(git)
    rows = list(report.rows)
    if filter_config.read_driver(where.git):
        rows.append(Row("still on", "all your repositories are protected", "", "mistral-nb unprotect --global"))
    elif filter_config.NAME in attributes.find_filters(where.git, ()):
        words = "a line in an attributes file that mistral_nb did not add; without the filter it has no effect"
        if any(".gitattributes" in part for part in done):  # git reads the staged version if the file is gone
            words = "the line in what is committed: commit the change of .gitattributes"
        rows.append(Row("left", words))
    return Report(report.title, tuple(rows), data=report.data)


def unprotect_everywhere(context: Context) -> Report:
    """Every recorded place; one that is gone or can't be changed is reported, and the others continue."""
    from mistral_nb.git import repository_protection
    from mistral_nb.git.protected_repos import ProtectedRepos
    from mistral_nb.git.run_git import Git

    home = context.config.home
    rows, code = [], exit_codes.OK
    for git_dir in dict.fromkeys(place.git_dir for place in ProtectedRepos(home).read_all()):
        folder = next(place.folder for place in ProtectedRepos(home).find(git_dir)) or "all your repositories"
        environ = without_git_variables(context.environ)
        try:
            if not git_dir:
                done = repository_protection.unprotect_all(Git(context.folder, environ), home)
            elif not os.path.isdir(git_dir):
                ProtectedRepos(home).remove(git_dir)
                rows.append(Row(folder, "is gone"))
                continue
            else:
                done = repository_protection.unprotect(
                    Git.at_work(folder if os.path.isdir(folder) else git_dir, environ), home
                )
            rows.append(Row(folder, f"removed: {', '.join(done) or 'nothing'}", "ok"))
        except (MistralNbError, OSError) as error:
            rows.append(Row(folder, str(error), "bad"))
            code = exit_codes.INCOMPLETE
    title = "✓ Removed protection everywhere." if rows and not code else "Nothing was set up."
    return Report("Not everything could be undone." if code else title, tuple(rows), exit_code=code)


def _make_report(done: list[str], what: str) -> Report:
    if not done:
        return Report(f"Nothing to remove in {what}.", data={"removed": []})
    title = f"✓ Removed protection from {what}; git stores files unchanged again."
    return Report(title, tuple(Row("removed", part, "ok") for part in done), data={"removed": done})
