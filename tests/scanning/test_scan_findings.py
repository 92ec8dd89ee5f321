"""Findings: how they are named, and that a name survives moves and gives no key away."""

import shutil
from pathlib import Path
from typing import Any

from mistral_nb.api_key import Key
from mistral_nb.key_records import KeyRecord
from mistral_nb.scanning.scan_findings import hash_key, make_findings
from support.keys import make_key
from support.scans import scan_in


def ids(new_context: Any, folder: Path) -> list[str]:
    return [finding.id for finding in scan_in(new_context, folder).report.findings]


def test_names_stay_when_lines_and_files_move_and_a_copy_gets_a_new_one(
    new_context: Any, folder: Path, key: Key
) -> None:
    (folder / "a.py").write_text(f"x = '{key.reveal()}'\n")
    (folder / "b.py").write_text(f"x = '{key.reveal()}'\ny = '{key.reveal()}'\n")
    before = ids(new_context, folder)
    assert len(set(before)) == 3
    (folder / "a.py").write_text(f"# a line\n\nx = '{key.reveal()}'\n")
    (folder / "sub").mkdir()
    (folder / "b.py").rename(folder / "sub/z.py")
    assert sorted(ids(new_context, folder)) == sorted(before)
    shutil.copy(folder / "a.py", folder / "copy.py")
    after = ids(new_context, folder)
    assert set(before) < set(after)
    assert len(after) == 4


def test_a_name_is_neither_the_key_nor_its_fingerprint(new_context: Any, folder: Path, key: Key) -> None:
    (folder / "a.py").write_text(f"x = '{key.reveal()}'\n")
    (name,) = ids(new_context, folder)
    assert key.fingerprint not in name
    assert name == f"{hash_key(key.fingerprint)}:1"
    assert hash_key(make_key().fingerprint) != hash_key(key.fingerprint)


def test_of_a_passphrase_and_a_part_of_a_key_nothing_but_the_tail_is_hashed() -> None:
    record = KeyRecord("a", "known", "", "", "unknown", "", None, None, "", 1)
    (finding,) = make_findings([(record, {})])
    assert finding.key_id == hash_key("", "")


def test_versions_of_a_file_in_history_share_their_names() -> None:
    record = KeyRecord("a.py", "suspected", "f" * 32, "abcd", "unknown", "", None, None, "", 1)
    versions = [(record._replace(line=line), {"blob": blob}) for blob, line in (("1", 1), ("2", 5), ("2", 9))]
    assert [finding.number for finding in make_findings(versions)] == [1, 1, 2]
    moved = [*versions, (record._replace(file="b.py"), {"blob": "2"})]
    assert [finding.number for finding in make_findings(moved)] == [1, 1, 2, 3]
