"""`doctor`: runs the checks of each part and suggests fixes."""

import shutil
import sys
from collections.abc import Callable, Iterator

from mistral_nb import __version__, environment, exit_codes
from mistral_nb.api_key import key_or_none
from mistral_nb.command_context import Context
from mistral_nb.config import ADMIN_VARIABLE
from mistral_nb.errors import MistralNbError
from mistral_nb.keys import cluster_settings, expiry, interrupted_commands, key_report, key_sources, startup_files
from mistral_nb.keys.activation_report import format_key
from mistral_nb.report import Action, Report, Row
from mistral_nb.storage import rotation_journal
from mistral_nb.storage.index import ADMIN
from mistral_nb.watchlist import build_watchlist
from mistral_nb.wording import plural

Check = Callable[[Context], Iterator[Row]]


def action(context: Context) -> Action:
    yield from ()
    environment.register_variables(context.environ)
    rows = tuple(row for check in CHECKS for row in check(context))
    findings = [row for row in rows if row.state in ("warn", "bad")]
    verdict = plural(len(findings), "finding") if findings else "no findings"
    data = {
        "findings": len(findings),
        "checks": [{"name": r.label, "value": r.value, "state": r.state, "repair": r.repair} for r in rows],
    }
    return Report(
        f"mistral_nb doctor: {verdict}", rows, exit_code=exit_codes.FINDING if findings else exit_codes.OK, data=data
    )


def _check_version(_: Context) -> Iterator[Row]:
    yield Row("version", f"mistral_nb {__version__} on Python {sys.version.split()[0]}", "ok")
    yield Row("to remove it", "first mistral-nb uninstall, then pip uninstall mistral_nb")


def _check_settings(context: Context) -> Iterator[Row]:
    project = context.config.project
    if project.problem:
        yield Row("project", project.problem, "warn", "Fix the file; its settings are ignored until then.")
    for why in environment.remember_problems():
        yield Row("index", f"A key of this process is not recorded: {why}", "bad", "Until then saves don't catch it.")


def _check_sources(context: Context) -> Iterator[Row]:
    """The key in the environment, and what else is there in the places that keys come from."""
    active = context.active
    if active:
        entry = context.stored_workspaces().get(active.workspace or "")
        yield Row("key", f"{format_key(active.workspace, active.key.tail, entry)}, from {active.origin}", "ok")
    yield from key_sources.source_rows(context, active)


def _check_store(context: Context) -> Iterator[Row]:
    from mistral_nb.storage import doctor_checks

    yield from doctor_checks.checks(context.config, context.stores)


def _check_api(context: Context) -> Iterator[Row]:
    from mistral_nb.api import doctor_checks

    yield from doctor_checks.checks(context.config.api, context.environ)


def _check_saves(context: Context) -> Iterator[Row]:
    from mistral_nb.jupyter import doctor_checks

    yield from doctor_checks.checks(context.environ, in_kernel=context.in_notebook)


def _check_keys(context: Context) -> Iterator[Row]:
    """Keys that are expired, pending, or should be deleted; and what `curl` needs."""
    try:
        kept = context.read_index().workspaces
    except MistralNbError:
        return
    for name, entry in kept.items():
        words, state = expiry.describe_expiry(entry, context.today())
        if state == "bad":
            yield Row(f"expiry: {name}", words, state, context.format_command(f"rotate {name}"))
    yield from key_report.attention_rows(context)
    doubt = expiry.clock_warning(kept.values(), context.now())
    if doubt:
        yield Row("clock", doubt, "warn", "Set this computer's clock.")
    if not shutil.which("curl"):
        yield Row("curl", "not installed", "", "mistral-nb curl needs it.")


def _check_admin_key(context: Context) -> Iterator[Row]:
    """The Admin key, if there is one, and interrupted rotations with one. No network."""
    value = context.environ.get(ADMIN_VARIABLE)
    key = key_or_none(value)
    if value and key is None:
        yield Row(
            ADMIN_VARIABLE, "set, but not to a key", "warn", f"Set {ADMIN_VARIABLE} to an Admin key, or unset it."
        )
    kept = context.stored_workspaces()
    ordinary = [n for n, e in kept.items() if key and e.fingerprint == key.fingerprint and e.kind != ADMIN]
    if key and ordinary:
        words = f"…{key.tail} is the ordinary key of workspace {ordinary[0]}"
        yield Row(ADMIN_VARIABLE, words, "bad", "Create an Admin key in the Backoffice.")
    elif key:
        yield Row(ADMIN_VARIABLE, f"…{key.tail}: every command started from here can delete keys", "", _STORE_IT_HINT)
    if context.index_problem:
        return
    for left in rotation_journal.read_entries(context.index):
        what = (
            f"{left.name} may still exist at Mistral"
            if left.step == rotation_journal.CREATE
            else f"…{left.old_tail} is"
        )
        words = f"not finished: {what}" + (" still at Mistral" if left.step == rotation_journal.DELETE else "")
        yield Row(f"rotation: {left.workspace}", words, "warn", interrupted_commands.finishing_hint(context, left))


_STORE_IT_HINT = "Keep it in the keyring: mistral-nb login --admin, and unset the variable."


def _check_git(context: Context) -> Iterator[Row]:
    from mistral_nb.git import doctor_checks

    yield from doctor_checks.checks(context.folder, context.environ, context.config.home)


def _check_autoload(context: Context) -> Iterator[Row]:
    found = startup_files.find_startup_files(context.environ)
    yield from (Row("autoload", f"{file.words} ({file.path})", "ok") for file in found)
    if not found:
        yield Row("autoload", "off: each notebook needs %load_ext mistral_nb", "", context.format_command("autoload"))


def _check_kernel(context: Context) -> Iterator[Row]:
    from mistral_nb.guard import doctor_checks

    if context.in_notebook:
        yield from doctor_checks.guard_rows()
    yield from doctor_checks.history_rows(context.environ, build_watchlist(context.folder, environ=context.environ))


def _check_clusters(_: Context) -> Iterator[Row]:
    yield from cluster_settings.cluster_rows()


def _check_widget(context: Context) -> Iterator[Row]:
    from mistral_nb.prompts.widget import anywidget_channel

    if context.in_notebook:
        yield from anywidget_channel.checks()


CHECKS: tuple[Check, ...] = (
    _check_version,
    _check_settings,
    _check_sources,
    _check_store,
    _check_keys,
    _check_admin_key,
    _check_api,
    _check_saves,
    _check_kernel,
    _check_clusters,
    _check_autoload,
    _check_widget,
    _check_git,
)
