"""Kills a process that keeps and forgets keys, at random moments, and looks at what is left.

    python -m support.crashes vault|keyring HOME ROUNDS KEEPER SEED

prints a line a kill, and JSON at the end: {"rounds", "interrupted", "violations": [sentence]}.
KEEPER is ``KeyManager``,
or one of the faulty ones below that show that the check can fail. The processes are forked from this
one, which has everything loaded: an interpreter's start would cost more than what is tested.
"""

import contextlib
import json
import os
import random
import signal
import sys
import time

from mistral_nb.api_key import Key, Secret
from mistral_nb.errors import StoreError, WrongUsage
from mistral_nb.storage import keyring_writer
from mistral_nb.storage.index import Index, PendingDeletion
from mistral_nb.storage.index_edits import make_entry, schedule_deletion, set_current
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.keyring_store import KeyringStore
from mistral_nb.storage.timeouts import run_with_timeout
from mistral_nb.storage.vault import Vault
from mistral_nb.storage.vault_format import KdfParameters
from support.keys import make_key
from support.kills import run_rounds
from support.patience import PATIENCE

CHEAP = KdfParameters(memory=8, iterations=1, lanes=1)
WORKSPACE = "prod"


class DeletesFirst(KeyManager):
    """Faulty: the old key is gone before the new one is there."""

    def keep(self, workspace, key, entry=None, store="keyring"):
        with contextlib.suppress(WrongUsage):
            old = self.index.read().workspaces.get(workspace)
            if old:
                self.stores[store].delete(workspace, old.slot)
        return super().keep(workspace, key, entry, store)


class RemembersLast(KeyManager):
    """Faulty: the key is stored before its fingerprint is noted."""

    def keep(self, workspace, key, entry=None, store="keyring"):
        old = self.index.read().workspaces.get(workspace)
        slot = "next" if old and old.slot == "current" else "current"
        with self.index.edit() as contents:
            schedule_deletion(contents, PendingDeletion(store, workspace, slot))
        self.stores[store].put(workspace, slot, key)
        with self.index.edit() as contents:
            set_current(contents, workspace, make_entry(key, store, slot, entry), key)
        self.run_pending_deletions()


KEEPERS = {kind.__name__: kind for kind in (KeyManager, DeletesFirst, RemembersLast)}


def forked_writer(request, seconds, late):
    """Does the work of the keyring's child process in a fork, which also outlives a killed parent."""
    (requests, ask), (answers, answer) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ask)
        os.close(answers)
        try:
            keyring_writer.serve(requests, answer)
        finally:
            os._exit(1)  # whoever asked is gone
    os.close(requests)
    os.close(answer)
    try:
        os.write(ask, request())
        return json.loads(run_with_timeout(lambda: os.read(answers, 65536), seconds, late) or b"{}")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ask)
        os.close(answers)


class VaultItems:
    """Every item of the vault, read without the code that is tested for where they should be."""

    name = "file"

    def __init__(self, home):
        self.store = Vault(home, Secret("a passphrase"), CHEAP)

    def all(self, path=None):
        store = Vault(self.store.home, Secret("a passphrase"), CHEAP)
        store.path = path or store.path
        sealed = store._read()
        entries = store._decrypt(sealed) if sealed else {}
        return {(name, slot): key for name, slots in entries.items() for slot, key in slots.items()}

    def spare(self):
        """What the last generation still holds."""
        return self.all(self.store.previous)


SLOTS = {"Mistral API key": "current", "Mistral API key 2": "next"}  # by account


class KeyringItems:
    """Every item of the desktop's keyring, over a connection of its own."""

    name = "keyring"

    def __init__(self, home):
        import keyring
        import secretstorage
        from secretstorage.util import open_session

        keyring.get_keyring()
        self.store = KeyringStore(50, run=forked_writer)
        connection = secretstorage.dbus_init()
        self.collection = secretstorage.get_default_collection(connection)
        self.collection.session = open_session(connection)  # one for all: each costs a key exchange

    def all(self):
        found = {}
        for item in self.collection.get_all_items():
            attributes = item.get_attributes()
            name = attributes["service"].removeprefix("mistral-nb:")
            place = (name, SLOTS[attributes["username"]])
            assert place not in found, "two items of one name"
            found[place] = Key(item.get_secret().decode())
        return found

    def spare(self):
        return {}


def work(keeper, store, report, seed):
    """Keep, replace and forget for ever; say what is begun and what is done."""
    rng = random.Random(seed)
    while True:
        key = make_key(rng)
        what = rng.choices(["keep", "forget", "trace"], [7, 2, 1])[0]
        goal = key.fingerprint if what == "keep" else ""
        os.write(report, f"begin {what} {goal}\n".encode())
        if what == "keep":
            keeper.keep(WORKSPACE, key, store=store)
        else:
            keeper.forget(WORKSPACE, forget_fingerprint=what == "trace")
        os.write(report, f"end {what} {goal}\n".encode())


def one_round(keeper, items, rng, longest):
    """What the killed process said: (its last words, is it in the middle of something)."""
    reading, writing = os.pipe()
    seed = rng.random()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            work(keeper, items.name, writing, seed)
        except BaseException as error:  # noqa: BLE001, whatever it is, the parent reports it
            os.write(writing, f"raised {type(error).__name__}\n".encode())
        os._exit(1)
    os.close(writing)
    return [line.split(" ") for line in kill_later(pid, reading, rng.uniform(0, longest))]


def kill_later(pid, reading, seconds, moments=("",)):
    """What a child said until it was killed, so long after the first line that begins with one of ``moments``."""
    with os.fdopen(reading) as words:
        said = [words.readline()]
        while said[-1] and not said[-1].startswith(moments):
            said.append(words.readline())
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return "".join([*said, words.read()]).splitlines()


def expected(said, before):
    """The fingerprints that may be found now ('' for no key), and whether an operation was cut."""
    done, begun = before, None
    for verb, *rest in said:
        if verb == "begin":
            begun = rest[1]
        elif verb == "end":
            done, begun = rest[1], None
        else:
            return None, rest[0]
    return ({done} if begun is None else {done, begun}), begun is not None


def state(keeper):
    try:
        return keeper.read(WORKSPACE).fingerprint
    except WrongUsage:
        return ""


def delete_all_pending(keeper):
    """Delete what a kill left. A writer that outlived its parent holds the lock until it ends. Returns the index."""
    end = time.monotonic() + 15 * PATIENCE
    while True:
        keeper.run_pending_deletions()
        contents = keeper.index.read()
        if not contents.pending_deletions or time.monotonic() > end:
            return contents
        time.sleep(0.002)


def check(keeper, items, may_be):
    """What is wrong after a kill, before and after cleaning up; and the fingerprint found."""
    wrong = []
    try:
        found = state(keeper)
    except StoreError as error:
        return [f"neither the old nor the new key: {error}"], None
    if found not in may_be:
        wrong.append("a key was read that is neither the old nor the new one")
    seen = keeper.index.read().remembered
    wrong += ["a stored key is not in seen" for key in items.all().values() if key.fingerprint not in seen]
    contents = delete_all_pending(keeper)
    if contents.pending_deletions:
        wrong.append("finish() left leftovers")
    kept = {(name, entry.slot): entry.fingerprint for name, entry in contents.workspaces.items()}
    if {place: key.fingerprint for place, key in items.all().items()} != kept:
        wrong.append("items and index differ after finish()")
    if {key.fingerprint for key in items.spare().values()} - set(kept.values()):
        wrong.append("a deleted key is in the last generation")
    if state(keeper) != found:
        wrong.append("finish() changed the key that is kept")
    return wrong, found


def main(kind, home, rounds, keeper_name, seed):
    rng = random.Random(int(seed))
    items = {"vault": VaultItems, "keyring": KeyringItems}[kind](home)
    keeper = KEEPERS[keeper_name](Index(home), {items.name: items.store})
    honest = KeyManager(keeper.index, keeper.stores)
    honest.keep(WORKSPACE, make_key(rng), store=items.name)  # also loads what is imported late
    honest.forget(WORKSPACE)
    start = time.monotonic()
    for _ in range(5):
        honest.keep(WORKSPACE, make_key(rng), store=items.name)
    longest = (time.monotonic() - start) / 5 * 1.5
    before, interrupted, violations, kills = state(honest), 0, [], 0

    def one_kill():
        nonlocal before, interrupted, kills
        may_be, cut = expected(one_round(keeper, items, rng, longest), before)
        kills += 1
        if may_be is None:
            violations.append(f"the process failed by itself: {cut}")
            return True
        interrupted += cut
        wrong, before = check(honest, items, may_be)
        violations.extend(wrong)
        return bool(wrong)

    run_rounds(int(rounds), one_kill, lambda: interrupted > int(rounds) / 2)
    print(json.dumps({"rounds": kills, "interrupted": interrupted, "violations": violations}))


if __name__ == "__main__":
    main(*sys.argv[1:])
