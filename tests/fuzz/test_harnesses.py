"""Every harness on its seeds, and on what fuzzing found once; atheris is not needed for that."""

import importlib

import pytest

from fuzz.run_all import HARNESSES, libfuzzer_options
from mistral_nb.redaction.prefilter import REQUIRED_FIELDS
from mistral_nb.storage import index

FINDS = {
    "fuzz_index": (
        b'{"version": 1, "unfinished": [{"store": "file", "workspace": "a", "s": "next"}]}',  # the quick reader took it
        b'{"seen": [{"fingerprint": "00", "length": "32", "tail": "abcd", "state": "live", "since": ""}]}',
        b'{"seen": [{"fingerprint": "00", "length": [], "tail": "abcd", "state": "live", "since": ""}]}',
        b'{"choices": {"a": "\\ud800"}}',  # could not be written again
        b'{"workspaces": [], "version": 1.0}',
    ),
    "fuzz_answers": (
        b"401\n\n" + b'{"detail":' * 2000 + b"1" + b"}" * 2000,
        b'200\n\n{"currency": "EUR", "categories": {"a": 1' + b"0" * 400 + b"}}",
        b'403\n\n{"message": "\\ud800\\ue000\\u202e"}',
        b"429\nretry-after: \xc2\xb2\n",
    ),
    "fuzz_guard": (b"{0}>1<{}wrb}\x1b[31m{2}&shy;{3}",),  # two texts of a message looked like one tag
    "fuzz_card": (
        b'{"kind": "ready", "view": [1], "secure": true}',  # was a TypeError in the cell
        b'{"kind": "gone", "view": {}}',
    ),
    "fuzz_settings": (b"[tool.mistral-nb]\n" + b"a." * 16000 + b"a = 1\n",),
}
NAMES = [name for name in HARNESSES if name != "fuzz_redaction"]  # that one imports atheris


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_finds_pass(name: str) -> None:
    harness = importlib.import_module(f"fuzz.{name}")
    for data in (*harness.SEEDS, *FINDS.get(name, ()), b"", b"\0", b"{}", b"[]", b"\xff" * 100):
        harness.one_input(data)


@pytest.mark.parametrize(("environ", "seed"), [({}, "1"), ({"MISTRAL_NB_TEST_SEED": "new"}, "0")])
def test_the_seed_is_fixed_unless_a_new_one_is_asked_for(environ: dict[str, str], seed: str) -> None:
    assert f"-seed={seed}" in libfuzzer_options(20, environ)


def test_each_parser_that_reads_a_strangers_bytes_has_a_harness() -> None:
    found = {name.removeprefix("fuzz_") for name in NAMES}
    assert {"answers", "card", "guard", "index", "pkt_line", "settings", "vault"} <= found


def test_the_quick_reader_of_the_index_requires_what_the_index_does() -> None:
    kinds = {
        "workspaces": index.Workspace,
        "pending": index.Workspace,
        "seen": index.RememberedKey,
        "unfinished": index.PendingDeletion,
        "aside": index.RetiredKey,
    }
    for part, kind in kinds.items():
        required = {name for name in kind._fields if name not in kind._field_defaults}
        assert set(REQUIRED_FIELDS[part]) == required - set(index._FORMER_NAMES), part
