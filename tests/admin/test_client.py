"""The Admin API's client: pages, both headers, and what each refusal means. Against the sandbox."""

import itertools
import traceback
from datetime import date, timedelta

import pytest

from mistral_nb.admin import responses
from mistral_nb.admin.client import UNTRIED_NOTE, AdminClient, CreateKeyRequest, may_have_succeeded, verify_admin_key
from mistral_nb.api_key import Key
from mistral_nb.errors import AdminFailed
from mistral_nb.sandbox.sandbox import Sandbox
from support.keys import make_key
from support.sandboxes import ADMIN_FAULTS as FAULTS
from support.sandboxes import FAULTS as API_FAULTS


def admin_of(sandbox: Sandbox, *rights: str) -> AdminClient:
    return AdminClient(sandbox.admin.make_key(*rights), f"{sandbox.url}/v1/admin", seconds=5)


def wish_for(sandbox: Sandbox, name: str = "new", expires: str | None = None) -> CreateKeyRequest:
    sandbox.make_key("prod", name="old")
    (listed,) = admin_of(sandbox).list_keys("old")
    assert listed.created_by
    assert listed.workspace_id
    return CreateKeyRequest(name, listed.created_by, listed.workspace_id, expires)


def failing(call) -> AdminFailed:
    with pytest.raises(AdminFailed) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 1000])
def test_pages_of_any_number_are_read(count: int, sandbox: Sandbox) -> None:
    for number in range(count):
        sandbox.make_key("prod", name=f"n{number}")
    listed = admin_of(sandbox).list_keys()
    assert [key.name for key in listed] == [f"n{number}" for number in range(count)]


def test_an_api_that_ignores_the_offset_does_not_loop_forever(sandbox: Sandbox) -> None:
    for _ in range(150):
        sandbox.make_key()
    sandbox.admin.set_fault("ignores offset")
    assert len(admin_of(sandbox).list_keys()) == 100


def test_a_key_is_listed_as_the_console_shows_it(sandbox: Sandbox) -> None:
    key = sandbox.make_key("prod", name="laptop", expires=date(2027, 1, 31), last_used=date(2026, 11, 1))
    sandbox.make_key("prod", product="Vibe")
    (listed,) = admin_of(sandbox).list_keys(key.tail)
    assert (listed.head, listed.tail) == (key.reveal()[:4], key.tail)
    assert (listed.name, listed.workspace, listed.product) == ("laptop", "prod", "API")
    assert (listed.expires, listed.last_used) == ("2027-01-31", "2026-11-01")


@pytest.mark.parametrize("fault", ["", "bearer only", "unknown fields"])
def test_a_key_is_made_and_deleted(fault: str, sandbox: Sandbox) -> None:
    wish, admin = wish_for(sandbox), admin_of(sandbox)
    sandbox.admin.set_fault(fault)
    made = admin.create_key(wish)
    assert made.key
    assert sandbox.find_key(made.key.reveal())
    assert [key.key_id for key in admin.list_keys("new")] == [made.key_id]
    assert admin.delete_key(made.key_id) is True
    assert admin.delete_key(made.key_id) is False
    assert admin.list_keys("new") == []


def test_x_api_key_is_tried_first_and_bearer_where_that_is_refused(sandbox: Sandbox) -> None:
    admin = admin_of(sandbox)
    admin.list_keys()
    asked = len(sandbox.requests)
    sandbox.admin.set_fault("bearer only")
    admin.list_keys()
    assert len(sandbox.requests) == asked + 2
    admin.list_keys()
    assert len(sandbox.requests) == asked + 3, "the way that worked is remembered"


@pytest.mark.parametrize(("wish", "days"), [(None, 30), (400, 30), (7, 7)])
def test_the_expiry_that_a_policy_clamps_is_read_back(wish: int | None, days: int, sandbox: Sandbox) -> None:
    sandbox.admin.policies["prod"] = 30
    asked = str(date.today() + timedelta(days=wish)) if wish else None
    made = admin_of(sandbox).create_key(wish_for(sandbox, expires=asked))
    assert (made.expires, made.expiry_known) == (str(date.today() + timedelta(days=days)), True)


def test_costs_come_by_category_with_period_and_currency(sandbox: Sandbox) -> None:
    usage = admin_of(sandbox).read_usage(11, 2026)
    assert dict(usage.categories) == sandbox.admin.costs
    assert (usage.start, usage.end, usage.currency) == ("2026-11-01", "2026-11-30", "EUR")


KINDS = [
    ("missing", "missing", 3),
    ("html", "not understood", 3),
]


@pytest.mark.parametrize(("fault", "kind", "code"), KINDS)
def test_a_failure_says_what_it_means(fault: str, kind: str, code: int, sandbox: Sandbox) -> None:
    sandbox.admin.set_fault(fault)
    error = failing(admin_of(sandbox).list_keys)
    assert (error.kind, error.exit_code) == (kind, code)
    assert UNTRIED_NOTE in error.todo


@pytest.mark.parametrize("fault", ["500", "503", "502 html", "hang up", "402", "429", "redirect elsewhere"])
def test_the_faults_of_the_ordinary_api_are_distinguished_too(fault: str, sandbox: Sandbox) -> None:
    admin = admin_of(sandbox)
    sandbox.set_fault(next(name for name in API_FAULTS if name.startswith(fault)))
    error = failing(admin.list_keys)
    kinds = {"5": "server error", "h": "unreachable", "4": "no payment", "r": "unreachable"}
    assert error.kind == ("rate limited" if fault == "429" else kinds[fault[0]])


def test_a_normal_key_is_no_admin_key(sandbox: Sandbox) -> None:
    error = failing(AdminClient(sandbox.make_key(), f"{sandbox.url}/v1/admin").list_keys)
    assert (error.kind, error.exit_code) == ("refused", 1)
    assert "an ordinary key does not work here" in error.todo


@pytest.mark.parametrize("rights", [("create",), ("read",), ("delete",)])
def test_a_missing_permission_is_named(rights: tuple[str], sandbox: Sandbox) -> None:
    wish, admin = wish_for(sandbox), admin_of(sandbox, *rights)
    calls = {"read": admin.list_keys, "create": lambda: admin.create_key(wish), "delete": lambda: admin.delete_key("x")}
    for right, call in calls.items():
        if right not in rights:
            error = failing(call)
            assert (error.kind, error.exit_code) == ("not permitted", 1)
            assert "has no permission for that" in error.failed
            assert not may_have_succeeded(error)


@pytest.mark.parametrize("fault", ["answer lost", "created, then 500"])
def test_a_key_that_may_have_been_created_is_distinguished_from_one_that_was_not(fault: str, sandbox: Sandbox) -> None:
    wish, admin = wish_for(sandbox), admin_of(sandbox)
    sandbox.admin.set_fault(fault)
    error = failing(lambda: admin.create_key(wish))
    assert may_have_succeeded(error)
    assert [key.name for key in admin.list_keys("new")] == ["new"], "asked once, not again"


def test_an_admin_key_is_verified_by_the_admin_api(sandbox: Sandbox) -> None:
    base = f"{sandbox.url}/v1/admin"
    assert verify_admin_key(sandbox.admin.make_key(), base).kind == "accepted"
    assert verify_admin_key(sandbox.make_key(), base).kind == "refused"
    assert verify_admin_key(sandbox.admin.make_key("create"), base).kind == "not permitted"
    sandbox.set_fault("hang up")
    assert verify_admin_key(sandbox.admin.make_key(), base).accepts_key is None


@pytest.mark.slow
def test_neither_key_is_in_an_error_or_a_repr(sandbox: Sandbox) -> None:
    wish, admin = wish_for(sandbox), admin_of(sandbox)
    shown = repr(admin)
    for fault in FAULTS:
        sandbox.admin.set_fault(fault)
        for call in (
            admin.list_keys,
            lambda: admin.create_key(wish),
            lambda: admin.delete_key("none"),
            admin.list_workspaces,
        ):
            try:
                shown += repr(call())
            except AdminFailed as error:
                captured = traceback.TracebackException.from_exception(error, capture_locals=True)
                shown += "".join(captured.format())
    assert admin.key.tail in shown
    assert admin.key.reveal() not in shown
    sandbox.admin.set_fault("")
    made = admin.create_key(wish)
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
    listed = responses.parse_key_info(entry)
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
def test_no_expiry_is_distinguished_from_an_unknown_one(
    told: dict[str, object], expires: str | None, expiry_told: bool
) -> None:
    for read in (responses.parse_key_info, responses.parse_created_key):
        entry = read({"key_id": "k", **told})
        assert entry
        assert (entry.expires, entry.expiry_known) == (expires, expiry_told)


@pytest.mark.parametrize("entry", [None, 7, "key", [], {}, {"key_id": ""}, {"name": "x"}])
def test_an_entry_without_an_id_is_left_out(entry: object) -> None:
    assert responses.parse_key_info(entry) is None
    assert responses.parse_created_key(entry) is None
    assert responses.parse_workspace(entry) is None


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
    usage = responses.parse_usage(body)
    assert usage
    assert (dict(usage.categories), usage.not_understood) == (costs, unclear)


@pytest.mark.parametrize("body", [None, [], "no", 3, {"detail": "no"}])
def test_what_is_no_usage_is_none(body: object) -> None:
    assert responses.parse_usage(body) is None


def test_a_created_key_is_never_a_string() -> None:
    text = make_key()
    made = responses.parse_created_key({"key_id": "k", "key": text.reveal()})
    assert made
    assert isinstance(made.key, Key)
    assert made.key == text


@pytest.mark.slow
def test_a_list_that_does_not_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    client, asked = AdminClient(make_key(), "http://127.0.0.1:1"), itertools.count()

    def answer(ask: object, **_: object) -> object:
        page = next(asked)
        assert page < 2000, "it goes on for ever"
        return {"keys": [{"key_id": f"{page}-{number}"} for number in range(100)]}

    monkeypatch.setattr(client, "_ask", answer)
    with pytest.raises(AdminFailed, match="does not end"):
        client.list_keys()


@pytest.mark.parametrize(
    "cost", [10**400, -(10**400), "1e999", "nan", float("inf"), {"cost": 10**400}, [[[]]], "9" * 5000]
)
def test_costs_that_are_no_numbers_are_not_understood(cost: object) -> None:
    usage = responses.parse_usage({"categories": {"a": cost, "b": 2}, "currency": "EUR"})
    assert usage is not None
    assert (usage.categories, usage.total) == ((("b", 2.0),), 2.0)
