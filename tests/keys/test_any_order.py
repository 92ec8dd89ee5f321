"""The life of keys in any order, with a kill now and then, against a simple model: what is kept, waits, leaked."""

import random
import shutil
import tempfile
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mistral_nb import environment
from mistral_nb.api.verdict import Identity, Verdict
from mistral_nb.api_key import Key, Secret
from mistral_nb.command_context import Context
from mistral_nb.storage.index import COMPROMISED, Index, IndexData
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.memory_store import MEMORY, MemoryStore
from mistral_nb.storage.vault import Vault
from mistral_nb.storage.vault_format import KdfParameters
from support.commands import PASSPHRASE, Acted, act
from support.profiles import examples
from support.sandboxes import start_sandbox

NAMES = st.sampled_from(["prod", "dev", "qa"])
WRITES = st.integers(0, 6)


class Killed(BaseException):
    """As ``kill -9``: nothing of ours catches it."""


class FragileIndex(Index):
    """An index in a process that is killed after ``left`` writes; None for never."""

    left: int | None = None

    def _write(self, contents: IndexData) -> None:
        if self.left == 0:
            raise Killed
        self.left = None if self.left is None else self.left - 1
        super()._write(contents)


class Life(RuleBasedStateMachine):
    """Each command is a process of its own; they share a home, and one environment as a kernel's cells do."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.mkdtemp()
        self.sandbox = start_sandbox(rng=random.Random(1)).__enter__()  # the same when a failure is run again
        self.environ = {"MISTRAL_NB_HOME": self.home, "MISTRAL_NB_STORE": "file", "MISTRAL_NB_API": self.sandbox.url}
        self.kept: dict[str, Key] = {}
        self.waits: dict[str, Key] = {}
        self.leaked: set[Key] = set()

    def teardown(self) -> None:
        self.sandbox.__exit__()
        shutil.rmtree(self.home)

    def context(self, left: int | None = None) -> Context:
        MEMORY.__init__()  # each command is a process of its own: what an earlier one had in memory is gone
        context = Context("magic", self.environ, self.home, ask_api=self.ask)
        vault = Vault(self.home, Secret(PASSPHRASE), KdfParameters(8, 1, 1))
        context.__dict__ |= {"stores": {"file": vault, "memory": MemoryStore()}, "index": FragileIndex(self.home)}
        context.index.left = left  # type: ignore[attr-defined]
        return context

    def ask(self, key: Key, _: str) -> Verdict:
        if self.sandbox.find_key(key.reveal()) is None:
            return Verdict("refused", "The API refuses the key.")
        return Verdict("accepted", "The API accepts the key.", Identity(workspace="team"))

    def act(self, name: str, answers: dict[str, Any] | None = None, /, **flags: Any) -> Acted:
        return act(self.context(), name, {"expires": "", **(answers or {})}, **flags)

    @rule(name=NAMES)
    def login(self, name: str) -> None:
        key = self.sandbox.make_key()
        self.act("login", {"key": key}, workspace=name, yes=True)
        self.kept[name] = key
        waiting = self.waits.pop(name, None)
        if waiting:
            assert waiting.fingerprint in {aside.fingerprint for aside in self.context().key_manager.retired_keys(name)}

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), accepted=st.booleans())
    def rotate(self, data: st.DataObject, accepted: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.kept)))
        key = self.waits.pop(name, None) or self.sandbox.make_key(waiting=not accepted)
        if accepted:
            self.sandbox.accept(key)
        acted = self.act("rotate", {"key": key, "again": "no", "wait": "yes"}, workspace=name)
        (self.kept if acted.report.data["rotated"] else self.waits)[name] = key

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), deleted=st.booleans())
    def revoke(self, data: st.DataObject, deleted: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.kept)))
        self.environ.pop("MISTRAL_API_KEY", None)
        key = self.kept.pop(name)
        if deleted:
            self.sandbox.revoke(key)
        acted = self.act("revoke", {"look again": "revoke", "new key": "no"}, workspace=name)
        assert acted.report.data["tail"] == key.tail
        assert (
            any(a.fingerprint == key.fingerprint for a in self.context().key_manager.retired_keys(name)) is not deleted
        )
        self.leaked.add(key)

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def logout(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.kept)))
        self.act("logout", workspace=name, yes=True)
        del self.kept[name]
        self.waits.pop(name, None)

    @precondition(lambda self: set(self.kept) - set(self.waits))
    @rule(data=st.data())
    def rename(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(set(self.kept) - set(self.waits))))
        free = [new for new in ("prod", "dev", "qa", "team") if new not in self.kept and new not in self.waits]
        if free:
            self.act("edit", workspace=name, rename=free[0])
            self.kept[free[0]] = self.kept.pop(name)

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def switch(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.kept)))
        self.act("switch", workspace=name)
        active = environment.active_key(self.environ)
        assert active and (active.key, active.workspace) == (self.kept[name], name)

    @rule(what=st.sampled_from(["login", "rotate", "revoke", "edit"]), name=NAMES, left=WRITES)
    def be_killed(self, what: str, name: str, left: int) -> None:
        """What was kept or waited can be had still, in its place or aside; then the model begins anew from there."""
        new = self.sandbox.make_key()
        flags = {"login": {"yes": True}, "edit": {"rename": "team"}}.get(what, {})
        answers = {"key": new, "expires": "", "look again": "revoke", "new key": "no"}
        with suppress(Killed, Exception):
            act(self.context(left), what, answers, workspace=name, **flags)
        keeper = self.context().key_manager
        keeper.run_pending_deletions()
        found = self.found(keeper)
        replaced = {self.kept.get(name)} if what == "login" and keeper.workspaces().get(name) else set()
        assert {*self.kept.values(), *self.waits.values()} - replaced <= found
        assert all(self.kept[other] == keeper.read(other) for other in self.kept if other != name)
        self.kept = {each: keeper.read(each) for each in keeper.workspaces()}
        self.waits = {each: key for each in keeper.pending_keys() if (key := keeper.read_pending(each))}
        self.leaked |= {key for key in found if keeper.index.read().remembered[key.fingerprint].state == COMPROMISED}
        for each in set(keeper.pending_keys()) - set(self.waits):
            keeper.drop_pending(each)

    @staticmethod
    def found(keeper: KeyManager) -> set[Key]:
        kept = {keeper.read(name) for name in keeper.workspaces()}
        waiting = {keeper.read_pending(name) for name in keeper.pending_keys()}
        aside = {keeper.read_retired(aside) for aside in keeper.retired_keys()}
        return {key for key in kept | waiting | aside if key}

    @invariant()
    def every_key_is_where_it_belongs(self) -> None:
        keeper = self.context().key_manager
        assert {name: keeper.read(name) for name in keeper.workspaces()} == self.kept
        assert {name: keeper.read_pending(name) for name in keeper.pending_keys()} == self.waits
        assert not self.leaked & {*self.kept.values(), *self.waits.values()}
        assert self.environ.get("MISTRAL_API_KEY") not in {key.reveal() for key in self.leaked}

    @invariant()
    def nothing_is_stored_that_the_index_does_not_name(self) -> None:
        context = self.context()
        contents = context.read_index()
        named = {(name, entry.slot) for name, entry in [*contents.workspaces.items(), *contents.pending.items()]}
        named |= {(aside.workspace, aside.slot) for aside in contents.retired}
        stored = context.stores["file"].read_all()  # type: ignore[attr-defined]
        assert {(name, slot) for name, slots in stored.items() for slot in slots} == named
        assert contents.pending_deletions == []


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=examples(8),
    stateful_step_count=16,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("left", range(4))
def test_a_killed_revoke_leaves_no_key_in_use_that_is_marked_as_leaked(left: int) -> None:
    life = Life()
    life.login(name="prod")
    life.be_killed(what="revoke", name="prod", left=left)
    life.every_key_is_where_it_belongs()
    life.teardown()
