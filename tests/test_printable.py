"""Names are data: a file, branch, notebook or workspace, and an API's answer, draw nothing and forge no line."""

import io
import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistral_nb import file_scrub
from mistral_nb.api.verdict import judge, parse_identity
from mistral_nb.errors import MistralNbError
from mistral_nb.file_scrub.clean_file import FileResult
from mistral_nb.file_scrub.removal_summary import format_line
from mistral_nb.printable import one_line, safe_json, safe_lines
from mistral_nb.prompts.terminal import write_line
from mistral_nb.report import Lines, Report, Row, as_html, as_json, as_text
from support.git_repos import Repo, git_environment, notebook
from support.jupyter_servers import notebook as model
from support.jupyter_servers import start_server
from support.kernels import clean_environment
from support.keys import make_key, make_text
from support.patience import PATIENCE

HOSTILE = {  # what a name may hold, and how it is shown
    "an escape code": ("a\x1b[2Jb", "a\\x1b[2Jb"),
    "an escape code of one character": ("a\x9b2Jb", "a\\x9b2Jb"),
    "a line break": ("a\n::error::forged", "a\\n::error::forged"),
    "a carriage return": ("a\rb", "a\\rb"),
    "a line separator": ("a\u2028b", "a\\u2028b"),
    "text turned around": ("a\u202egnp.b", "a\\u202egnp.b"),
    "an isolate": ("a\u2066b", "a\\u2066b"),
    "a width of nothing": ("a\u200bb", "a\\u200bb"),
    "a private character": ("a\ue000b", "a\\ue000b"),
    "an unassigned character": ("a\u0378b", "a\\u0378b"),
    "a byte that is not UTF-8": ("a\udc9bb", "a\\udc9bb"),
    "half of a surrogate pair": ("a\ud7fc\ud800b", "a\\ud7fc\\ud800b"),
    "a tag character": ("a\U000e0041b", "a\\U000e0041b"),
}
NAMES = [pytest.param(name, shown, id=kind) for kind, (name, shown) in HOSTILE.items()]


@pytest.mark.parametrize(("name", "shown"), NAMES)
def test_a_name_is_shown_on_one_line_of_printable_characters(name: str, shown: str) -> None:
    assert one_line(name) == shown
    assert one_line("Zürich …Ug6Y 東京 ✓ 🦊") == "Zürich …Ug6Y 東京 ✓ 🦊"


@given(st.text())
def test_nothing_that_is_not_printable_is_left_and_json_says_the_same(text: str) -> None:
    assert one_line(text).isprintable()
    assert safe_lines(text).replace("\n", "").replace("\t", "").isprintable()
    document = safe_json(json.dumps({"name": text}, ensure_ascii=False, indent=2))
    assert document.replace("\n", "").isprintable()
    assert json.loads(document) == {"name": text}


@pytest.mark.parametrize(("name", "shown"), NAMES)
def test_each_place_that_shows_a_name_uses_it(name: str, shown: str) -> None:
    report = Report(name, (Row(name, name, "bad", repair=name),), notes=(name,), data={"file": name})
    for text in (
        as_text(report),
        str(MistralNbError(f"{name} failed.", f"Try {name}.")),
        MistralNbError(name, name)._render_traceback_()[0],
        format_line(FileResult(name, problem=name), write=True),
        judge(403, {}, json.dumps({"message": name}).encode()).sentence,
        judge(429, {"retry-after": name}, b"").sentence,
        judge(301, {"location": f"//{name}"}, b"").sentence,
        str(parse_identity(json.dumps({"workspace": {"name": name}}).encode())),
    ):
        assert text.replace("\n", "").isprintable()
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert as_text(report).count("\n") == 3, "no line more than the report has"
    assert as_text(report).count(shown) == 5
    assert json.loads(as_json(report)) == {"file": name}
    assert as_json(report).replace("\n", "").isprintable()


def test_a_value_of_our_own_may_have_lines() -> None:
    assert as_text(Report("t", (Row("a", Lines("b\nc")), Row("a", "b\nc")))) == "t\n    a  b\n       c\n    a  b\\nc"


@pytest.mark.parametrize("line", ["::error::x", "  ::add-mask::x", "a ##[error]x", "a ##vso[task]x", "##teamcity[x"])
def test_no_line_is_a_command_to_a_ci_system(line: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    write_line(out, f"one\n{line}")
    shown = out.buffer.getvalue().decode()
    assert not any(part.lstrip().startswith("::") for part in shown.splitlines())
    assert not {"##[", "##vso[", "##teamcity["} & {mark for mark in ("##[", "##vso[", "##teamcity[") if mark in shown}
    assert json.loads(safe_json(json.dumps(line))) == line
    assert safe_lines("mistral::x, IPv6 ::1, ## heading") == "mistral::x, IPv6 ::1, ## heading"  # negative control


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)


def test_html_in_a_name_is_text() -> None:
    name = "<img src=x onerror=alert(1)>\"'&<script>\u202e"
    report = Report(name, (Row(name, name, "warn", repair=name),), notes=(name,))
    assert set(_Tags(as_html(report)).found) <= {"div", "table", "tr", "td", "th", "span"}
    assert "\u202e" not in as_html(report)
    assert _Tags(f"<div>{name}</div>").found == ["div", "img", "script"]  # negative control: the search finds it


def test_the_page_never_takes_text_for_html() -> None:
    source = Path(file_scrub.__file__).parents[1].joinpath("prompts/widget/card.js").read_text("utf-8")
    assert "textContent" in source
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "createContextualFragment", "eval("):
        assert way not in source


posix = pytest.mark.skipif(os.name != "posix", reason="no such names on Windows")
ON_DISK = "n\n::error::forged\x1b[31m\u202e.ipynb"
SHOWN = "n\\n::error::forged\\x1b[31m\\u202e.ipynb"


@posix
@pytest.mark.parametrize("words", [["scan", "{}"], ["scrub", "{}"], ["scan", "."], ["scan", "--json", "{}"]])
def test_scan_and_scrub_of_a_forged_name(words: list[str], tmp_path: Path) -> None:
    env = clean_environment(tmp_path)
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / ON_DISK).write_bytes(notebook(f'Mistral(api_key="{make_text()}")'))
    done = subprocess.run(
        [sys.executable, "-m", "mistral_nb", *(word.format(ON_DISK) for word in words)],
        cwd=folder, env=env, capture_output=True, text=True, timeout=60 * PATIENCE,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert said.replace("\n", "").isprintable(), said
    assert not any(line.lstrip().startswith("::") for line in said.splitlines())
    if "--json" in words:
        assert os.path.basename(json.loads(done.stdout)["findings"][0]["file"]) == ON_DISK
    else:
        assert SHOWN in said


@pytest.mark.slow
@posix
def test_gits_filter_and_a_scan_of_the_history_show_a_forged_name(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo", git_environment(tmp_path))
    repo.protect()
    repo.write(ON_DISK, notebook(f'Mistral(api_key="{make_text()}")'))
    said = repo.run("add", ".").stderr
    assert SHOWN in said
    assert said.replace("\n", "").isprintable()
    repo.commit()
    branch = "b\u202e\u2066x"
    repo.git("checkout", "-q", "-b", branch)
    repo.write(f"x{ON_DISK[:-6]}.txt", f'Mistral(api_key="{make_text()}")'.encode())
    repo.commit()
    acted = repo.act("scan", paths=[], git_history="--all")
    assert acted.report.exit_code == 1
    assert as_text(acted.report).replace("\n", "").isprintable()


@pytest.mark.slow
@posix
def test_the_servers_log_shows_a_forged_name(tmp_path: Path) -> None:
    with start_server(clean_environment(tmp_path), tmp_path / "served") as server:
        key = make_key()
        reply = server.save(ON_DISK, model(f'Mistral(api_key="{key.reveal()}")'))
        assert reply.status < 300
        ours = [line for line in server.log.splitlines() if "key removed" in line]
    assert len(ours) == 1
    assert SHOWN in ours[0]
    assert "\x1b[31m" not in ours[0].partition("mistral_nb:")[2]
