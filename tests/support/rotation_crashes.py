"""Kills a process that rotates and revokes, at random moments, and looks at what the next command finds.

    python -m support.rotation_crashes vault|keyring HOME ROUNDS KEEPER SEED < keys, one a line

prints a line a kill, and JSON at the end: {"rounds", "interrupted", "pending", "violations": [sentence]}.
The API is the one that
MISTRAL_NB_API names, which knows the keys. KEEPER is ``KeyManager``, or the faulty one below.
"""

import contextlib
import http.client
import json
import os
import random
import sys
import time
from dataclasses import replace

from mistral_nb.api.verdict import judge, parse_identity
from mistral_nb.api_key import Key, Secret
from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive
from mistral_nb.commands import revoke, rotate, status
from mistral_nb.errors import MistralNbError, StoreTimedOut
from mistral_nb.keys import use_checks
from mistral_nb.storage.index import COMPROMISED, Index
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.keyring_store import KeyringStore
from mistral_nb.storage.memory_store import MemoryStore
from mistral_nb.storage.vault import Vault
from support.commands import Person
from support.crashes import CHEAP, KeyringItems, VaultItems, forked_writer, kill_later
from support.kills import Pace, run_rounds
from support.patience import PATIENCE

WORKSPACE = "prod"


class DropsTheOldFirst(KeyManager):
    """Faulty: the old key is deleted when the new one is stored, before that is accepted."""

    def add_pending(self, workspace, key, details=None, expected=None):
        entry = self.workspaces()[workspace]
        self.stores[entry.store].delete(workspace, entry.slot)
        return super().add_pending(workspace, key, details, expected)


KEEPERS = {kind.__name__: kind for kind in (KeyManager, DropsTheOldFirst)}


def ask(key, base):
    """The two questions of `api.client.verify`, without httpx, whose start costs more than all the rest."""
    told = []
    for path in ("/v1/models", "/v1/users/me"):
        connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=5 * PATIENCE)
        connection.request("GET", path, headers={"Authorization": f"Bearer {key.reveal()}"})
        answer = connection.getresponse()
        told.append((answer.status, dict(answer.headers), answer.read()))
        connection.close()
    return replace(judge(*told[0], key=key), identity=parse_identity(told[1][2], key))


class World:
    def __init__(self, kind, home, keeper):
        self.items = {"vault": VaultItems, "keyring": KeyringItems}[kind](home)
        self.home, self.kind, self.keeper = home, kind, keeper
        self.name = os.environ["MISTRAL_NB_STORE"] = self.items.name

    def context(self):
        """As a new process has it."""
        context = Context(environ=os.environ, folder=os.path.join(self.home, "empty"), ask_api=ask)
        store = (
            Vault(self.home, Secret("a passphrase"), CHEAP)
            if self.kind == "vault"
            else KeyringStore(50, run=forked_writer)
        )
        context.__dict__["stores"] = {self.name: store, "memory": MemoryStore()}
        context.__dict__["key_manager"] = self.keeper(Index(self.home), context.stores)
        context.__dict__["index"] = context.key_manager.index
        return context


def work(context, report, keys, rng):
    """Rotate and revoke for ever; say what is begun and what is done."""
    for key in keys:
        what = rng.choice(["rotate", "rotate", "revoke"])
        os.write(report, f"begin {what} {key.fingerprint}\n".encode())
        act(context, what, key)
        os.write(report, f"end {what} {key.fingerprint}\n".encode())


def act(context, what, key):
    answers = {"key": [key], "expires": "", "new key": "yes", "name": "", "look again": "revoke"}
    run = rotate.action if what == "rotate" else revoke.action
    return drive(run(context, WORKSPACE), Person(answers), lambda _: None)


def one_round(world, keys, rng, pace):
    reading, writing = os.pipe()
    seed = rng.random()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            work(world.context(), writing, keys, random.Random(seed))
        except BaseException as error:  # noqa: BLE001 - told to the parent
            os.write(writing, f"raised {type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os.close(writing)
    return [line.split(" ", 2) for line in kill_later(pid, reading, rng.uniform(0, pace.seconds))]


def patiently(call):
    """A writer that outlived its parent holds the lock until it ends."""
    end = time.monotonic() + 15 * PATIENCE
    while True:
        try:
            return call()
        except StoreTimedOut:
            if time.monotonic() > end:
                raise
        time.sleep(0.005)


def check(world, said, before, spare):
    """What is wrong after a kill; the key in use after the next commands; whether something waited."""
    wrong = []
    done, begun, revoking = before, None, False
    for verb, what, rest in said:
        if verb == "raised":
            return [f"the process failed by itself: {what} {rest}"], before, False
        begun, done = (rest, done) if verb == "begin" else (None, rest)
        revoking = what == "revoke"
    context = world.context()
    keeper = context.key_manager
    may_be = {done, begun} - {None}
    retrievable = found_anywhere(keeper)
    if not retrievable & may_be:
        wrong.append("neither the old nor the new key can be retrieved")
    waited = WORKSPACE in keeper.pending_keys()
    steps = []
    patiently(lambda: drive(status.action(world.context()), Person({}), steps.append))
    if waited and not any("is unfinished" in step for step in steps):
        wrong.append("a rotation is pending and the next command does not say so")
    with contextlib.suppress(MistralNbError):
        patiently(keeper.run_pending_deletions)
    if keeper.index.read().pending_deletions:
        wrong.append("the next command left leftovers")
    wrong += items_and_index(world, keeper)
    if revoking and begun is None:
        state = keeper.index.read().remembered
        wrong += [
            f"a revoked key is {state[a.fingerprint].state}"
            for a in keeper.retired_keys()
            if a.state == COMPROMISED and state[a.fingerprint].state != COMPROMISED
        ]
    return [*wrong, *settle(world, spare, waited)], None, waited


def found_anywhere(keeper):
    found = set()
    with contextlib.suppress(MistralNbError):
        found.add(keeper.read(WORKSPACE).fingerprint)
    with contextlib.suppress(MistralNbError):
        key = keeper.read_pending(WORKSPACE)
        found |= {key.fingerprint} if key else set()
    for aside in keeper.retired_keys(WORKSPACE):
        key = keeper.read_retired(aside)
        found |= {key.fingerprint} if key else set()
    return found


def items_and_index(world, keeper):
    contents = keeper.index.read()
    named = {(n, e.slot): e.fingerprint for n, e in contents.workspaces.items()}
    named |= {(a.workspace, a.slot): a.fingerprint for a in contents.retired}
    stored = {place: key.fingerprint for place, key in world.items.all().items()}
    maybe = {(n, e.slot): e.fingerprint for n, e in contents.pending.items()}
    wrong = [] if {p: f for p, f in stored.items() if p not in maybe} == named else ["items and index differ"]
    return wrong + ["a stored key is not in seen" for mark in stored.values() if mark not in contents.remembered]


def settle(world, spare, waited):
    """The commands that finish it, as a person types them: afterwards the workspace has a key in use."""
    context = world.context()
    if waited:
        person = Person({"expires": "", "name": "", "key": [spare]})
        report = patiently(lambda: drive(rotate.action(context, WORKSPACE), person, lambda _: None))
        if not report.data["rotated"] or world.context().key_manager.pending_keys():
            return ["rotate did not finish what it was told of"]
    if WORKSPACE not in world.context().key_manager.workspaces():
        patiently(lambda: act(context, "revoke", spare))
    try:
        world.context().key_manager.read(WORKSPACE)
    except MistralNbError as error:
        return [f"after all that: {error}"]
    return []


def main(kind, home, rounds, keeper_name, seed):
    rng = random.Random(int(seed))
    keys = [Key(line.strip()) for line in sys.stdin]
    os.makedirs(os.path.join(home, "empty"), exist_ok=True)
    world = World(kind, home, KEEPERS[keeper_name])
    honest = World(kind, home, KeyManager)
    context = honest.context()
    context.key_manager.keep(WORKSPACE, keys.pop(), {"mistral_workspace": WORKSPACE}, store=world.name)
    for what in ("rotate", "revoke"):  # also loads what is imported late
        act(context, what, keys.pop())
    start = time.monotonic()
    for what in ("rotate", "revoke"):
        act(context, what, keys.pop())
    pace = Pace(min((time.monotonic() - start) / 2 * 1.2, 0.06 if kind == "vault" else 0.3))
    kills = interrupted = pending = 0
    violations = []

    def one_kill():
        nonlocal kills, interrupted, pending
        before = honest.context().key_manager.workspaces()[WORKSPACE].fingerprint
        batch = [keys.pop() for _ in range(4)]
        said = one_round(world, batch, rng, pace)
        kills += 1
        interrupted += bool(said) and said[-1][0] == "begin"
        pace.note(ended=len(said) == 2 * len(batch))
        wrong, _, waited = check(honest, said, before, keys.pop())
        pending += waited
        violations.extend(wrong)
        if wrong:
            return True
        forget_asides(honest)
        return False

    run_rounds(int(rounds), one_kill, lambda: interrupted > int(rounds) / 2 and pending > int(rounds) / 20)
    print(json.dumps({"rounds": kills, "interrupted": interrupted, "pending": pending, "violations": violations}))


def forget_asides(world):
    """As when Mistral refuses them: else the store fills up."""
    keeper = world.context().key_manager
    for aside in keeper.retired_keys():
        patiently(lambda aside=aside: keeper.drop_retired(aside))


if __name__ == "__main__":
    use_checks._confirmed_workspaces.clear()
    main(*sys.argv[1:])
