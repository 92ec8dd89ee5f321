"""Kills a process that rotates and revokes with an Admin key, at random moments, also inside the requests.

    python -m support.admin_crashes HOME ROUNDS SEED KIND < the Admin key, then the first key of the workspace

prints a line a kill, and JSON at the end: {"rounds", "inside", "waiting", "lost", "violations": [sentence]}.
The API is the one that
MISTRAL_NB_API names: a sandbox of another process, which outlives every kill. KIND is ``honest``, or
``forgetful``, which writes down no intention.
"""

import contextlib
import http.client
import json
import os
import random
import sys
import time
import urllib.request

from mistral_nb.admin.client import AdminClient
from mistral_nb.api_key import Key, Secret
from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive
from mistral_nb.commands import revoke, rotate, status
from mistral_nb.errors import MistralNbError
from mistral_nb.keys import use_checks
from mistral_nb.sandbox.responses import make_id
from mistral_nb.storage import rotation_journal
from mistral_nb.storage.index import COMPROMISED, Index
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.memory_store import MemoryStore
from mistral_nb.storage.vault import Vault
from support.commands import Person
from support.crashes import CHEAP, kill_later
from support.kills import Pace, run_rounds
from support.patience import PATIENCE
from support.rotation_crashes import ask, patiently

WORKSPACE = "prod"
MOMENTS = ("begin", "begin", "asking", "made")  # from which the time to a kill is counted, in turn
ENDED = ("done", "raised")


def new_context(home):
    """As a new process has it."""
    context = Context(environ=os.environ, folder=os.path.join(home, "empty"), ask_api=ask)
    store = Vault(home, Secret("a passphrase"), CHEAP)
    context.__dict__["stores"] = {"file": store, "memory": MemoryStore()}
    context.__dict__["index"] = Index(home)
    context.__dict__["key_manager"] = KeyManager(context.index, context.stores)
    return context


def act(home, what):
    answers = {"new key": "no"}
    run = rotate.action if what == "rotate" else revoke.action
    return drive(run(new_context(home), WORKSPACE, yes=True), Person(answers), lambda _: None)


def one_round(home, what, rng, moment, pace):
    """What the process said until it was killed, some time after the moment."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        said = "done"
        try:
            os.write(writing, b"begin\n")
            report_moments(writing)
            act(home, what)
        except BaseException as error:  # noqa: BLE001 - told to the parent
            said = f"raised {type(error).__name__}: {error}"
        os.write(writing, f"{said}\n".encode())
        time.sleep(60)
    os.close(writing)
    return kill_later(pid, reading, rng.uniform(0, pace.seconds), (moment, *ENDED))


def report_moments(writing):
    """Have this process say when it asks for a new key, and when it has one and has written that down."""
    create, record = AdminClient.create_key, rotation_journal.record_entry

    def create_and_report(*arguments):
        os.write(writing, b"asking\n")
        return create(*arguments)

    def record_and_report(index, entry):
        record(index, entry)
        if entry.fingerprint:
            os.write(writing, b"made\n")

    AdminClient.create_key, rotation_journal.record_entry = create_and_report, record_and_report


def uninterrupted(home, what):
    """The seconds that a child takes if it is not killed."""
    pid = os.fork()
    if pid == 0:
        act(home, what)
        os._exit(0)
    start = time.monotonic()
    os.waitpid(pid, 0)
    return time.monotonic() - start


def accepted(key, address):
    """Whether the API takes the key: one question, where `ask` has two."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=5 * PATIENCE)
    connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key.reveal()}"})
    status = connection.getresponse().status
    connection.close()
    return status == 200


def there(address, admin_key):
    """The keys at the API, by key_id: name and hidden key. Not by the code that is tried."""
    asked = urllib.request.Request(
        f"{address}/v1/admin/api-keys?limit=100&offset=0", headers={"x-api-key": admin_key.reveal()}
    )
    with urllib.request.urlopen(asked, timeout=5 * PATIENCE) as answer:
        return {entry["key_id"]: entry for entry in json.load(answer)["keys"]}


def check(home, address, admin_key):
    """What is wrong after a kill: a key at the API that nothing here names; no working key here."""
    context = new_context(home)
    contents = context.index.read()
    begun = rotation_journal.read_entries(context.index)
    ids = {intention.key_id for intention in begun} | {intention.old_key_id for intention in begun}
    ids |= {entry.key_id for entry in (*contents.workspaces.values(), *contents.pending.values())}
    names = {intention.name for intention in begun}
    tails = {aside.tail for aside in contents.retired} | {entry.tail for entry in contents.workspaces.values()}
    wrong = []
    for key_id, entry in there(address, admin_key).items():
        if not (key_id in ids or entry["name"] in names or entry["hidden_key"][-4:] in tails):
            wrong.append("a key is left at the API that nothing here knows of")
    working = 0
    for key in stored(context):
        working += accepted(key, address)
    return wrong, working


def stored(context):
    keeper = context.key_manager
    for read in (
        lambda: keeper.read(WORKSPACE),
        lambda: keeper.read_pending(WORKSPACE),
        *(lambda aside=aside: keeper.read_retired(aside) for aside in keeper.retired_keys(WORKSPACE)),
    ):
        with contextlib.suppress(MistralNbError):
            key = read()
            if key is not None:
                yield key


def settle(home, address, admin_key):
    """The commands that a person types next: afterwards one key works, and no other is at the API."""
    wrong, said = [], []
    begun = rotation_journal.read_entries(Index(home))
    patiently(lambda: drive(status.action(new_context(home)), Person({}), said.append))
    if begun and not any("is unfinished" in step for step in said):
        wrong.append("a rotation is unfinished, and the next command does not say so")
    manager = new_context(home).key_manager
    revoked = any(retired.state == COMPROMISED for retired in manager.retired_keys())
    if revoked and WORKSPACE not in manager.workspaces():
        patiently(lambda: act(home, "revoke"))
    if WORKSPACE not in new_context(home).key_manager.workspaces():
        keep(home, made_by_hand(address, admin_key))
    patiently(lambda: act(home, "rotate"))
    context = new_context(home)
    key = context.key_manager.read(WORKSPACE)
    if not accepted(key, address):
        wrong.append("the key in use does not work")
    left = there(address, admin_key).values()
    names = {entry["name"] for entry in left}
    lost = {
        intention.name for intention in rotation_journal.read_entries(context.index)
    }  # its request may yet be carried out
    strange = [e for e in left if not (e["hidden_key"].endswith(key.tail) or e["name"] in lost)]
    for intention in rotation_journal.read_entries(context.index):
        if intention.name not in names:
            rotation_journal.remove_entry(context.index, intention)  # as after an hour
    return [*wrong, *(["more keys are left at the API"] if strange else [])]


def keep(home, key):
    new_context(home).key_manager.keep(WORKSPACE, key, {"mistral_workspace": WORKSPACE}, "file")


def made_by_hand(address, admin_key):
    """A key as the console makes it."""
    body = {"user_id": make_id("user"), "workspace_uuid": make_id(WORKSPACE), "name": "by hand"}
    asked = urllib.request.Request(
        f"{address}/v1/admin/api-keys", json.dumps(body).encode(), {"x-api-key": admin_key.reveal()}
    )
    with urllib.request.urlopen(asked, timeout=5 * PATIENCE) as answer:
        return Key(json.load(answer)["key"])


class Forgetful:
    """Records nothing: what an interrupted request created is orphaned."""

    def __enter__(self):
        self.before = rotation_journal.record_entry
        rotation_journal.record_entry = lambda index, intention: None

    def __exit__(self, *_):
        rotation_journal.record_entry = self.before


def main(home, rounds, seed, kind):
    rng = random.Random(int(seed))
    address = os.environ["MISTRAL_NB_API"]
    admin_key, first = (Key(line.strip()) for line in sys.stdin)
    os.environ["MISTRAL_ADMIN_API_KEY"] = admin_key.reveal()
    os.makedirs(os.path.join(home, "empty"), exist_ok=True)
    keep(home, first)
    act(home, "rotate")  # also loads what is imported late
    act(home, "revoke")
    longest = {}
    for _ in range(3):
        keep(home, made_by_hand(address, admin_key))
        for what in ("rotate", "revoke"):
            longest[what] = min(uninterrupted(home, what) * 1.2, longest.get(what, 9))
    keep(home, made_by_hand(address, admin_key))
    counts = dict.fromkeys(("rounds", "inside", "waiting", "lost", "rotate", "revoke"), 0)
    violations = []
    pace = {(what, moment): Pace(seconds) for what, seconds in longest.items() for moment in MOMENTS}

    def one_kill():
        what = "revoke" if counts["rounds"] % 5 == 4 else "rotate"
        moment = "begin" if what == "revoke" else MOMENTS[counts["rounds"] % len(MOMENTS)]
        with Forgetful() if kind == "forgetful" else contextlib.nullcontext():
            said = one_round(home, what, rng, moment, pace[what, moment])
        ended = said[-1].startswith(ENDED)
        begun = rotation_journal.read_entries(Index(home))
        counts["rounds"] += 1
        counts[what] += 1
        counts["inside"] += not ended
        counts["waiting"] += any(intention.fingerprint for intention in begun)
        counts["lost"] += any(intention.key_id is None for intention in begun)
        late = moment == "asking" and "made" in said  # it is the request that should be cut
        pace[what, moment].note(ended=ended or late)
        violations.extend(f"the process failed by itself: {line}" for line in said if line.startswith("raised"))
        wrong, working = check(home, address, admin_key)
        violations.extend(wrong)
        if not working and what == "rotate":
            violations.append("no working key can be retrieved")
        if not violations and (begun or what == "revoke"):
            violations.extend(settle(home, address, admin_key))
        return bool(violations)

    def enough():
        wanted = {"inside": 2, "waiting": 20, "lost": 50}
        return all(counts[name] > int(rounds) / part for name, part in wanted.items())

    run_rounds(int(rounds), one_kill, enough)
    print(json.dumps(counts | {"longest": longest, "violations": violations}))


if __name__ == "__main__":
    os.fsync = lambda descriptor: None  # a kill, unlike a power cut, loses nothing that was written
    use_checks._confirmed_workspaces.clear()
    main(*sys.argv[1:])
