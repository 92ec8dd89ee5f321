"""What is searched for: known keys, those in the index, those a repository reports; and what is left alone."""

import os

import pytest

from mistral_nb import watchlist
from mistral_nb.api_key import MARKER, Secret
from mistral_nb.config import KEY_VARIABLES
from mistral_nb.storage.index import COMPROMISED, RETIRED, Index, RetiredKey, Workspace, make_remembered
from support.keys import make_key, make_text


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def gather(tmp_path, home):
    """`watchlist.build_watchlist` in a folder of its own, with the variables given."""
    place = tmp_path / "place"
    place.mkdir()

    def gather(folder=place, with_environment=True, extra=(), **variables):
        environ = {"MISTRAL_NB_HOME": str(home)} | variables
        return watchlist.build_watchlist(str(folder), environ=environ, with_environment=with_environment, extra=extra)

    return gather


def test_an_empty_setup_has_an_empty_watchlist(gather):
    assert gather() == watchlist.Watchlist()


@pytest.mark.parametrize("variable", KEY_VARIABLES)
def test_a_key_in_a_variable_is_known(gather, variable):
    key = make_key()
    assert gather(**{variable: key.reveal()}).known == (key,)
    assert gather(**{variable: f' "{key.reveal()}"\n'}).known == (key,)


@pytest.mark.parametrize("variable", ["MISTRALAI_API_KEY", "mistral_api_key", "AZURE_MISTRAL_API_KEY"])
def test_a_key_in_a_misnamed_variable_is_known(gather, variable):
    key = make_key()
    assert gather(**{variable: key.reveal()}).known == (key,)
    assert gather(OTHER_KEY=key.reveal()).known == ()


def test_the_variables_are_mistrals_own_and_those_of_its_tools():
    assert set(KEY_VARIABLES) == {
        *("MISTRAL_API_KEY", "MISTRAL_ADMIN_API_KEY", "CODESTRAL_API_KEY", "LLM_MISTRAL_KEY"),
    }


@pytest.mark.parametrize(
    "value", ["", " ", MARKER, f'"{MARKER}"', "<YOUR MISTRAL API KEY>", "x" * 32, "your-mistral-api-key"]
)
def test_placeholders_are_never_searched_for(gather, value):
    assert gather(MISTRAL_API_KEY=value, CODESTRAL_API_KEY=value).known == ()


@pytest.mark.parametrize(("length", "known"), [(0, False), (7, False), (8, True), (15, True), (32, True)])
def test_a_passphrase_is_guarded_if_it_is_long_enough(gather, tmp_path, length, known):
    passphrase = make_text()[:length]
    assert gather(MISTRAL_NB_PASSPHRASE=passphrase).known == ((Secret(passphrase),) if known else ())
    (tmp_path / "passphrase").write_text(f"{passphrase}\n")
    in_file = gather(MISTRAL_NB_PASSPHRASE_FILE=str(tmp_path / "passphrase")).known
    assert in_file == ((Secret(passphrase),) if known else ())


def test_the_key_in_a_file_that_a_variable_names_is_known(gather, tmp_path):
    file, key = tmp_path / "key", make_key()
    assert gather(MISTRAL_API_KEY_FILE=str(file)).known == ()
    file.write_text(f"MISTRAL_API_KEY={key.reveal()}\n")
    assert gather(MISTRAL_API_KEY_FILE=str(file)).known == (key,)
    file.write_bytes(b"\xff")
    assert gather(MISTRAL_API_KEY_FILE=str(file)).known == ()


def test_a_passphrase_file_is_read_again_when_it_changes(gather, tmp_path):
    file = tmp_path / "passphrase"
    for text in ("one passphrase", "the second passphrase"):
        file.write_text(text)
        assert gather(MISTRAL_NB_PASSPHRASE_FILE=str(file)).known == (Secret(text),)
    file.unlink()
    assert gather(MISTRAL_NB_PASSPHRASE_FILE=str(file)).known == ()


def test_the_same_key_from_two_places_is_looked_for_once(gather):
    key, other = make_key(), make_key()
    found = gather(MISTRAL_API_KEY=key.reveal(), LLM_MISTRAL_KEY=key.reveal(), extra=[key, other])
    assert len(found.known) == 2
    assert set(found.known) == {key, other}


def test_gits_filter_never_looks_at_the_environment(gather):
    key, extra = make_key(), make_key()
    assert gather(with_environment=False, MISTRAL_API_KEY=key.reveal()).known == ()
    assert gather(with_environment=False, MISTRAL_API_KEY=key.reveal(), extra=[extra]).known == (extra,)


def test_the_index_is_remembered_without_a_secret(gather, home):
    key, bad = make_key(), make_key()
    Index(str(home)).remember(key)
    Index(str(home)).remember(bad, COMPROMISED)
    found = gather()
    assert {(seen.fingerprint, seen.tail, seen.length, seen.state) for seen in found.remembered} == {
        (key.fingerprint, key.tail, 32, "live"),
        (bad.fingerprint, bad.tail, 32, "compromised"),
    }
    assert (found.strict, found.known) == (False, ())


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"null", b'{"seen": 3}', b'{"seen": [{}]}', b"\xff\xfe", b'{"version": 1, "work']
)
def test_a_damaged_index_means_strict_and_says_so(gather, home, damage):
    home.mkdir()
    (home / "workspaces.json").write_bytes(damage)
    key = make_key()
    found = gather(MISTRAL_API_KEY=key.reveal())
    assert (found.strict, found.remembered, found.known) == (True, (), (key,))
    assert "workspaces.json" in found.problems[0]
    assert "everything shaped like a key is redacted" in found.problems[0]
    assert (home / "workspaces.json").read_bytes() == damage


def test_an_index_from_a_later_version_is_read(gather, home):
    Index(str(home)).remember(make_key())
    file = home / "workspaces.json"
    file.write_text(file.read_text().replace('"version": 1', '"version": 99, "later": true'))
    found = gather()
    assert (found.strict, len(found.remembered)) == (False, 1)


def test_revoked_files_above_a_file_are_all_read(gather, tmp_path):
    keys = [make_key() for _ in range(4)]
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (tmp_path / ".mistral-nb-revoked").write_text(f"# leaked in March\n{keys[0].fingerprint}\n")
    (deep / ".mistral-nb-revoked").write_text(f"{keys[1].fingerprint} the demo\r\n\r\n{keys[2].fingerprint}")
    (tmp_path / "a" / "sibling").mkdir()
    (tmp_path / "a" / "sibling" / ".mistral-nb-revoked").write_text(keys[3].fingerprint)
    assert gather(deep).reported == {key.fingerprint for key in keys[:3]}
    assert gather(deep.parent).reported == {keys[0].fingerprint}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"no fingerprint", b"abc123\n", "é".encode("latin-1")])
def test_a_revoked_file_without_fingerprints_reports_none(gather, tmp_path, content):
    (tmp_path / ".mistral-nb-revoked").write_bytes(content)
    assert gather().reported == frozenset()


def test_fingerprints_in_upper_case_count(gather, tmp_path):
    key = make_key()
    (tmp_path / ".mistral-nb-revoked").write_text(f"{key.fingerprint.upper()}\n")
    assert gather().reported == {key.fingerprint}


def _fifo(file):
    os.mkfifo(file)


def _device(file):
    file.symlink_to("/dev/zero")


def _huge(file):
    with file.open("wb") as stream:
        stream.truncate(1 << 40)


UNREAD = {
    "a folder": (lambda file: file.mkdir(), "not a regular file"),
    "a pipe": (_fifo, "not a regular file"),
    "a device": (_device, "not a regular file"),
    "huge": (_huge, "larger than 4 MB"),
    "UTF-16": (lambda file: file.write_text("ab" * 16, "utf-16"), "not UTF-8"),
    "its own link": (lambda file: file.symlink_to(file), "symbolic links"),
}


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices have no path elsewhere")
@pytest.mark.parametrize("case", UNREAD)
def test_an_invalid_fingerprint_file_is_reported_as_a_problem(gather, tmp_path, case):
    make, why = UNREAD[case]
    file = tmp_path / ".mistral-nb-revoked"
    make(file)
    found = gather()
    [problem] = found.problems
    assert str(file) in problem
    assert why in problem
    assert (found.reported, found.strict) == (frozenset(), False)


def test_a_link_to_a_revoked_file_is_followed_and_a_broken_one_ignored(gather, tmp_path):
    key = make_key()
    file = tmp_path / ".mistral-nb-revoked"
    file.symlink_to(tmp_path / "elsewhere")
    assert gather() == watchlist.Watchlist()
    (tmp_path / "elsewhere").write_text(key.fingerprint)
    assert gather().reported == {key.fingerprint}


@pytest.mark.parametrize(
    ("keep", "expected"),
    [('["a", "b"]', {"a", "b"}), ("[]", set()), ('"a"', set()), ("3", set()), ("[1]", {"1"}), ("{ a = 1 }", set())],
)
def test_the_keep_list_is_the_projects(gather, tmp_path, keep, expected):
    (tmp_path / "pyproject.toml").write_text(f"[tool.mistral-nb]\nkeep = {keep}")
    assert gather().keep == expected


def test_a_broken_project_is_warned_about_and_not_strict(gather, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.mistral-nb")
    found = gather()
    assert found.strict is False
    assert found.problems[0].startswith(f"{tmp_path / 'pyproject.toml'} could not be read")


def test_a_watchlist_shows_no_secret(gather):
    key = make_key()
    found = gather(MISTRAL_API_KEY=key.reveal(), MISTRAL_NB_PASSPHRASE=key.reveal()[::-1])
    assert len(found.known) == 2
    assert key.reveal()[:8] not in repr(found)
    assert key.reveal()[::-1][:8] not in repr(found)
    assert key.reveal()[:8] in repr(found._replace(problems=(key.reveal(),)))  # negative control: the search finds it


def test_stored_keys_count_whether_in_use_or_not(gather, home):
    kept, pending, old, revoked, seen = (make_key() for _ in range(5))
    index = Index(str(home))
    index.remember(seen)
    with index.edit() as contents:
        contents.workspaces["prod"] = Workspace("file", "current", kept.fingerprint, kept.tail)
        contents.pending["prod"] = Workspace("file", "next", pending.fingerprint, pending.tail)
        contents.retired.append(RetiredKey("prod", old.fingerprint, old.tail, "file", "prod-old", "current", RETIRED))
        contents.retired.append(
            RetiredKey("dev", revoked.fingerprint, revoked.tail, "file", "dev-x", "next", COMPROMISED)
        )
    assert gather().stored == {key.fingerprint for key in (kept, pending, old, revoked)}
    (home / "workspaces.json").write_text("{")
    assert (gather().stored, gather().strict) == (frozenset(), True)


def test_a_thousand_folders_read_the_index_and_its_neighbours_once(gather, home, tmp_path, monkeypatch):
    """And their watchlists are equal in what is large: it is there once."""
    with Index(str(home)).edit() as contents:
        contents.remembered.update({key.fingerprint: make_remembered(key) for key in (make_key() for _ in range(50))})
    (tmp_path / watchlist.REVOKED_FILE).write_text("\n".join(make_key().fingerprint for _ in range(50)))
    (tmp_path / "place" / watchlist.REVOKED_FILE).write_text(make_key().fingerprint)
    keep = [make_key().fingerprint for _ in range(50)]
    (tmp_path / "place/pyproject.toml").write_text(f"[tool.mistral-nb]\nkeep = {keep}\n")
    opened, real_open = [], os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: opened.append(str(path)) or real_open(path, *rest))
    found = []
    for number in range(1000):
        folder = tmp_path / "place" / str(number)
        folder.mkdir()
        found.append(gather(folder))
    first = found[0]
    assert (len(first.remembered), len(first.reported), len(first.keep)) == (50, 51, 50)
    for name in ("remembered", "reported", "keep"):
        assert all(getattr(other, name) is getattr(first, name) for other in found)
    assert sorted(map(os.path.basename, opened)) == sorted(
        ["workspaces.json", *[watchlist.REVOKED_FILE] * 2, "pyproject.toml"]
    )


def test_what_is_written_while_it_runs_is_seen_at_once(gather, home, tmp_path):
    first, second, third = make_key(), make_key(), make_key()
    Index(str(home)).remember(first)
    assert [entry.tail for entry in gather().remembered] == [first.tail]
    Index(str(home)).remember(second)
    assert [entry.tail for entry in gather().remembered] == [first.tail, second.tail]
    revoked = tmp_path / "place" / watchlist.REVOKED_FILE
    for listed in ({third.fingerprint}, {first.fingerprint}, set()):
        revoked.write_text("\n".join(listed))
        assert gather().reported == listed
    revoked.unlink()
    assert gather().reported == set()
    os.unlink(Index(str(home)).path)
    assert gather().remembered == ()
