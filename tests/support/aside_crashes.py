"""Kills a process that takes keys out of files, at random moments, and looks for each key.

    python -m support.aside_crashes scrub|save vault|keyring FOLDER ROUNDS honest|faulty SEED

prints a line a kill, and JSON at the end: {"rounds", "interrupted", "violations": [sentence]}. A ``faulty`` process
removes the key before it sets it aside, to show that the check can fail. The processes are forked from this one, which
has everything loaded.
"""

import json
import logging
import os
import random
import sys
import time
from pathlib import Path

from jupyter_server.services.contents.largefilemanager import LargeFileManager

from mistral_nb.errors import StoreError
from mistral_nb.file_scrub.clean_file import CleanOptions, clean_file
from mistral_nb.jupyter.save_hook import ContentsManagerGuard
from mistral_nb.jupyter.server_copies import ServerCopies
from mistral_nb.jupyter.watchlist_cache import WatchlistCache
from mistral_nb.key_records import SET_ASIDE
from mistral_nb.storage.index import Index
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.set_aside import RemovalPlace, SetAside
from mistral_nb.watchlist import Watchlist
from support.crashes import KeyringItems, VaultItems, delete_all_pending, kill_later
from support.keys import make_key
from support.kills import run_rounds

MOST_FILES = 30  # of one process: fewer than can be set aside
PLACE = RemovalPlace("a.ipynb")


def document(key):
    cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": []}
    cells = [cell | {"source": f'MISTRAL_API_KEY = "{key.reveal()}"'}]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def scrub(path, key, keep):
    outcome = clean_file(path, Watchlist(), CleanOptions(write=True, keep_copy=keep))
    assert not outcome.problem, outcome.problem


def save(path, key, keep):
    log = logging.Logger("quiet")
    log.addHandler(logging.NullHandler())
    manager = LargeFileManager(root_dir=os.path.dirname(path), log=log)
    watchlists = WatchlistCache(log.warning, {"MISTRAL_NB_HOME": os.path.dirname(path), "MISTRAL_NB_SET_ASIDE": "off"})
    ContentsManagerGuard(manager, watchlists, copies=ServerCopies(lambda: keep) if keep else None).install()
    manager.save({"type": "notebook", "format": "json", "content": document(key)}, os.path.basename(path))


REMOVALS = {"scrub": scrub, "save": save}


def work(remove, aside, folder, keys, report, honest):
    """Take one key after the other out of a file; say what is begun and what is done."""

    def keep(key, place):
        aside.put(key, place)
        return SET_ASIDE

    for number, key in enumerate(keys):
        path = os.path.join(folder, f"{number}.ipynb")
        Path(path).write_text(json.dumps(document(key)))
        os.write(report, f"begin {number}\n".encode())
        if honest:
            remove(path, key, keep)
        else:
            remove(path, key, None)
            aside.put(key, PLACE)
        os.write(report, f"end {number}\n".encode())


def run_and_kill(remove, aside, folder, keys, seconds, honest):
    """What the killed process said."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            work(remove, aside, folder, keys, writing, honest)
        except BaseException as error:  # noqa: BLE001, whatever it is, the parent reports it
            os.write(writing, f"raised {type(error).__name__}\n".encode())
        os._exit(1)
    os.close(writing)
    return [line.split(" ") for line in kill_later(pid, reading, seconds)]


def find_lost(aside, folder, keys, begun):
    """The numbers of the keys that are neither in their file nor set aside."""
    held = {entry.fingerprint: entry for entry in aside.entries()}

    def is_set_aside(key):
        try:
            return key.fingerprint in held and aside.take(held[key.fingerprint]) == key
        except StoreError:
            return False

    texts = [Path(folder, f"{number}.ipynb").read_text() for number in range(begun)]
    return [n for n in range(begun) if keys[n].reveal() not in texts[n] and not is_set_aside(keys[n])]


def main(what, kind, folder, rounds, way, seed):
    rng = random.Random(int(seed))
    home = os.path.join(folder, "home")
    items = {"vault": VaultItems, "keyring": KeyringItems}[kind](home)
    stores = {items.name: items.store}
    aside = SetAside(Index(home), stores, items.name)
    manager = KeyManager(Index(home), stores)
    remove, honest = REMOVALS[what], way == "honest"
    interrupted, violations, kills = 0, [], 0

    def one_kill(longest=None):
        nonlocal interrupted, kills
        keys = [make_key(rng) for _ in range(MOST_FILES)]
        seconds = rng.uniform(0, longest) if longest else 3600
        said = run_and_kill(remove, aside, folder, keys, seconds, honest)
        kills += 1
        begun = sum(verb == "begin" for verb, _ in said)
        cut = begun > sum(verb == "end" for verb, _ in said)
        interrupted += cut
        violations.extend(f"the process failed by itself: {rest}" for verb, rest in said if verb == "raised")
        violations.extend("a key is neither in its file nor set aside" for _ in find_lost(aside, folder, keys, begun))
        delete_all_pending(manager)
        violations.extend("a key was deleted by finish()" for _ in find_lost(aside, folder, keys, begun))
        for entry in aside.entries():
            aside.drop(entry)
        if items.all():
            violations.append("an item is left that the index does not know")
        return bool(violations)

    start = time.monotonic()
    work(remove, aside, folder, [make_key(rng) for _ in range(5)], os.open(os.devnull, os.O_WRONLY), honest=True)
    longest = (time.monotonic() - start) / 5 * 3
    for entry in aside.entries():
        aside.drop(entry)
    run_rounds(int(rounds), lambda: one_kill(longest), lambda: interrupted > int(rounds) / 2)
    print(json.dumps({"rounds": kills, "interrupted": interrupted, "violations": violations}))


if __name__ == "__main__":
    main(*sys.argv[1:])
