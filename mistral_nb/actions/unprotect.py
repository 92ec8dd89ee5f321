"""`unprotect`: undo `protect`, here or everywhere it was run."""

import os
from typing import TYPE_CHECKING

from mistral_nb.actions.context import Context
from mistral_nb.errors import MistralNbError
from mistral_nb.report import Action, Report, Row

if TYPE_CHECKING:
    from mistral_nb.git.plumbing import Git


def action(context: Context, everything: bool = False, everywhere: bool = False) -> Action:
    yield from ()
    from mistral_nb.git import protect
    from mistral_nb.git.plumbing import Git

    git = Git(context.folder, context.environ)
    home = context.config.home
    try:
        if everything:
            return _all(context, home)
        if everywhere:
            return _said(protect.unprotect_all(git, home), "your git configuration")
        return _one(git, home)
    except OSError as error:
        why = f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}"
        raise MistralNbError(f"Protection could not be taken away: {why}.", "Mend that, and run it again.") from None


def _one(git: "Git", home: str) -> Report:
    from mistral_nb.git import attributes, driver, protect

    done = protect.unprotect(git, home)
    report = _said(done, "this repository")
    where = protect.find(git)
    rows = list(report.rows)
    if driver.configured(where.git):
        rows.append(Row("still on", "all your repositories are protected", "", "mistral-nb unprotect --global"))
    elif driver.NAME in attributes.filters(where.git, ()):
        words = "a line in an attributes file that is not ours to take out; without the filter it does nothing"
        if any(".gitattributes" in part for part in done):  # git looks into what is staged, where the file is gone
            words = "the line in what is committed: commit the change of .gitattributes"
        rows.append(Row("left", words))
    return Report(report.title, tuple(rows), data=report.data)


def _all(context: Context, home: str) -> Report:
    """Every place that was noted; one that is gone, or can't be changed, is said, and the others go on."""
    from mistral_nb.git import protect
    from mistral_nb.git.places import Places
    from mistral_nb.git.plumbing import Git

    rows, code = [], 0
    for git_dir in dict.fromkeys(place.git_dir for place in Places(home).all()):
        folder = next(place.folder for place in Places(home).of(git_dir)) or "all your repositories"
        environ = {name: value for name, value in context.environ.items() if not name.startswith("GIT_")}
        try:
            if not git_dir:
                done = protect.unprotect_all(Git(context.folder, environ), home)
            elif not os.path.isdir(git_dir):
                Places(home).forget(git_dir)
                rows.append(Row(folder, "is gone"))
                continue
            else:
                done = protect.unprotect(Git(folder if os.path.isdir(folder) else git_dir, environ), home)
            rows.append(Row(folder, f"taken away: {', '.join(done) or 'nothing'}", "ok"))
        except (MistralNbError, OSError) as error:
            rows.append(Row(folder, str(error), "bad"))
            code = 3
    title = "✓ Protection is taken away everywhere." if rows and not code else "Nothing was set up."
    return Report("Not everything could be undone." if code else title, tuple(rows), exit_code=code)


def _said(done: list[str], what: str) -> Report:
    if not done:
        return Report(f"Nothing of it was in {what}.", data={"removed": []})
    title = f"✓ Protection is taken away from {what}; git stores files as they are again."
    return Report(title, tuple(Row("removed", part, "ok") for part in done), data={"removed": done})
