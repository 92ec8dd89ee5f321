"""What pages ask the server: which keys this machine knows of, and whether a document holds one. No answer has a key.

GET  mistral-nb/state   {home, machine, workspaces: {name: {tail, expires}}, covered, problem,
                        remembered: [{fingerprint, length, tail}]}
POST mistral-nb/scan    {path, content} → {message, keys: [as in the event of events.py], problem}
POST mistral-nb/keep    {id} → {kept, aside_id, text}
"""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from mistral_nb.config import Environ, data_folder
from mistral_nb.errors import IndexUnreadable
from mistral_nb.file_scrub import removal_summary
from mistral_nb.file_scrub.clean_file import FileResult
from mistral_nb.jupyter.lab.events import describe_keys
from mistral_nb.jupyter.server_copies import KeepResult, ServerCopies
from mistral_nb.key_records import NOT_STORED, SET_ASIDE, STORED, UNKNOWN
from mistral_nb.paths import identify_folder
from mistral_nb.storage.index import ADMIN, Index, aside_id
from mistral_nb.storage.index_edits import stored_fingerprints

_RESOURCE = "mistral_nb"
Search = Callable[[dict[str, Any], str], FileResult]


def add_handlers(
    web_app: Any, search: Search | None, environ: Environ | None = None, copies: ServerCopies | None = None
) -> None:
    """``search`` finds what a save of a model would remove, or leave, as `ContentsManagerGuard.search` does.

    None where saves of this server are not searched: then there is no scan either. ``copies`` are what its saves keep.
    """
    routes: list[tuple[str, Any, dict[str, Any]]] = [
        ("state", StateHandler, {"covered": search is not None}),
        ("keep", KeepHandler, {"copies": copies}),
    ]
    if search is not None:
        routes.append(("scan", ScanHandler, {"search": search}))
    base, given = web_app.settings["base_url"], {"environ": os.environ if environ is None else environ}
    web_app.add_handlers(
        ".*$", [(url_path_join(base, "mistral-nb", name), kind, given | own) for name, kind, own in routes]
    )


def describe_server(environ: Environ, covered: bool) -> dict[str, Any]:
    """What the index says; ``problem`` is a sentence if it can't be read. ``expires`` is ISO or null.

    ``home`` is as `identify_folder` has it; ``covered``: saves of this server are searched.
    """
    home = data_folder(environ)
    state = {"home": identify_folder(home), "machine": socket.gethostname(), "covered": covered}
    try:
        contents = Index(home).read()
    except IndexUnreadable as error:
        return state | {"workspaces": {}, "remembered": [], "problem": str(error)}
    return state | {
        "workspaces": {
            name: {"tail": entry.tail, "expires": entry.expires}
            for name, entry in contents.workspaces.items()
            if entry.kind != ADMIN
        },
        "remembered": [
            {"fingerprint": entry.fingerprint, "length": entry.length, "tail": entry.tail}
            for entry in contents.remembered.values()
        ],
        "problem": "",
    }


def keep_key(name: str, copies: ServerCopies | None, environ: Environ) -> KeepResult:
    """Set the key with this id aside, if it is in memory alone; and where it is then."""
    done = copies.try_again(name) if copies else None
    if done:
        return done
    try:
        contents = Index(data_folder(environ)).read()
    except IndexUnreadable as error:
        return KeepResult(UNKNOWN, str(error))
    if any(entry.id == name for entry in contents.set_aside):
        return KeepResult(SET_ASIDE, "This key is set aside on this machine.")
    if any(aside_id(fingerprint) == name for fingerprint in stored_fingerprints(contents)):
        return KeepResult(STORED, "This key is stored on this machine.")
    return KeepResult(NOT_STORED, "This server does not have this key: it was restarted, or the key was deleted.")


class StateHandler(APIHandler):
    """GET state."""

    auth_resource = _RESOURCE

    def initialize(self, environ: Environ, covered: bool) -> None:
        super().initialize()
        self.environ, self.covered = environ, covered

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.finish(await asyncio.to_thread(describe_server, self.environ, self.covered))


class ScanHandler(APIHandler):
    """POST scan: what an open document holds now. Nothing is changed or written."""

    auth_resource = _RESOURCE

    def initialize(self, environ: Environ, search: Search) -> None:
        super().initialize()
        self.search = search

    @web.authenticated
    @authorized
    async def post(self) -> None:
        sent = self.get_json_body()
        if not isinstance(sent, dict) or not isinstance(sent.get("path"), str):
            raise web.HTTPError(400, "The path is missing. Send a document's path and its content.")
        path, content = sent["path"].strip("/"), sent.get("content")
        kind = {"type": "file", "format": "text"} if isinstance(content, str) else {"type": "notebook"}
        found = await asyncio.to_thread(self.search, {**kind, "content": content}, path)
        message = removal_summary.format_line(found, write=False) or f"{path}: no key found"
        keys = describe_keys((*found.removed, *found.left))
        self.finish({"message": message, "keys": keys, "problem": found.problem})


class KeepHandler(APIHandler):
    """POST keep: a key that is in this server's memory alone is set aside now, if a store takes it."""

    auth_resource = _RESOURCE

    def initialize(self, environ: Environ, copies: ServerCopies | None) -> None:
        super().initialize()
        self.environ, self.copies = environ, copies

    @web.authenticated
    @authorized
    async def post(self) -> None:
        sent = self.get_json_body()
        if not isinstance(sent, dict) or not isinstance(sent.get("id"), str):
            raise web.HTTPError(400, "The id is missing. Send the aside_id of a key.")
        result = await asyncio.to_thread(keep_key, sent["id"], self.copies, self.environ)
        self.finish({**result._asdict(), "aside_id": sent["id"]})
