"""The Admin API's client: pages, both headers, and what each refusal means. Against the sandbox."""

import traceback
from datetime import date, timedelta

import pytest
from keys import make_key

from mistral_nb.api import admin_bodies
from mistral_nb.api.admin import UNTRIED, Admin, Wish, may_be_done, verify
from mistral_nb.api.sandbox import FAULTS as API_FAULTS
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.api.sandbox_admin import FAULTS
from mistral_nb.errors import AdminFailed
from mistral_nb.key import Key


def admin_of(sandbox: Sandbox, *rights: str) -> Admin:
    return Admin(sandbox.admin.make_key(*rights), f"{sandbox.url}/v1/admin", seconds=5)


def wish_for(sandbox: Sandbox, name: str = "new", expires: str | None = None) -> Wish:
    sandbox.make_key("prod", name="old")
    (listed,) = admin_of(sandbox).keys("old")
    assert listed.created_by
    assert listed.workspace_id
    return Wish(name, listed.created_by, listed.workspace_id, expires)


def failing(call) -> AdminFailed:
    with pytest.raises(AdminFailed) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 1000])
def test_pages_of_any_number_are_read(count: int, sandbox: Sandbox) -> None:
    for number in range(count):
        sandbox.make_key("prod", name=f"n{number}")
    listed = admin_of(sandbox).keys()
    assert [key.name for key in listed] == [f"n{number}" for number in range(count)]


def test_an_api_that_ignores_the_offset_does_not_keep_us_for_ever(sandbox: Sandbox) -> None:
    for _ in range(150):
        sandbox.make_key()
    sandbox.admin.fail("ignores offset")
    assert len(admin_of(sandbox).keys()) == 100


def test_a_key_is_listed_as_the_console_shows_it(sandbox: Sandbox) -> None:
    key = sandbox.make_key("prod", name="laptop", expires=date(2027, 1, 31), last_used=date(2026, 11, 1))
    sandbox.make_key("prod", product="Vibe")
    (listed,) = admin_of(sandbox).keys(key.tail)
    assert (listed.head, listed.tail) == (key.reveal()[:4], key.tail)
    assert (listed.name, listed.workspace, listed.product) == ("laptop", "prod", "API")
    assert (listed.expires, listed.last_used) == ("2027-01-31", "2026-11-01")


@pytest.mark.parametrize("fault", ["", "bearer only", "unknown fields"])
def test_a_key_is_made_and_deleted(fault: str, sandbox: Sandbox) -> None:
    wish, admin = wish_for(sandbox), admin_of(sandbox)
    sandbox.admin.fail(fault)
    made = admin.create(wish)
    assert made.key
    assert sandbox.find(made.key.reveal())
    assert [key.key_id for key in admin.keys("new")] == [made.key_id]
    assert admin.delete(made.key_id) is True
    assert admin.delete(made.key_id) is False
    assert admin.keys("new") == []


def test_x_api_key_is_tried_first_and_bearer_where_that_is_refused(sandbox: Sandbox) -> None:
    admin = admin_of(sandbox)
    admin.keys()
    asked = len(sandbox.requests)
    sandbox.admin.fail("bearer only")
    admin.keys()
    assert len(sandbox.requests) == asked + 2
    admin.keys()
    assert len(sandbox.requests) == asked + 3, "the way that worked is remembered"


@pytest.mark.parametrize(("wish", "days"), [(None, 30), (400, 30), (7, 7)])
def test_the_expiry_that_a_policy_clamps_is_read_back(wish: int | None, days: int, sandbox: Sandbox) -> None:
    sandbox.admin.policies["prod"] = 30
    asked = str(date.today() + timedelta(days=wish)) if wish else None
    made = admin_of(sandbox).create(wish_for(sandbox, expires=asked))
    assert (made.expires, made.expiry_told) == (str(date.today() + timedelta(days=days)), True)


def test_costs_come_by_category_with_period_and_currency(sandbox: Sandbox) -> None:
    usage = admin_of(sandbox).usage(11, 2026)
    assert dict(usage.categories) == sandbox.admin.costs
    assert (usage.start, usage.end, usage.currency) == ("2026-11-01", "2026-11-30", "EUR")


KINDS = [
    ("missing", "missing", 3),
    ("html", "not understood", 3),
]


@pytest.mark.parametrize(("fault", "kind", "code"), KINDS)
def test_a_failure_says_what_it_means(fault: str, kind: str, code: int, sandbox: Sandbox) -> None:
    sandbox.admin.fail(fault)
    error = failing(admin_of(sandbox).keys)
    assert (error.kind, error.exit_code) == (kind, code)
    assert UNTRIED in error.todo


@pytest.mark.parametrize("fault", ["500", "503", "502 html", "hang up", "402", "429", "redirect elsewhere"])
def test_the_faults_of_the_ordinary_api_are_told_apart_too(fault: str, sandbox: Sandbox) -> None:
    admin = admin_of(sandbox)
    sandbox.fail(next(name for name in API_FAULTS if name.startswith(fault)))
    error = failing(admin.keys)
    kinds = {"5": "server error", "h": "unreachable", "4": "no payment", "r": "unreachable"}
    assert error.kind == ("rate limited" if fault == "429" else kinds[fault[0]])


def test_a_normal_key_is_no_admin_key(sandbox: Sandbox) -> None:
    error = failing(Admin(sandbox.make_key(), f"{sandbox.url}/v1/admin").keys)
    assert (error.kind, error.exit_code) == ("refused", 1)
    assert "an ordinary key never is one" in error.todo


@pytest.mark.parametrize("rights", [("create",), ("read",), ("delete",)])
def test_an_admin_key_without_a_right_is_told_which(rights: tuple[str], sandbox: Sandbox) -> None:
    wish, admin = wish_for(sandbox), admin_of(sandbox, *rights)
    calls = {"read": admin.keys, "create": lambda: admin.create(wish), "delete": lambda: admin.delete("x")}
    for right, call in calls.items():
        if right not in rights:
            error = failing(call)
            assert (error.kind, error.exit_code) == ("not permitted", 1)
            assert "has no right to that" in error.failed
            assert not may_be_done(error)


@pytest.mark.parametrize("fault", ["answer lost", "created, then 500"])
def test_a_key_that_may_have_been_made_is_told_from_one_that_was_not(fault: str, sandbox: Sandbox) -> None:
    wish, admin = wish_for(sandbox), admin_of(sandbox)
    sandbox.admin.fail(fault)
    error = failing(lambda: admin.create(wish))
    assert may_be_done(error)
    assert [key.name for key in admin.keys("new")] == ["new"], "asked once, not again"


def test_an_admin_key_is_verified_by_the_admin_api(sandbox: Sandbox) -> None:
    base = f"{sandbox.url}/v1/admin"
    assert verify(sandbox.admin.make_key(), base).kind == "accepted"
    assert verify(sandbox.make_key(), base).kind == "refused"
    assert verify(sandbox.admin.make_key("create"), base).kind == "not permitted"
    sandbox.fail("hang up")
    assert verify(sandbox.admin.make_key(), base).accepts_key is None


def test_neither_key_is_in_an_error_or_a_repr(sandbox: Sandbox) -> None:
    wish, admin = wish_for(sandbox), admin_of(sandbox)
    shown = repr(admin)
    for fault in FAULTS:
        sandbox.admin.fail(fault)
        for call in (admin.keys, lambda: admin.create(wish), lambda: admin.delete("none"), admin.workspaces):
            try:
                shown += repr(call())
            except AdminFailed as error:
                captured = traceback.TracebackException.from_exception(error, capture_locals=True)
                shown += "".join(captured.format())
    assert admin.key.tail in shown
    assert admin.key.reveal() not in shown
    sandbox.admin.fail("")
    made = admin.create(wish)
    assert made.key
    assert made.key.reveal() not in repr(made)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"id": 7, "hidden_key": "HQSx...Ug6Y"}, ("7", "HQSx", "Ug6Y", "API")),
        ({"key_id": "k", "hidden_key": "", "product": "Studio"}, ("k", "", "", "API")),
        ({"key_id": "k", "product": "Mistral Code", "expiration_date": "soon"}, ("k", "", "", "Mistral Code")),
        ({"key_id": "k", "name": None, "new": {}}, ("k", "", "", "API")),
    ],
)
def test_an_entry_is_read_tolerantly(entry: dict[str, object], told: tuple[str, ...]) -> None:
    listed = admin_bodies.listed(entry)
    assert listed
    assert (listed.key_id, listed.head, listed.tail, listed.product) == told
    assert listed.expires is None


@pytest.mark.parametrize(
    ("told", "expires", "expiry_told"),
    [
        ({"expiration_date": "2027-01-31"}, "2027-01-31", True),
        ({"expiration_date": "2027-01-31T12:00:00Z"}, "2027-01-31", True),
        ({"expiration_date": None}, None, True),
        ({"expiration_date": "soon"}, None, False),
        ({"expiration_date": ""}, None, False),
        ({"expiration_date": 7}, None, False),
        ({}, None, False),
    ],
)
def test_no_expiry_is_told_from_one_that_is_not_told(
    told: dict[str, object], expires: str | None, expiry_told: bool
) -> None:
    for read in (admin_bodies.listed, admin_bodies.created):
        entry = read({"key_id": "k", **told})
        assert entry
        assert (entry.expires, entry.expiry_told) == (expires, expiry_told)


@pytest.mark.parametrize("entry", [None, 7, "key", [], {}, {"key_id": ""}, {"name": "x"}])
def test_an_entry_without_an_id_is_left_out(entry: object) -> None:
    assert admin_bodies.listed(entry) is None
    assert admin_bodies.created(entry) is None
    assert admin_bodies.workspace(entry) is None


@pytest.mark.parametrize(
    ("body", "costs", "unclear"),
    [
        ({"chat": 1.5, "currency": "EUR"}, {"chat": 1.5}, ()),
        ({"chat": "1.50", "currency": "EUR"}, {"chat": 1.5}, ()),
        ({"categories": [{"category": "ocr", "total_cost": 2}], "currency": "EUR"}, {"ocr": 2.0}, ()),
        ({"usage": {"chat": {"models": {"a": {"cost": 1}, "b": {"cost": 2}}}}}, {"chat": 3.0}, ()),
        ({"chat": {"tokens": {"value": 5}}, "currency": "EUR"}, {}, ("chat",)),
        ({"currency": "EUR", "chat": {}}, {}, ()),
    ],
)
def test_costs_are_read_tolerantly(body: dict[str, object], costs: dict[str, float], unclear: tuple[str]) -> None:
    usage = admin_bodies.usage(body)
    assert usage
    assert (dict(usage.categories), usage.not_understood) == (costs, unclear)


@pytest.mark.parametrize("body", [None, [], "no", 3, {"detail": "no"}])
def test_what_is_no_usage_is_none(body: object) -> None:
    assert admin_bodies.usage(body) is None


def test_a_created_key_is_never_a_string() -> None:
    text = make_key()
    made = admin_bodies.created({"key_id": "k", "key": text.reveal()})
    assert made
    assert isinstance(made.key, Key)
    assert made.key == text
