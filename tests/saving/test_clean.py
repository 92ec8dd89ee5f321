"""Cleaning a file in place: which keys are stored here, so that rewriting one loses nothing."""

from pathlib import Path

from keys import make_key

from mistral_nb.saving.clean import stored
from mistral_nb.store.index import COMPROMISED, RETIRED, Aside, Index, Workspace


def test_what_is_stored_counts_in_use_or_not(tmp_path: Path) -> None:
    kept, pending, old, revoked, seen = (make_key() for _ in range(5))
    index = Index(str(tmp_path))
    index.remember(seen)
    with index.edit() as contents:
        contents.workspaces["prod"] = Workspace("file", "current", kept.fingerprint, kept.tail)
        contents.pending["prod"] = Workspace("file", "next", pending.fingerprint, pending.tail)
        contents.aside.append(Aside("prod", old.fingerprint, old.tail, "file", "prod-old", "current", RETIRED))
        contents.aside.append(Aside("dev", revoked.fingerprint, revoked.tail, "file", "dev-x", "next", COMPROMISED))
    environ = {"MISTRAL_NB_HOME": str(tmp_path)}
    assert stored(environ) == {key.fingerprint for key in (kept, pending, old, revoked)}


def test_where_the_index_can_t_be_read_nothing_counts_as_stored(tmp_path: Path) -> None:
    assert stored({"MISTRAL_NB_HOME": str(tmp_path)}) == frozenset()
    (tmp_path / "workspaces.json").write_text("{")
    assert stored({"MISTRAL_NB_HOME": str(tmp_path)}) == frozenset()
