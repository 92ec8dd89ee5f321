"""`scan --verify`: which keys Mistral is asked about, how often, and what the answers change."""

import json
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api.verdict import Verdict
from mistral_nb.api_key import Key
from mistral_nb.errors import HostRefused
from mistral_nb.scanning import found_keys
from mistral_nb.storage.index import Index
from support.commands import act
from support.git_repos import Repo, git_environment
from support.keys import make_key, make_text
from support.requirements import need
from support.sandboxes import FaultySandbox
from support.scans import FORMATS, scan_in, shown_by_scan

SOURCE = '# Mistral\nMISTRAL_API_KEY = "{}"\n'


class Api:
    """Counts what it is asked; accepts the keys that are ``live``."""

    def __init__(self, *live: Key) -> None:
        self.live, self.asked = set(live), []

    def __call__(self, key: Key, base: str) -> Verdict:
        self.asked.append(key.fingerprint)
        return Verdict("accepted" if key in self.live else "refused", "What that means.")


def verify(new_context: Any, folder: Path, api: Any, **flags: Any) -> Any:
    context = new_context("cli", folder=str(folder), ask_api=api)
    return act(context, "scan", paths=[str(folder)], verify=True, **flags)


def test_live_keys_come_first_and_each_is_asked_about_once(new_context: Any, folder: Path) -> None:
    refused, live = make_key(), make_key()
    for name, key in (("a", refused), ("b", live), ("c", live)):
        (folder / f"{name}.py").write_text(SOURCE.format(key.reveal()))
    api = Api(live)
    acted = verify(new_context, folder, api, output_format="json")
    assert sorted(api.asked) == sorted([refused.fingerprint, live.fingerprint])
    found = json.loads(acted.report.document)["findings"]
    assert [finding["answer"] for finding in found] == ["live", "live", "refused"]
    assert acted.report.exit_code == 1
    assert f"Live, Mistral accepts it: revoke …{live.tail}." in acted.report.notes
    assert f"Refused by Mistral: …{refused.tail}." in acted.report.notes


def test_without_the_flag_nothing_is_asked(new_context: Any, folder: Path, key: Key) -> None:
    (folder / "a.py").write_text(SOURCE.format(key.reveal()))
    api = Api()
    act(new_context("cli", folder=str(folder), ask_api=api), "scan", paths=[str(folder)])
    assert api.asked == []


@pytest.mark.parametrize("tier", ["suspected", "remembered", "known", "reported"])
def test_a_key_of_any_tier_is_asked_about(tier: str, new_context: Any, folder: Path, environ: dict[str, str]) -> None:
    key = make_key()
    (folder / "a.py").write_text(SOURCE.format(key.reveal()))
    if tier == "remembered":
        Index(environ["MISTRAL_NB_HOME"]).remember(key)
    elif tier == "known":
        environ["MISTRAL_API_KEY"] = key.reveal()
    elif tier == "reported":
        (folder / ".mistral-nb-revoked").write_text(key.fingerprint)
    api = Api(key)
    acted = verify(new_context, folder, api)
    assert api.asked == [key.fingerprint]
    assert acted.report.findings[0].answer == "live"


def test_another_vendors_key_and_a_part_of_a_key_go_nowhere(
    new_context: Any, folder: Path, environ: dict[str, str]
) -> None:
    key = make_key()
    environ["MISTRAL_API_KEY"] = key.reveal()
    (folder / "a.py").write_text(f'OPENAI_API_KEY = "{make_text()}"\nx = "{key.reveal()[:20]}"\n')
    api = Api()
    acted = verify(new_context, folder, api)
    assert api.asked == []
    assert [finding.answer for finding in acted.report.findings] == ["not asked"]


def test_a_mistral_that_cannot_be_reached_is_asked_once_and_the_scan_is_incomplete(
    new_context: Any, folder: Path, sandbox: FaultySandbox
) -> None:
    for number in range(3):
        (folder / f"{number}.py").write_text(SOURCE.format(make_key().reveal()))
    sandbox.set_fault("503")
    acted = scan_in(new_context, folder, verify=True)
    assert acted.report.exit_code == 3
    assert "3 keys could not be asked about" in acted.shown
    assert sum(step.startswith("Asking Mistral") for step in acted.steps) == 1


def test_more_keys_than_are_asked_about_are_told(
    new_context: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(found_keys, "MAX_ASKED", 2)
    (folder / "a.py").write_text("".join(SOURCE.format(make_key().reveal()) for _ in range(3)))
    api = Api()
    acted = verify(new_context, folder, api)
    assert len(api.asked) == 2
    assert "Mistral was asked about 2 of 3 keys" in acted.shown
    assert acted.report.exit_code == 3


def test_no_key_is_sent_to_another_host(new_context: Any, folder: Path, environ: dict[str, str], key: Key) -> None:
    (folder / "a.py").write_text(SOURCE.format(key.reveal()))
    environ["MISTRAL_NB_API"] = "https://elsewhere.invalid"
    api = Api()
    with pytest.raises(HostRefused):
        verify(new_context, folder, api)
    assert api.asked == []


@pytest.mark.parametrize("output_format", FORMATS)
def test_every_format_tells_that_a_key_works_and_shows_none(output_format: str, new_context: Any, folder: Path) -> None:
    key = make_key()
    (folder / "a.py").write_text(SOURCE.format(key.reveal()))
    shown = shown_by_scan(verify(new_context, folder, Api(key), output_format=output_format))
    assert "Mistral accepts it" in shown or '"live"' in shown
    assert key.reveal()[:15] not in shown
    assert key.reveal() in (folder / "a.py").read_text()


def test_a_key_of_an_older_commit_is_asked_about(new_context: Any, tmp_path: Path) -> None:
    need("git")
    key = make_key()
    repo = Repo(tmp_path / "repo", git_environment(tmp_path))
    repo.write("a.py", SOURCE.format(key.reveal()).encode())
    repo.commit()
    repo.write("a.py", b"x = 1\n")
    repo.commit()
    api = Api(key)
    context = new_context("cli", environ=repo.env, folder=str(repo.path), ask_api=api)
    report = act(context, "scan", paths=[], git_history="", verify=True).report
    assert api.asked == [key.fingerprint]
    assert [finding.answer for finding in report.findings] == ["live"]
