"""What is looked for: the keys at hand, those in the index, those a repository reports; and what is let be."""

import os

import pytest
from keys import make_key, make_text

from mistral_nb import watch
from mistral_nb.config import KEY_VARIABLES
from mistral_nb.key import MARKER, Secret
from mistral_nb.store.index import COMPROMISED, Index


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def gather(tmp_path, home):
    """`watch.gather` in a folder of its own, with the variables given."""
    place = tmp_path / "place"
    place.mkdir()

    def gather(folder=place, with_environment=True, extra=(), **variables):
        environ = {"MISTRAL_NB_HOME": str(home)} | variables
        return watch.gather(str(folder), environ=environ, with_environment=with_environment, extra=extra)

    return gather


def test_with_nothing_there_is_nothing_to_look_for(gather):
    assert gather() == watch.Watchlist()


@pytest.mark.parametrize("variable", KEY_VARIABLES)
def test_a_key_in_a_variable_is_known(gather, variable):
    key = make_key()
    assert gather(**{variable: key.reveal()}).known == (key,)
    assert gather(**{variable: f' "{key.reveal()}"\n'}).known == (key,)


def test_the_variables_are_mistrals_own_and_those_of_its_tools():
    assert set(KEY_VARIABLES) == {
        *("MISTRAL_API_KEY", "MISTRAL_ADMIN_API_KEY", "CODESTRAL_API_KEY", "LLM_MISTRAL_KEY"),
    }


@pytest.mark.parametrize(
    "value", ["", " ", MARKER, f'"{MARKER}"', "<YOUR MISTRAL API KEY>", "x" * 32, "your-mistral-api-key"]
)
def test_what_is_never_a_key_is_never_looked_for(gather, value):
    assert gather(MISTRAL_API_KEY=value, CODESTRAL_API_KEY=value).known == ()


@pytest.mark.parametrize(("length", "known"), [(0, False), (8, False), (15, False), (16, True), (32, True)])
def test_a_passphrase_is_guarded_where_it_is_long_enough(gather, length, known):
    passphrase = make_text()[:length]
    assert gather(MISTRAL_NB_PASSPHRASE=passphrase).known == ((Secret(passphrase),) if known else ())


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
    assert "every key-shaped run is redacted" in found.problems[0]
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
    "a folder": (lambda file: file.mkdir(), "no regular file"),
    "a pipe": (_fifo, "no regular file"),
    "a device": (_device, "no regular file"),
    "huge": (_huge, "larger than 4 MB"),
    "UTF-16": (lambda file: file.write_text("ab" * 16, "utf-16"), "not UTF-8"),
    "its own link": (lambda file: file.symlink_to(file), "symbolic links"),
}


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices have no path elsewhere")
@pytest.mark.parametrize("case", UNREAD)
def test_what_is_no_list_of_fingerprints_is_a_problem_that_is_named(gather, tmp_path, case):
    make, why = UNREAD[case]
    file = tmp_path / ".mistral-nb-revoked"
    make(file)
    found = gather()
    [problem] = found.problems
    assert str(file) in problem
    assert why in problem
    assert (found.reported, found.strict) == (frozenset(), False)


def test_a_link_to_a_revoked_file_is_followed_and_one_to_nothing_is_none(gather, tmp_path):
    key = make_key()
    file = tmp_path / ".mistral-nb-revoked"
    file.symlink_to(tmp_path / "elsewhere")
    assert gather() == watch.Watchlist()
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
    assert key.reveal()[:8] in repr(found._replace(problems=(key.reveal(),)))  # the search would have found it
