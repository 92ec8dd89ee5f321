"""`mistral_nb.share`: the key for the workers of a Dask cluster, sealed for each of them."""

import atexit
import contextlib
import functools
import os
import secrets
import weakref
from typing import Any, NoReturn, Self

from mistral_nb import environment
from mistral_nb.api.hosts import classify_host
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.report import Dialog, Report, Row, RowState, Step, as_html, as_text
from mistral_nb.wording import name_first, plural
from mistral_nb.workers.key_source import KeySource, SharedKey, open_key_source, read_or_keep

INSTALL = 'Run: pip install "mistral_nb[dask]"'
ANY_CLIENT = "Any client of this scheduler can read it."
NO_TLS = "The connection to the scheduler is not encrypted (tcp://): anyone who can tamper with it can get the key."
_MAX_NAMES = 5  # workers named in a line
_shares: "weakref.WeakKeyDictionary[Any, Share]" = weakref.WeakKeyDictionary()  # client → its share


class Share:
    """A key that a cluster's workers have, and get again when it changes, until `stop` or the end of its ``with``.

    It holds no key that could be shown, and is never pickled.
    """

    def __init__(self, client: Any, source: KeySource, workspace: str | None) -> None:
        from mistral_nb.workers import dask_delivery

        self.workspace = workspace
        self._client, self._id, self._stopped = client, secrets.token_hex(8), False
        self._process = os.getpid()
        read = functools.partial(read_or_keep, source)
        self._delivery = dask_delivery.KeyDelivery(client, self._id, read)
        self._unsubscribe = environment.on_secret_event(self._note_change)

    def status(self) -> Report:
        """Which workers have the key: a report; ``.data["workers"]`` maps each address to its name and to ``has it``,
        ``no key``, ``another key`` or ``no answer``.
        """
        if self._stopped or self._client.status != "running":
            return Report(
                "The key is not shared any more: " + ("stopped." if self._stopped else "the client is closed.")
            )
        return _report(self._client, self._delivery)

    def stop(self) -> None:
        """Take the key away from the workers. A client that is closed can't: then they keep it until they end.

        Raises `MistralNbError` while the client has lost its scheduler: the share goes on, and can be stopped later.
        """
        if not self._stopped and self._client.status == "connecting":
            raise MistralNbError(
                "The client has lost its scheduler and is reconnecting, so the workers keep the key.",
                "Call stop() again when it is connected.",
            )
        self._end(withdraw=True)

    def _stop_at_exit(self) -> None:
        with contextlib.suppress(MistralNbError):
            self.stop()

    def _start(self) -> None:
        from mistral_nb.workers import dask_plugin

        dask_plugin.OWN_SHARES.add(self._id)
        try:
            self._client.sync(self._delivery.start)
        except BaseException:
            self._end(withdraw=True)
            raise
        atexit.register(self._stop_at_exit)

    def _end(self, *, withdraw: bool) -> None:
        if self._stopped or os.getpid() != self._process:  # in a forked child nothing runs the client's loop
            return
        self._stopped = True
        self._unsubscribe()
        atexit.unregister(self._stop_at_exit)
        if _shares.get(self._client) is self:
            del _shares[self._client]
        if self._client.status == "running":
            with contextlib.suppress(OSError, TimeoutError):  # the scheduler is gone
                self._client.sync(self._delivery.stop, withdraw=withdraw)

    def _note_change(self, event: environment.SecretEvent) -> None:
        if event.kind != "entered":
            self._delivery.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        shared = self._delivery.shared
        what = "stopped" if self._stopped else shared.label if shared else "no key"
        return f"<mistral_nb.share {what}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        report = self.status()
        return {"text/plain": as_text(report), "text/html": as_html(report)}

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Share is never pickled")


def share_key(
    context: Context, client: Any, workspace: str | None, *, force: bool = False, yes: bool = False
) -> Dialog[Share]:
    """Share a key with the workers of the client's cluster. Raises `MistralNbError`."""
    refuse_unusable_client(client)
    running = _shares.get(client)
    if running and running.workspace == workspace:
        return running
    source = yield from open_key_source(context, workspace, force=force, yes=yes)
    made = Share(client, source, workspace)
    try:
        client.sync(_refuse_unfit_workers, made._delivery)
        if running:
            running._end(withdraw=False)
        made._start()
    except BaseException:
        made._unsubscribe()
        raise
    _shares[client] = made
    report = made.status()
    yield Step(" ".join([report.title, *report.notes]))
    return made


def refuse_unusable_client(client: Any) -> None:
    """Raises `WrongUsage` for anything but a synchronous client that is connected."""
    try:
        from distributed import Client
    except ImportError:
        raise WrongUsage("dask.distributed is not installed.", INSTALL) from None
    if not isinstance(client, Client):
        raise WrongUsage(
            f"share takes a client of dask.distributed, not {type(client).__name__}.",
            "Try: mistral_nb.share(Client(ADDRESS))",
        )
    if client.asynchronous:
        raise WrongUsage("share does not work with an asynchronous client.", "Make one without asynchronous=True.")
    if client.status != "running":
        raise WrongUsage("The client is not connected to a scheduler.", "Make a new one: Client(ADDRESS)")


async def _refuse_unfit_workers(delivery: Any) -> None:
    """Raises `WrongUsage` that names the workers without mistral_nb, or with another major version of it."""
    from mistral_nb.workers import dask_plugin

    answers = await delivery.call_all(dask_plugin.describe_worker)
    failed = {worker: answer for worker, answer in answers.items() if isinstance(answer, Exception)}
    missing = [worker for worker, error in failed.items() if not isinstance(error, OSError)]  # that: no answer
    own = dask_plugin.installed_version()
    versions = {worker: answer["version"] for worker, answer in answers.items() if isinstance(answer, dict)}
    others = [f"{worker} ({version})" for worker, version in versions.items() if _major(version) != _major(own)]
    if missing or others:
        what = f"have no mistral_nb, or one without share: {name_first(missing, _MAX_NAMES)}" if missing else ""
        which = f"have another version of mistral_nb than {own}: {name_first(others, _MAX_NAMES)}" if others else ""
        raise WrongUsage(
            f"Workers {' and workers '.join(filter(None, (what, which)))}.",
            f"Install it there: pip install mistral_nb=={own}",
        )


def _major(version: str) -> str:
    return version.partition(".")[0]


def _report(client: Any, delivery: Any) -> Report:
    from mistral_nb.workers import dask_plugin

    shared: SharedKey | None = delivery.shared
    answers = client.sync(delivery.call_all, dask_plugin.describe_worker)
    workers = {worker: _worker_state(worker, answer, shared) for worker, answer in answers.items()}
    signs: dict[str, RowState] = {"has it": "ok", "no key": "warn" if shared else "", "another key": "warn"}
    named = sorted(workers.values(), key=lambda each: each["name"])
    rows = tuple(Row(each["name"], each["key"], signs.get(each["key"], "bad")) for each in named)
    count = plural(sum(each["key"] == "has it" for each in workers.values()), "worker")
    title = f"{shared.label} is shared with {count}." if shared else "There is no key to share any more."
    notes = (ANY_CLIENT, NO_TLS) if is_unencrypted(client.scheduler.address) else (ANY_CLIENT,)
    data = {"workspace": shared.workspace if shared else None, "tail": shared.key.tail if shared else None}
    return Report(title, rows, notes, data=data | {"workers": workers})


def _worker_state(worker: str, answer: Any, shared: SharedKey | None) -> dict[str, str]:
    if not isinstance(answer, dict):
        return {"name": worker, "key": "no answer"}
    has_it = shared is not None and answer["fingerprint"] == shared.key.fingerprint
    return {"name": answer["name"], "key": "has it" if has_it else "another key" if answer["fingerprint"] else "no key"}


def is_unencrypted(address: str) -> bool:
    """Whether a scheduler's address leads over a network without TLS."""
    scheme, _, rest = address.partition("://")
    return scheme in ("tcp", "ws") and classify_host(f"http://{rest}") == "insecure"
