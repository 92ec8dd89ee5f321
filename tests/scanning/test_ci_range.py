"""In CI, without a range, a scan of history reads the commits that the run is about."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.report import as_text
from mistral_nb.scanning.ci_range import CiRun, read_run
from support.git_repos import Repo, git_environment, uses
from support.keys import make_key
from support.requirements import need

ZEROS = "0" * 40


class Remote:
    """A clone whose history has an old key on main, a new one on a branch, and a commit without one after it."""

    def __init__(self, folder: Path) -> None:
        need("git")
        self.folder = folder
        self.repo = Repo(folder / "repo", git_environment(folder))
        self.old, self.new = make_key(), make_key()
        self.repo.remember(self.old, self.new)
        self.base = self.add("old.py", uses(self.old))
        self.repo.git("update-ref", "refs/remotes/origin/main", self.base)
        self.repo.git("switch", "-q", "-c", "topic")
        self.with_key = self.add("new.py", uses(self.new))
        self.head = self.add("other.py", "nothing")

    def add(self, name: str, text: str) -> str:
        self.repo.write(name, text.encode())
        self.repo.commit()
        return self.repo.git("rev-parse", "HEAD").strip()

    def github(self, event: str, payload: dict[str, Any], **more: str) -> dict[str, str]:
        file = self.folder / "event.json"
        file.write_text(json.dumps(payload))
        named = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": str(file)}
        return named | {"GITHUB_SHA": self.head, "GITHUB_REF": "refs/heads/topic"} | more

    def gitlab(self, source: str, **more: str) -> dict[str, str]:
        return {"GITLAB_CI": "true", "CI_PIPELINE_SOURCE": source, "CI_COMMIT_SHA": self.head} | more

    def scan(self, environ: dict[str, str], revisions: str = "") -> Any:
        self.repo.env = self.repo.env | environ
        return self.repo.act("scan", paths=[], git_history=revisions).report

    def tails(self, environ: dict[str, str], revisions: str = "") -> set[str]:
        return {key["tail"] for key in self.scan(environ, revisions).data["keys"]}


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


def github_push(remote: Remote, before: str) -> dict[str, str]:
    payload = {"before": before, "after": remote.head, "repository": {"default_branch": "main"}}
    return remote.github("push", payload)


def github_pull_request(remote: Remote, base: str) -> dict[str, str]:
    payload = {"pull_request": {"base": {"sha": base}, "head": {"sha": remote.head}}}
    return remote.github("pull_request", payload, GITHUB_REF="refs/pull/1/merge", GITHUB_HEAD_REF="topic")


def github_target(remote: Remote, base: str) -> dict[str, str]:
    payload = {"pull_request": {"base": {"sha": base}, "head": {"sha": remote.head}}}
    return remote.github("pull_request_target", payload, GITHUB_SHA=remote.base)


def github_queue(remote: Remote, base: str) -> dict[str, str]:
    return remote.github("merge_group", {"merge_group": {"base_sha": base, "head_sha": remote.head}})


def gitlab_push(remote: Remote, before: str) -> dict[str, str]:
    return remote.gitlab("push", CI_COMMIT_BEFORE_SHA=before, CI_COMMIT_BRANCH="topic", CI_DEFAULT_BRANCH="main")


def gitlab_request(remote: Remote, base: str) -> dict[str, str]:
    more = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": base, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "topic"}
    return remote.gitlab("merge_request_event", **more)


RUNS = (github_push, github_pull_request, github_target, github_queue, gitlab_push, gitlab_request)


@pytest.mark.parametrize("run", RUNS)
def test_the_commits_of_the_run_alone_are_read(run: Callable[[Remote, str], dict[str, str]], remote: Remote) -> None:
    report = remote.scan(run(remote, remote.base))
    assert {key["tail"] for key in report.data["keys"]} == {remote.new.tail}
    assert remote.head[:10] in as_text(report)
    assert remote.tails(run(remote, remote.with_key)) == set()
    assert remote.tails(run(remote, remote.base), "--all") == {remote.old.tail, remote.new.tail}, "the control"


@pytest.mark.parametrize("run", [github_push, gitlab_push])
def test_a_new_branch_is_compared_with_the_default_branch(
    run: Callable[[Remote, str], dict[str, str]], remote: Remote
) -> None:
    assert remote.tails(run(remote, ZEROS)) == {remote.new.tail}


def test_the_first_push_of_the_default_branch_is_read_whole(remote: Remote) -> None:
    environ = github_push(remote, ZEROS) | {"GITHUB_REF": "refs/heads/main"}
    assert remote.tails(environ) == {remote.old.tail, remote.new.tail}


def test_without_the_base_everything_is_read_and_the_report_says_so(remote: Remote) -> None:
    report = remote.scan(github_push(remote, "1" * 40))
    assert {key["tail"] for key in report.data["keys"]} == {remote.old.tail, remote.new.tail}
    assert "not in this clone" in as_text(report)
    assert "fetch-depth: 0" in as_text(report)


@pytest.mark.parametrize("event", ["schedule", "workflow_dispatch"])
def test_a_run_about_no_commits_reads_everything(event: str, remote: Remote) -> None:
    assert remote.tails(remote.github(event, {})) == {remote.old.tail, remote.new.tail}


def test_the_name_of_the_branch_is_looked_at(remote: Remote) -> None:
    key = make_key()
    remote.repo.remember(key)
    environ = github_push(remote, remote.with_key) | {"GITHUB_REF": f"refs/heads/{key.reveal()}"}
    report = remote.scan(environ)
    assert [found["place"] for found in report.data["findings"]] == ["name"]
    assert key.reveal() not in as_text(report) + json.dumps(report.data)


def test_a_range_that_is_named_wins(remote: Remote) -> None:
    assert remote.tails(github_push(remote, remote.base), f"{remote.with_key}..topic") == set()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"after": 1, "repository": []}', "[" * 100_000])
def test_an_event_that_is_none(text: str, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(text)
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(file), "GITHUB_SHA": "x"}
    assert read_run(environ) == CiRun("GitHub push", ("", "x"))
    assert read_run(environ | {"GITHUB_EVENT_PATH": str(tmp_path / "none")}) == CiRun("GitHub push", ("", "x"))


def test_an_option_in_the_place_of_a_commit_is_none(remote: Remote, tmp_path: Path) -> None:
    written = tmp_path / "written"
    payload = {"before": f"--output={written}", "after": f"--output={written}"}
    assert remote.tails(remote.github("push", payload, GITHUB_SHA="--all")) == {remote.old.tail, remote.new.tail}
    assert not written.exists()


def test_outside_of_ci_there_is_no_range() -> None:
    assert read_run({"GITHUB_SHA": "x", "CI": "true"}) is None
