"""The laws that every store keeps. Each takes a function that opens the store, as a new process would."""

from support.keys import make_key, rng


def _name(text="workspace"):
    return f"{text} {rng().randrange(10**9)}"  # stores outlive a law


def what_is_put_is_read_back(opened):
    key, name = make_key(), _name()
    opened().put(name, "current", key)
    assert opened().get(name, "current") == key


def nothing_there_is_none(opened):
    assert opened().get(_name(), "current") is None


def a_second_put_replaces_the_first(opened):
    name, new = _name(), make_key()
    opened().put(name, "next", make_key())
    opened().put(name, "next", new)
    assert opened().get(name, "next") == new


def the_two_slots_are_apart(opened):
    name, one, two = _name(), make_key(), make_key()
    opened().put(name, "current", one)
    opened().put(name, "next", two)
    assert (opened().get(name, "current"), opened().get(name, "next")) == (one, two)
    opened().delete(name, "current")
    assert (opened().get(name, "current"), opened().get(name, "next")) == (None, two)


def workspaces_are_apart(opened):
    one, two, key = _name(), _name(), make_key()
    opened().put(one, "current", key)
    opened().put(two, "current", make_key())
    opened().delete(two, "current")
    assert opened().get(one, "current") == key
    assert opened().get(two, "current") is None


def deleting_nothing_is_fine(opened):
    opened().delete(_name(), "current")


def a_workspace_may_have_any_name(opened):
    for text in ("équipe 🚀", "a/b:c", "../up", "'quoted\"", "x" * 200):
        key, name = make_key(), _name(text)
        opened().put(name, "current", key)
        assert opened().get(name, "current") == key


def it_says_that_it_works(opened):
    assert opened().unavailable_reason() is None


def its_repr_shows_no_key(opened):
    key, name = make_key(), _name()
    store = opened()
    store.put(name, "current", key)
    shown = f"{store!r} {vars(store)!r}"
    assert key.reveal() not in shown
    assert key.reveal() in f"{shown} {key.reveal()}"  # negative control: the search finds it


LAWS = (
    what_is_put_is_read_back,
    nothing_there_is_none,
    a_second_put_replaces_the_first,
    the_two_slots_are_apart,
    workspaces_are_apart,
    deleting_nothing_is_fine,
    a_workspace_may_have_any_name,
    it_says_that_it_works,
    its_repr_shows_no_key,
)
