"""What docs/attribution offers to other scanners: the rules for gitleaks are ours, and hold no key."""

import pytest

from mistral_nb.redaction.attribution import MISTRAL, OTHER
from support.attribution import CASES, FILE, Case
from support.forms import rng_of
from support.gitleaks_rules import FILE as RULES_FILE
from support.gitleaks_rules import find_secrets, make_rules, read_rules
from support.keys import make_key

RULES = read_rules()
MUST_FIND = (
    "the variable's own name",
    "Mistral's client",
    "OpenAI's client with Mistral's address",
    "the address first",
)


def _finds(case: Case, data: bytes, key: str) -> bool:
    return key in find_secrets(data.decode(), RULES)


def test_the_rules_are_made_of_our_words() -> None:
    assert RULES_FILE.read_text(encoding="utf-8") == make_rules()
    assert len({rule["id"] for rule in RULES["rules"]}) == len(RULES["rules"])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_rules_report_nothing_that_is_not_mistrals(case: Case) -> None:
    key = make_key(rng_of(str(case))).reveal()
    found = [_finds(case, data, key) for data, _ in case.documents(key)]
    if case.owner != MISTRAL:
        assert not any(found)
    elif case.language == "python" and case.name in MUST_FIND:
        assert all(found)


def test_the_rules_find_half_of_what_is_mistrals_by_its_own_text() -> None:
    ours = [case for case in CASES if case.owner == MISTRAL and not case.elsewhere]
    found = [case for case in ours if _finds(case, case.file(key := make_key(rng_of(str(case))).reveal()), key)]
    assert len(found) > len(ours) // 2


def test_the_rules_report_no_class_name_and_no_digest() -> None:
    for value in ("Mistral3ForConditionalGeneration", "0123456789abcdef" * 2):
        assert find_secrets(f"mistral_key = '{value}'", RULES) == set()


def test_neither_file_holds_a_key() -> None:
    from mistral_nb.redaction.redact import redact
    from mistral_nb.watchlist import Watchlist

    for file in (FILE, RULES_FILE):
        assert redact(file.read_bytes(), Watchlist(strict=True)).findings == ()
    assert redact(FILE.read_bytes().replace(b"{KEY}", make_key().reveal().encode()), Watchlist(strict=True)).findings
    assert {case.owner for case in CASES} >= {MISTRAL, OTHER}
