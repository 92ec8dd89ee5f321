"""Which commits a CI run is about: those that were pushed, or those of the pull or merge request.

From GitHub's and GitLab's documented variables, and GitHub's file with the event.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mistral_nb.bounded_json import load_json
from mistral_nb.bounded_read import read_file

if TYPE_CHECKING:
    from mistral_nb.git.run_git import Git

_LARGEST_EVENT = 32 << 20  # bytes: GitHub allows 25 MB
_BRANCHES = "refs/heads/"


class CiRun(NamedTuple):
    """``heads``: objects, of which the first that is here counts. ``base``: an object or a branch that was there
    before; "" for none. ``reference``: the branch or tag that is new; "" where it is not told."""

    name: str
    heads: tuple[str, ...]
    base: str = ""
    reference: str = ""


class CiRange(NamedTuple):
    """``revisions``: as for git log. ``is_whole``: the base is not in this clone, so all that is here is meant."""

    run: CiRun
    revisions: tuple[str, ...]
    is_whole: bool


def find_range(git: "Git", environ: Mapping[str, str]) -> CiRange | None:
    """The range of the CI run that this is; None elsewhere, and in a run that is about no commits (a schedule)."""
    run = read_run(environ)
    if run is None:
        return None
    head = next((each for each in run.heads if _is_here(git, each)), "HEAD")
    if not run.base:
        return CiRange(run, (head,), False)
    bases = (run.base, f"refs/remotes/origin/{run.base}")
    base = next((each for each in bases if _is_here(git, each)), None)
    return CiRange(run, (head, "--not", base) if base else (head,), base is None)


def read_run(environ: Mapping[str, str]) -> CiRun | None:
    """What the variables say; None where they name no commits."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return _read_github(environ)
    if environ.get("GITLAB_CI") == "true":
        return _read_gitlab(environ)
    return None


def _read_github(environ: Mapping[str, str]) -> CiRun | None:
    event, commit, reference = _read_event(environ), environ.get("GITHUB_SHA", ""), environ.get("GITHUB_REF", "")
    kind = environ.get("GITHUB_EVENT_NAME", "")
    if kind == "push":
        heads = (_text(event, "after"), commit)
        default = _text(event, "repository", "default_branch")
        base = _before(_text(event, "before"), default, reference)
        return CiRun("GitHub push", heads, base, reference)
    if kind in ("pull_request", "pull_request_target"):
        head = _text(event, "pull_request", "head", "sha")
        heads = (commit, head) if kind == "pull_request" else (head, "")  # else it is a commit of the base
        branch = environ.get("GITHUB_HEAD_REF", "")
        return CiRun(
            "GitHub pull request",
            heads,
            _text(event, "pull_request", "base", "sha"),
            _BRANCHES + branch if branch else "",
        )
    if kind == "merge_group":
        heads = (_text(event, "merge_group", "head_sha"), commit)
        return CiRun("GitHub merge queue", heads, _text(event, "merge_group", "base_sha"))
    return None


def _read_gitlab(environ: Mapping[str, str]) -> CiRun | None:
    kind, heads = environ.get("CI_PIPELINE_SOURCE", ""), (environ.get("CI_COMMIT_SHA", ""),)
    if kind == "merge_request_event":
        branch = environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "")
        base = environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA", "")
        return CiRun("GitLab merge request", heads, base, _BRANCHES + branch if branch else "")
    if kind == "push":
        tag, branch = environ.get("CI_COMMIT_TAG", ""), environ.get("CI_COMMIT_BRANCH", "")
        reference = f"refs/tags/{tag}" if tag else _BRANCHES + branch if branch else ""
        before = environ.get("CI_COMMIT_BEFORE_SHA", "")
        return CiRun("GitLab push", heads, _before(before, environ.get("CI_DEFAULT_BRANCH", ""), reference), reference)
    return None


def _before(before: str, default_branch: str, reference: str) -> str:
    """What was there before a push: for a new branch or tag the default branch; "" for the default branch itself."""
    if before.strip("0"):
        return before
    return "" if reference == _BRANCHES + default_branch else default_branch


def _read_event(environ: Mapping[str, str]) -> Any:
    try:
        return load_json(read_file(environ.get("GITHUB_EVENT_PATH", ""), _LARGEST_EVENT))
    except (OSError, ValueError):
        return None


def _text(value: Any, *names: str) -> str:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _is_here(git: "Git", name: str) -> bool:
    """Whether a commit or a tag is in this clone; a name that looks like an option is none."""
    words = ("rev-parse", "-q", "--verify", "--end-of-options", f"{name}^{{commit}}")
    return bool(name) and git.run(*words).returncode == 0
