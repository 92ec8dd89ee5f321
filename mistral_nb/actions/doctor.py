"""`doctor`: the checks that each part brings along, with the repair beside each finding."""

import shutil
import sys
from collections.abc import Callable, Iterator

from mistral_nb import __version__, session
from mistral_nb.actions import expiry, status, unfinished
from mistral_nb.actions.context import Context
from mistral_nb.config import ADMIN_VARIABLE
from mistral_nb.errors import MistralNbError
from mistral_nb.key import key_or_none
from mistral_nb.report import Action, Report, Row
from mistral_nb.store import intentions
from mistral_nb.store.index import ADMIN
from mistral_nb.watch import gather

Check = Callable[[Context], Iterator[Row]]


def action(context: Context) -> Action:
    yield from ()
    rows = tuple(row for check in CHECKS for row in check(context))
    findings = [row for row in rows if row.state in ("warn", "bad")]
    verdict = f"{len(findings)} finding{'s' * (len(findings) != 1)}" if findings else "no findings"
    data = {
        "findings": len(findings),
        "checks": [{"name": r.label, "value": r.value, "state": r.state, "repair": r.repair} for r in rows],
    }
    return Report(f"mistral_nb doctor: {verdict}", rows, exit_code=1 if findings else 0, data=data)


def _version(_: Context) -> Iterator[Row]:
    yield Row("version", f"mistral_nb {__version__} on Python {sys.version.split()[0]}", "ok")


def _settings(context: Context) -> Iterator[Row]:
    project = context.config.project
    if project.problem:
        yield Row("project", project.problem, "warn", "Mend that file, or nothing in it counts.")
    for why in session.unremembered():
        yield Row("index", f"A key of this process is not noted: {why}", "bad", "Until then saves don't catch it.")
    if session.not_a_key(context.environ):
        yield Row("environment", "MISTRAL_API_KEY holds no key: it counts as unset", "warn", "Unset or replace it.")


def _store(context: Context) -> Iterator[Row]:
    from mistral_nb.store import health

    yield from health.checks(context.config, context.stores)


def _api(context: Context) -> Iterator[Row]:
    from mistral_nb.api import health

    yield from health.checks(context.config.api, context.environ)


def _saves(context: Context) -> Iterator[Row]:
    from mistral_nb.saving import health

    yield from health.checks(context.environ, in_kernel=context.in_notebook)


def _life(context: Context) -> Iterator[Row]:
    """Keys that are past their date, wait, or should be gone; and what `curl` needs."""
    try:
        kept = context.contents().workspaces
    except MistralNbError:
        return
    for name, entry in kept.items():
        words, state = expiry.sentence(entry, context.today())
        if state == "bad":
            yield Row(f"expiry: {name}", words, state, context.typed(f"rotate {name}"))
    yield from status.waiting_rows(context)
    doubt = expiry.clock_doubt(kept.values(), context.now())
    if doubt:
        yield Row("clock", doubt, "warn", "Set this computer's clock.")
    if not shutil.which("curl"):
        yield Row("curl", "not installed", "", "mistral-nb curl needs it.")


def _admin(context: Context) -> Iterator[Row]:
    """The Admin key, where one is at hand, and rotations by one that were cut off. No network."""
    value = context.environ.get(ADMIN_VARIABLE)
    key = key_or_none(value)
    if value and key is None:
        yield Row(ADMIN_VARIABLE, "set, and no key", "warn", f"Set {ADMIN_VARIABLE} to an Admin key, or unset it.")
    kept = context.kept()
    ordinary = [n for n, e in kept.items() if key and e.fingerprint == key.fingerprint and e.kind != ADMIN]
    if key and ordinary:
        words = f"…{key.tail} is the ordinary key of workspace {ordinary[0]}"
        yield Row(ADMIN_VARIABLE, words, "bad", "An Admin key is made in the Backoffice.")
    elif key:
        yield Row(ADMIN_VARIABLE, f"…{key.tail}: every command started from here can delete keys", "", _KEEP_IT)
    if context.problem:
        return
    for left in intentions.read(context.index):
        what = f"{left.name} may be left at Mistral" if left.step == intentions.CREATE else f"…{left.old_tail} is"
        words = f"not finished: {what}" + (" still at Mistral" if left.step == intentions.DELETE else "")
        yield Row(f"rotation: {left.workspace}", words, "warn", unfinished.ending(context, left))


_KEEP_IT = "Keep it in the keyring: mistral-nb add --admin, and unset the variable."


def _git(context: Context) -> Iterator[Row]:
    from mistral_nb.git import health

    yield from health.checks(context.folder, context.environ, context.config.home)


def _kernel(context: Context) -> Iterator[Row]:
    from mistral_nb.kernel import health

    if context.in_notebook:
        yield from health.guard_rows()
    yield from health.history_rows(context.environ, gather(context.folder, environ=context.environ))


def _card(context: Context) -> Iterator[Row]:
    from mistral_nb.kernel import widget

    if context.in_notebook:
        yield from widget.checks()


CHECKS: tuple[Check, ...] = (_version, _settings, _store, _life, _admin, _api, _saves, _kernel, _card, _git)
