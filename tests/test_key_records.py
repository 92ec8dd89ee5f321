"""What is told of a key: where it is, whether it is stored, and the same count and words wherever it is told."""

import base64
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistral_nb import key_records
from mistral_nb.api_key import Key, Secret
from mistral_nb.command_context import Context
from mistral_nb.key_records import KeyRecord, find_place, format_count, format_file_place, format_keys, make_records
from mistral_nb.redaction.findings import Finding
from mistral_nb.redaction.redact import redact, redact_values
from mistral_nb.storage.index import Index, Workspace
from mistral_nb.watchlist import Watchlist
from support.commands import act
from support.git_repos import Repo, git_environment
from support.keys import make_key


def cell(source: Any = "x", number: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"cell-{number}",
        "metadata": {},
        "outputs": [],
        "source": source,
    } | more


def document(*cells: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def stream(*texts: str) -> list[dict[str, Any]]:
    return [{"name": "stdout", "output_type": "stream", "text": [text]} for text in texts]


def display(**data: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": {}}


PLACES: dict[str, tuple[Callable[[str], dict[str, Any]], tuple[Any, ...], str]] = {
    "a source": (lambda k: document(cell(), cell(["x\n", k], 1)), (2, "cell-1", "source"), "cell 2"),
    "a source in one text": (lambda k: document(cell(f"x\n{k}")), (1, "cell-0", "source"), "cell 1"),
    "an output": (
        lambda k: document(cell(outputs=stream("1", k))),
        (1, "cell-0", "output 2"),
        "cell 1 (output 2)",
    ),
    "data of an output": (
        lambda k: document(cell(outputs=[display(**{"text/html": f"<b>{k}</b>"})])),
        (1, "cell-0", "output 1"),
        "cell 1 (output 1)",
    ),
    "an output in base64": (
        lambda k: document(cell(outputs=stream(base64.b64encode(k.encode()).decode()))),
        (1, "cell-0", "output 1"),
        "cell 1 (output 1)",
    ),
    "a cell's metadata": (
        lambda k: document(cell(metadata={"papermill": {"x": k}})),
        (1, "cell-0", "metadata"),
        "cell 1 (metadata)",
    ),
    "an attachment": (
        lambda k: document(cell(cell_type="markdown", attachments={"a.txt": {"text/plain": k}})),
        (1, "cell-0", "attachment"),
        "cell 1 (attachment)",
    ),
    "the notebook's metadata": (
        lambda k: document(cell(), papermill={"parameters": {"k": k}}),
        (None, None, "metadata"),
        "the notebook's metadata",
    ),
    "an id before nbformat 4.5": (
        lambda k: document({"cell_type": "code", "source": k, "outputs": [], "metadata": {}}),
        (1, None, "source"),
        "cell 1",
    ),
    "an id that is written last": (
        lambda k: document({"cell_type": "raw", "source": k, "metadata": {"id": "no"}, "id": "the-id"}),
        (1, "the-id", "source"),
        "cell 1",
    ),
    "an id of the next cell": (
        lambda k: document({"cell_type": "raw", "source": k, "metadata": {}}, cell()),
        (1, None, "source"),
        "cell 1",
    ),
    "the id itself": (lambda k: document(cell(id=k)), (1, None, "id"), "cell 1 (id)"),
    "nbformat 3": (
        lambda k: {"worksheets": [{"cells": [{"cell_type": "code", "input": k}]}], "nbformat": 3, "metadata": {}},
        (1, None, "source"),
        "cell 1",
    ),
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("saved", [False, True], ids=["a file", "values of a save"])
def test_the_place_of_a_key_is_told(name: str, saved: bool) -> None:
    make, expected, words = PLACES[name]
    key = make_key()
    watchlist = Watchlist(known=(key,))
    notebook = make(key.reveal())
    if saved:
        findings = redact_values(notebook, watchlist)[1]
    else:
        findings = redact(json.dumps(notebook, indent=1).encode(), watchlist, name="a.ipynb").findings
    [record] = make_records("a.ipynb", findings, watchlist)
    assert (record.cell, record.cell_id, record.place) == expected
    assert (record.file, record.tier, record.tail, record.fingerprint) == (
        "a.ipynb",
        "known",
        key.tail,
        key.fingerprint,
    )
    assert (record.line is None) is saved
    assert format_keys([record]) == f"…{key.tail} (known) in {words}"
    assert key.reveal()[:15] not in repr(record)


@pytest.mark.parametrize("cell_id", ["a" * 65, "x\\u0041", "0123456789abcdef0123456789abcdef"])
def test_an_id_that_could_be_a_part_of_a_key_or_is_not_nbformats_is_not_told(cell_id: str) -> None:
    key = make_key()
    watchlist = Watchlist(known=(key,))
    data = json.dumps(document(cell(key.reveal(), id="ID"))).replace("ID", cell_id).encode()
    [record] = make_records("a.ipynb", redact(data, watchlist).findings, watchlist)
    assert (record.cell, record.cell_id) == (1, None)


def test_a_file_that_is_no_notebook_has_lines() -> None:
    key = make_key()
    text = f"a\n{key.reveal()} {key.reveal()}\n\n{key.reveal()}"
    records = make_records("a.py", redact(text.encode(), Watchlist(known=(key,))).findings, Watchlist(known=(key,)))
    assert [(record.line, record.cell, record.place) for record in records] == [(2, None, ""), (4, None, "")]
    assert f"{format_count(records)}: {format_keys(records)}" == (
        f"1 key in 2 places: …{key.tail} (known) in line 2 and line 4"
    )


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("", ""),
        ("cells[3].source", "source"),
        ("cells[3].outputs[0].data.text/plain", "output 1"),
        ("cells[3].outputs[11].metadata.x", "output 12"),
        ("cells[3].outputs", "output"),
        ("cells[3].cell_type", "cell_type"),
        ("cells[3]", ""),
        ("metadata.title", "metadata"),
        ("other.cells[3].source", ""),
        ("worksheets[0].cells[2].input", "source"),
    ],
)
def test_the_place_that_a_path_leads_to(path: str, place: str) -> None:
    assert find_place(path) == place


@pytest.mark.parametrize(
    ("stored", "strict", "kept"),
    [(True, False, "stored"), (False, False, "not stored"), (True, True, "unknown"), (False, True, "unknown")],
)
def test_whether_a_store_keeps_the_key_is_told(stored: bool, strict: bool, kept: str) -> None:
    key = make_key()
    finding = Finding("known", key.fingerprint, key.tail, "", 1)
    watchlist = Watchlist(strict=strict, stored=frozenset({key.fingerprint} if stored else ()))
    [record] = make_records("a", [finding], watchlist)
    assert record.kept == kept
    assert (key.tail in key_records.format_copies([record])) is (kept == "not stored")


def test_a_part_of_a_key_counts_with_the_key() -> None:
    key = make_key()
    watchlist = Watchlist(known=(key,))
    [record] = make_records("a", redact(key.reveal()[3:25].encode(), watchlist).findings, watchlist)
    assert (record.kept, record.fingerprint, record.tail) == ("unknown", "", key.tail)
    text = f"{key.reveal()[3:25]}\n{key.reveal()}\n"
    both = make_records("a", redact(text.encode(), watchlist).findings, watchlist)
    assert format_count(both) == "1 key in 2 places"
    [entry] = key_records.keys_to_json(both)
    assert (entry["fingerprint"], entry["kept"], entry["places"]) == (key.fingerprint, "not stored", 2)


def test_a_passphrase_shows_nothing_of_itself() -> None:
    passphrase = make_key().reveal()
    watchlist = Watchlist(known=(Secret(passphrase),))
    records = make_records("a", redact(f"x {passphrase}".encode(), watchlist).findings, watchlist)
    assert format_keys(records) == "part of a key (known) in line 1"
    assert key_records.format_copies(records) == ""


def test_a_key_counts_once_and_in_its_strongest_tier() -> None:
    one, two = make_key(), make_key()

    def record(key: Key, tier: str, line: int) -> KeyRecord:
        return make_records("a", [Finding(tier, key.fingerprint, key.tail, "", line)], Watchlist())[0]

    records = [record(one, "suspected", 1), record(two, "reported", 2), record(one, "known", 3)]
    assert format_count(records) == "2 keys in 3 places"
    assert [entry["tier"] for entry in key_records.keys_to_json(records)] == ["known", "reported"]
    assert format_keys(records) == f"…{one.tail} (known) in line 1 and line 3; …{two.tail} (reported) in line 2"
    assert format_count(records[:2]) == "2 keys"
    assert [entry["places"] for entry in key_records.keys_to_json(records)] == [2, 1]


def test_many_places_are_counted_and_five_are_named() -> None:
    key = make_key()
    findings = [Finding("known", key.fingerprint, key.tail, "", line) for line in range(1, 9)]
    records = make_records("a", findings, Watchlist())
    assert format_count(records) == "1 key in 8 places"
    assert format_keys(records).endswith("in line 1, line 2, line 3, line 4, line 5 and 3 more places")


class Surroundings:
    """A repository with a notebook whose one key, in two places, is there three times; and who tells of it."""

    def __init__(self, repo: Repo, stored: bool) -> None:
        self.repo, self.key = repo, make_key()
        text = self.key.reveal()
        repo.remember(self.key)
        repo.env["MISTRAL_NB_SET_ASIDE"] = "off"
        if stored:
            with Index(repo.env["MISTRAL_NB_HOME"]).edit() as contents:
                contents.workspaces["dev"] = Workspace("keyring", "current", self.key.fingerprint, self.key.tail)
        self.notebook = document(cell("1"), cell(f'a, b = "{text}", "{text}"', 1), cell(number=2, outputs=stream(text)))
        self.data = json.dumps(self.notebook, indent=1).encode()
        self.words = f"…{self.key.tail} (remembered) in cell 2 and cell 3 (output 1)"

    def write(self) -> None:
        self.repo.write("a.ipynb", self.data)

    def raw_entry(self) -> str:
        """For ``git update-index``: the notebook as it is, which the filter has not seen."""
        blob = self.repo.git("hash-object", "-w", "--no-filters", "a.ipynb").strip()
        return f"100644,{blob},a.ipynb"


def by_scan(here: Surroundings) -> str:
    here.write()
    return here.repo.act("scan", paths=[str(here.repo.path)]).shown


def by_scrub(here: Surroundings) -> str:
    here.write()
    shown = here.repo.act("scrub", paths=[str(here.repo.path)]).shown
    assert here.key.reveal().encode() not in here.repo.read("a.ipynb")
    return shown


def by_the_servers_log(here: Surroundings) -> str:
    from jupyter_server.services.contents.largefilemanager import LargeFileManager

    from mistral_nb.jupyter.save_hook import ContentsManagerGuard
    from mistral_nb.jupyter.watchlist_cache import WatchlistCache

    log, told = logging.Logger("a server's"), io.StringIO()
    log.addHandler(logging.StreamHandler(told))
    manager = LargeFileManager(root_dir=str(here.repo.path), log=log)
    ContentsManagerGuard(manager, WatchlistCache(log.warning, here.repo.env)).install()
    manager.save({"type": "notebook", "format": "json", "content": here.notebook}, "a.ipynb")
    return told.getvalue()


def by_an_export(here: Surroundings) -> str:
    from nbconvert.preprocessors import Preprocessor

    from mistral_nb.jupyter.nbconvert_preprocessor import RemoveKeysPreprocessor

    told = io.StringIO()
    preprocessor: Preprocessor = RemoveKeysPreprocessor()
    preprocessor.log = logging.Logger("an exporter's")
    preprocessor.log.addHandler(logging.StreamHandler(told))
    preprocessor.preprocess(here.notebook, {"metadata": {"name": "a", "path": str(here.repo.path)}})
    return told.getvalue()


def by_gits_filter(here: Surroundings) -> str:
    here.repo.protect()
    here.write()
    done = here.repo.run("add", "a.ipynb")
    assert here.key.reveal().encode() not in here.repo.blob(":a.ipynb")
    return done.stderr


def by_gits_filter_of_what_was_committed(here: Surroundings) -> str:
    here.write()
    here.repo.commit()
    here.repo.protect()
    here.repo.touch()
    return here.repo.run("status").stderr


def by_protect(here: Surroundings) -> str:
    here.write()
    here.repo.commit()
    return here.repo.protect().shown


TELLERS = [
    by_scan,
    by_scrub,
    by_the_servers_log,
    by_an_export,
    by_gits_filter,
    by_gits_filter_of_what_was_committed,
    by_protect,
]


@pytest.mark.parametrize("tell", TELLERS)
@pytest.mark.parametrize("stored", [False, True], ids=["in no store", "stored"])
def test_everyone_tells_the_same_of_a_key(
    tell: Callable[[Surroundings], str], stored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Surroundings(Repo(tmp_path / "repo", git_environment(tmp_path)), stored)
    monkeypatch.setenv("MISTRAL_NB_HOME", here.repo.env["MISTRAL_NB_HOME"])
    told = tell(here)
    assert "1 key in 2 places" in told
    if tell is by_scan:  # a line a place, for editors to open
        key = f"Mistral key …{here.key.tail}"
        assert f": {key} in cell 2 (seen on this machine)" in told
        assert f": {key} in cell 3 (output 1) (seen on this machine)" in told
    else:
        assert here.words in told
    assert here.key.reveal()[:15] not in told
    if tell in (by_scrub, by_the_servers_log, by_an_export):  # the key is gone from where it was
        assert (f"In no store here: …{here.key.tail}" in told) is not stored
    else:
        assert "In no store" not in told


def by_a_scan_of_history(here: Surroundings) -> dict[str, Any]:
    return act(
        Context(host="cli", environ=here.repo.env, folder=str(here.repo.path)), "scan", paths=[], git_history=""
    ).report.data


def by_a_scan_of_files(here: Surroundings) -> dict[str, Any]:
    data = here.repo.act("scan", paths=[str(here.repo.path / "a.ipynb")]).report.data
    for entry in data["findings"]:
        entry["file"] = Path(entry["file"]).name
    return data


def by_protect_status(here: Surroundings) -> dict[str, Any]:
    return {"findings": here.repo.act("protect", status=True).report.data["tracked"]}


@pytest.mark.parametrize("tell", [by_a_scan_of_history, by_a_scan_of_files, by_protect_status])
def test_json_has_one_entry_a_key_and_place(tell: Callable[[Surroundings], dict[str, Any]], tmp_path: Path) -> None:
    here = Surroundings(Repo(tmp_path / "repo", git_environment(tmp_path)), True)
    here.write()
    here.repo.commit()
    told = tell(here)
    common = {"tier": "remembered", "tail": here.key.tail, "fingerprint": here.key.fingerprint, "kept": "stored"}
    for entry, place in zip(told["findings"], [(2, "cell-1", "source"), (3, "cell-2", "output 1")], strict=True):
        assert common.items() <= entry.items()
        assert (entry["file"], entry["cell"], entry["cell_id"], entry["place"]) == ("a.ipynb", *place)
        assert set(KeyRecord._fields) <= set(entry)


@pytest.mark.slow
def test_the_pre_push_hook_counts_and_names_places(tmp_path: Path) -> None:
    here = Surroundings(Repo(tmp_path / "repo", git_environment(tmp_path)), False)
    here.repo.write("b.ipynb", b"{}")
    here.repo.commit()
    here.repo.protect()
    here.repo.git("init", "-q", "--bare", str(tmp_path / "other"))
    here.write()
    here.repo.git("update-index", "--add", "--cacheinfo", here.raw_entry())
    here.repo.git("commit", "-q", "-m", "past the filter")
    done = here.repo.run("push", str(tmp_path / "other"), "HEAD:refs/heads/main")
    assert done.returncode != 0
    assert "not pushed: 1 key in 2 places in the commits to be pushed." in done.stderr + done.stdout
    assert "remembered, in cell 2 of a.ipynb and cell 3 (output 1) of a.ipynb; first" in done.stderr + done.stdout


def test_history_names_the_places_of_each_file(tmp_path: Path) -> None:
    here = Surroundings(Repo(tmp_path / "repo", git_environment(tmp_path)), False)
    here.write()
    here.repo.write("b.py", f"\nkey = '{here.key.reveal()}'\n".encode())
    here.repo.commit()
    here.repo.write("a.ipynb", here.data.replace(b'"1"', b'"2"'))
    here.repo.commit("the key is where it was")
    report = here.repo.act("scan", paths=[], git_history="").report
    assert ": 1 key in 3 places found." in report.title
    [row] = [row for row in report.rows if row.label.startswith(f"…{here.key.tail}")]
    assert "remembered, in cell 2 of a.ipynb, cell 3 (output 1) of a.ipynb and line 2 of b.py; first" in row.value


@pytest.mark.parametrize(
    ("file", "place", "told"),
    [
        ("commit 1a2b3c4d5e", key_records.MESSAGE, "the message of commit 1a2b3c4d5e"),
        ("tag 1a2b3c4d5e", key_records.TAGGER, "the tagger of tag 1a2b3c4d5e"),
        ("branch topic-[…]", key_records.NAME, "the name of branch topic-[…]"),
    ],
)
def test_a_place_in_gits_history_that_is_no_file(file: str, place: str, told: str) -> None:
    key = make_key()
    findings = redact(f"one\n{key.reveal()}\n{key.reveal()}".encode(), Watchlist(known=(key,))).findings
    [record] = make_records(file, findings, Watchlist(known=(key,)), place)
    assert (record.file, record.place, record.line) == (file, place, 2)
    assert format_file_place(record) == told
