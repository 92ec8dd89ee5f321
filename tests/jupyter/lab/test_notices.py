"""The words of the notice after a save."""

import pytest

from mistral_nb.jupyter.lab.notices import format_left_notice, format_notice
from mistral_nb.key_records import NOT_STORED, STORED, UNKNOWN, KeyRecord

STRONG = "suspected"


def record(
    tail: str, kept: str = NOT_STORED, cell: int | None = 3, place: str = "source", line: int | None = None
) -> KeyRecord:
    path = f"cells[{cell}].source" if cell else ""
    return KeyRecord("a.ipynb", STRONG, f"of {tail}", tail, kept, path, cell, "id", place, line)


@pytest.mark.parametrize(
    ("records", "notice"),
    [
        ([record("TAhy")], "1 key, …TAhy, was kept out of a.ipynb (cell 3). It is in no store."),
        ([record("TAhy", STORED)], "1 key, …TAhy, was kept out of a.ipynb (cell 3). It is stored on this machine."),
        ([record("TAhy", UNKNOWN)], "1 key, …TAhy, was kept out of a.ipynb (cell 3)."),
        (
            [record("TAhy", STORED), record("TAhy", STORED, place="output 1")],
            "1 key, …TAhy, was kept out of a.ipynb (cell 3, cell 3 output 1). It is stored on this machine.",
        ),
        (
            [record("TAhy"), record("Ug6Y", STORED, cell=5)],
            "2 keys, …TAhy and …Ug6Y, were kept out of a.ipynb (cell 3, cell 5). "
            "…Ug6Y is stored on this machine. …TAhy is in no store.",
        ),
        (
            [record("TAhy", cell=None, place="", line=7)],
            "1 key, …TAhy, was kept out of a.ipynb (line 7). It is in no store.",
        ),
        (
            [record("TAhy", STORED, cell=cell) for cell in range(1, 8)],
            "1 key, …TAhy, was kept out of a.ipynb (cell 1, cell 2, cell 3, 4 more places). "
            "It is stored on this machine.",
        ),
    ],
)
def test_it_counts_keys_and_says_where_they_were_and_are(records, notice):
    assert format_notice(records) == notice


@pytest.mark.parametrize(
    ("records", "notice"),
    [
        (
            [record("TAhy", cell=None, line=3), record("TAhy", cell=None, line=9)],
            "…TAhy looks like a Mistral key and was left in a.ipynb (line 3, line 9).",
        ),
        (
            [record("TAhy", cell=None, line=3), record("Ug6Y", cell=None, line=4)],
            "…TAhy and …Ug6Y look like Mistral keys and were left in a.ipynb (line 3, line 4).",
        ),
    ],
)
def test_a_key_that_is_left_is_said_to_be_in_the_file(records: list[KeyRecord], notice: str) -> None:
    assert format_left_notice(records) == notice
