"""The table of docs/attribution: whose a literal is, asked of the rule and of everything of ours that asks it."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from nbconvert.preprocessors import Preprocessor
from nbformat import from_dict

from mistral_nb.api_key import MARKER
from mistral_nb.file_scrub.clean_file import CleanOptions, clean_file
from mistral_nb.git.filter_content import ContentFilter
from mistral_nb.git.run_git import Git
from mistral_nb.guard import cell_keys
from mistral_nb.jupyter.contents_models import clean_model
from mistral_nb.jupyter.nbconvert_preprocessor import RemoveKeysPreprocessor
from mistral_nb.redaction.attribution import MISTRAL, NOBODY, OTHER, Document
from mistral_nb.redaction.mistral_words import (
    HEADER_ERROR,
    LOWER_PARTS,
    NAMES,
    UPPER_PARTS,
    may_name_mistral,
    names_mistral,
)
from mistral_nb.redaction.prefilter import Prefilter
from mistral_nb.redaction.redact import redact, redact_text
from mistral_nb.watchlist import Watchlist
from support.attribution import CASES, Case
from support.forms import STYLES, notebook, rng_of
from support.keys import make_key

NOBODY_KNOWN = Watchlist()
# For what asks several callers, which all ask the same rule: an eighth of the rows, the others in the long run.
SOME_CASES = [pytest.param(case, marks=[pytest.mark.slow] * (number % 8 > 0)) for number, case in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_case_in_a_file_and_in_notebooks(case: Case) -> None:
    key = make_key(rng_of(str(case))).reveal()
    for data, is_notebook in case.documents(key):
        place = data.index(key.encode())
        owner = Document(data, notebook=is_notebook).find_owner(place, place + len(key))
        assert owner.whose == case.owner
        assert key.lower() not in owner.name.lower()


# Each answers whether the caller takes the key for Mistral's.
def _scan(case: Case, key: str, folder: Path) -> bool:
    path = folder / "a.ipynb"
    path.write_bytes(STYLES["as Jupyter"](case.notebook(key)))
    return bool(clean_file(str(path), NOBODY_KNOWN, CleanOptions(write=False)).removed)


def _scan_of_a_text(case: Case, key: str, folder: Path) -> bool:
    path = folder / "a.txt"
    path.write_bytes(case.file(key))
    return bool(clean_file(str(path), NOBODY_KNOWN, CleanOptions(write=False)).left)


def _save_hook(case: Case, key: str, folder: Path) -> bool:
    model = {"type": "notebook", "format": "json", "content": case.notebook(key)}
    clean_model(model, str(folder / "a.ipynb"), NOBODY_KNOWN)
    return key not in json.dumps(model)


def _git_filter(case: Case, key: str, folder: Path) -> bool:
    data = STYLES["one line"](case.notebook(key))
    cleaned = ContentFilter(str(folder), say=lambda _: None, git=Git.at_path(str(folder))).clean("a.ipynb", data)
    return key.encode() not in cleaned


def _exporter(case: Case, key: str, folder: Path) -> bool:
    preprocessor: Preprocessor = RemoveKeysPreprocessor()
    exported, _ = preprocessor.preprocess(from_dict(case.notebook(key)), {"metadata": {"path": str(folder)}})
    return key not in json.dumps(exported)


def _cell_note(case: Case, key: str, folder: Path) -> bool:
    """The kernel's note, where the cell is the second one that runs."""
    cell_keys.note_mistral(case.elsewhere)
    return [found.reveal() for found in cell_keys.find_keys(case.cell(key))] == [key]


CALLERS: tuple[Callable[[Case, str, Path], bool], ...] = (
    _scan,
    _scan_of_a_text,
    _save_hook,
    _git_filter,
    _exporter,
    _cell_note,
)


@pytest.mark.parametrize("case", SOME_CASES, ids=str)
def test_every_caller_gives_the_tables_answer(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_NB_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(cell_keys._notebook, "names Mistral", False)
    key = make_key(rng_of(str(case))).reveal()
    for caller in CALLERS:
        if caller is not _cell_note or case.language != "output":
            assert caller(case, key, tmp_path) == (case.owner == MISTRAL), caller.__name__


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_mistrals_is_removed_and_seen_by_the_prefilter(case: Case, tmp_path: Path) -> None:
    key = make_key(rng_of(str(case))).reveal()
    for data, is_notebook in case.documents(key):
        cleaned = redact(data, NOBODY_KNOWN)
        if case.owner == MISTRAL:
            assert cleaned.data == data.replace(key.encode(), MARKER.encode())
            assert not (is_notebook and Prefilter(str(tmp_path)).is_clean(data))
        else:
            assert cleaned.data is data
            assert {finding.tier for finding in cleaned.findings} <= {"noted"}
        assert redact(cleaned.data, NOBODY_KNOWN).data is cleaned.data


def test_the_table_has_every_kind_of_case() -> None:
    counts = Counter((case.language, case.owner) for case in CASES)
    assert len(CASES) > 300
    assert len(set(map(str, CASES))) == len(CASES)
    for language in ("python", "shell", "dotenv", "javascript", "r", "yaml", "json", "toml", "markdown", "output"):
        assert counts[language, MISTRAL]
        assert counts[language, OTHER]
    assert {case.owner for case in CASES} == {MISTRAL, OTHER, NOBODY}
    assert all(case.text.count("{KEY}") == 1 for case in CASES)


class TestNoListOfVendors:
    """Whatever a vendor is called: words are made here that no list has."""

    VENDORS = ("Vranstek", "qobblify", "UXJ", "Zed9", "TriPod", "kelp_works")
    LABELS = ("{0}_API_KEY", "{0}_TOKEN", "{0}_secret", "{0}-api-key", "{0}ApiKey", "MY_{0}_ACCESS_TOKEN", "X-{0}-Key")
    TEXTS = (
        'import mistralai\nx = {{"{label}": "{key}"}}\n',
        "mistralai\n{label}={key}\n",
        "mistralai\n{label}: {key}\n",
    )

    @pytest.mark.parametrize("text", TEXTS)
    @pytest.mark.parametrize("label", LABELS)
    @pytest.mark.parametrize("vendor", VENDORS)
    def test_a_label_with_a_name_is_of_that_vendor(self, vendor: str, label: str, text: str) -> None:
        key = make_key(rng_of(vendor, label)).reveal()
        name = label.format(vendor)
        data = text.format(label=name, key=key)
        assert redact_text(data, NOBODY_KNOWN)[0] is data
        ours = text.format(label=label.format("mistral"), key=key)
        assert MARKER in redact_text(ours, NOBODY_KNOWN)[0]


WORDS_WITH_A_VENDOR_IN_THEM = (
    *("summarizer", "coherence", "laws_", "redistribution", "lightweights", "polarized", "notarize", "rexamine"),
    *("exact", "reserped", "grokking", "hugging", "googlewhack", "stripes", "cometic", "neptunian", "redisplay"),
)


@pytest.mark.parametrize("word", WORDS_WITH_A_VENDOR_IN_THEM)
def test_a_word_that_only_contains_a_vendors_name_hides_nothing(word: str) -> None:
    texts = ('{word} = "{key}"', '{word} = run(api_key="{key}")', '{word} = {Word}(api_key="{key}")', '{word}("{key}")')
    key = make_key(rng_of(word)).reveal()
    for text in texts:
        line = text.format(word=word, Word=word.title().strip("_"), key=key)
        assert MARKER in redact_text(f"import mistralai\n{line}\n", NOBODY_KNOWN)[0], text


@pytest.mark.parametrize("between", ["\n\n", "\n# %%\n", "\n```\n\n```\n"])
def test_the_nearest_address_counts(between: str) -> None:
    """Two clients in one document, each with its own address: the one key goes and the other stays."""
    ours, other = (make_key(rng_of("nearest", whose)).reveal() for whose in "ab")
    clients = [
        f'OpenAI(\n  api_key="{key}",\n  base_url="https://{host}/v1",\n)'
        for key, host in ((ours, "api.mistral.ai"), (other, "api.fooble.com"))
    ]
    for order in (clients, clients[::-1]):
        cleaned, _ = redact_text(between.join(order), NOBODY_KNOWN)
        assert ours not in cleaned
        assert other in cleaned


def test_a_notebooks_cells_and_outputs_are_read_apart() -> None:
    ours, other, shown = (make_key(rng_of("cells", place)).reveal() for place in "abc")
    value = notebook(source=[f"%env OPENAI_API_KEY {ours}\n", "%env OPENAI_BASE_URL https://api.mistral.ai/v1"])
    second = copy.deepcopy(value["cells"][1])
    second["source"] = [f"%env OPENAI_API_KEY {other}\n", "%env OPENAI_BASE_URL https://api.fooble.com/v1"]
    second["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [f"request_id={shown}"]}]
    value["cells"].append(second)
    for style in STYLES:
        data = STYLES[style](value)
        assert redact(data, NOBODY_KNOWN).data == STYLES[style](json.loads(json.dumps(value).replace(ours, MARKER)))


@pytest.mark.parametrize("name", ["api_key", "mistral_api_key", "fooble_api_key", "token", "id"])
def test_parameters_of_papermill_go_by_their_names(name: str) -> None:
    """They stand in the notebook's metadata: a name of JSON is the label."""
    key = make_key(rng_of("parameters", name)).reveal()
    data = STYLES["as Jupyter"](notebook(source="import mistralai", papermill={"parameters": {name: key}}))
    assert (key.encode() not in redact(data, NOBODY_KNOWN).data) == (name not in ("fooble_api_key", "id"))


def test_the_kernel_takes_the_cells_before_for_the_document(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MISTRAL_NB_HOME", str(tmp_path))
    monkeypatch.setitem(cell_keys._notebook, "names Mistral", False)
    key = make_key(rng_of("kernel"))
    cell = f"api_key = '{key.reveal()}'"
    assert cell_keys.find_keys(cell) == []
    cell_keys.note_mistral(f"print('{MARKER}')")
    assert cell_keys.find_keys(cell) == []
    cell_keys.note_mistral("%load_ext mistral_nb")
    assert cell_keys.find_keys(cell) == [key]
    assert cell_keys.find_keys(f"FOOBLE_TOKEN = '{key.reveal()}'") == []


class TestWords:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("write", [str.lower, str.title, str.upper])
    def test_every_name_is_heard_by_both_quick_tests(self, name: str, write: Callable[[str], str]) -> None:
        text = f"a {write(name)}-small b".encode()
        assert names_mistral(text, MARKER.encode())
        assert may_name_mistral(text)

    @pytest.mark.parametrize("part", [*LOWER_PARTS, *UPPER_PARTS, HEADER_ERROR])
    def test_the_prefilter_hears_every_part(self, part: bytes) -> None:
        assert may_name_mistral(part)
        assert names_mistral(part, MARKER.encode())

    def test_the_marker_does_not_name_it(self) -> None:
        marker = MARKER.encode()
        assert not names_mistral(marker * 3, marker)
        assert names_mistral(marker + b"MISTRAL", marker)
