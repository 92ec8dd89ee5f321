"""`status`: what is stored and active, then what is wrong. Never more of a key than its tail."""

from typing import Any

from mistral_nb import environment, exit_codes
from mistral_nb.command_context import Context
from mistral_nb.environment import ActiveKey
from mistral_nb.keys import aside_keys, expiry, interrupted_commands, key_sources, startup_files
from mistral_nb.keys.activation_report import activation_warnings, format_key
from mistral_nb.keys.key_report import UNREADABLE_TITLE, attention_rows, details_data
from mistral_nb.report import Action, Report, Row, RowState
from mistral_nb.storage.index import ADMIN, Workspace
from mistral_nb.storage.store_protocol import store_name
from mistral_nb.wording import plural

_Stored = dict[str, Workspace]


def action(context: Context, long: bool = False) -> Action:
    environment.register_variables(context.environ)
    yield from interrupted_commands.finish_interrupted(context)
    kept, active = context.stored_workspaces(), context.active
    long = long or not context.may_be_committed
    sources = key_sources.source_rows(context, active)
    saves, kernel = _save_rows(context), _kernel_rows(context)
    clock = filter(None, [expiry.clock_warning(kept.values(), context.now())])
    others = [
        *_active_rows(context, active, kept, long),
        *sources,
        *_index_rows(context),
        *(Row("warning", text, "warn") for text in activation_warnings(context)),
        *kernel,
        *saves,
        *_autoload_rows(context),
        *(Row("clock", text, "warn") for text in clock),
    ]
    rows = [*_workspace_rows(context, active, kept), *sorted(others, key=lambda row: row.state not in ("bad", "warn"))]
    next_step = _next_step(context, active, kept)
    data = {
        "active": _active_data(active),
        "workspaces": {name: _workspace_data(context, entry, long) for name, entry in kept.items()},
        "warnings": [
            *filter(None, (context.index_problem,)),
            *activation_warnings(context),
            *(f"{row.label}: {row.value}" for row in sources if row.state),
        ],
        "set_aside": [] if context.index_problem else aside_keys.data(context),
        "saves": saves[0].value if saves else None,
        "kernel": kernel[0].value if kernel else None,
        "next": next_step,
    }
    title, exit_code = _title(context, active, kept), _exit_code(context, active, kept)
    return Report(title, tuple(rows), (f"Next: {next_step}",), exit_code, data)


def _title(context: Context, active: ActiveKey | None, kept: _Stored) -> str:
    if active:
        entry = kept.get(active.workspace or "")
        return f"Active: {format_key(active.workspace or 'no workspace', active.key.tail, entry)}"
    if context.index_problem:
        return UNREADABLE_TITLE
    stored = f"{plural(len(kept), 'Mistral key')} stored" if kept else "No Mistral key is stored"
    return f"{stored}, none is active in this process." if context.in_notebook and kept else f"{stored}."


def _exit_code(context: Context, active: ActiveKey | None, kept: _Stored) -> int:
    """As `list`; and a finding where there is no key at all."""
    if context.index_problem:
        return exit_codes.INCOMPLETE
    return exit_codes.OK if active or kept or context.config.key_file else exit_codes.FINDING


def _workspace_rows(context: Context, active: ActiveKey | None, kept: _Stored) -> list[Row]:
    """One line for each, the active one first."""
    rows = [
        _workspace_row(context, name, entry, is_active=_is_active(name, entry, active)) for name, entry in kept.items()
    ]
    return sorted(rows, key=lambda row: not row.label.startswith("active"))


def _is_active(name: str, entry: Workspace, active: ActiveKey | None) -> bool:
    return bool(active and entry.fingerprint == active.key.fingerprint and active.workspace == name)


def _active_rows(context: Context, active: ActiveKey | None, kept: _Stored, long: bool) -> list[Row]:
    """More on the key in the environment. A command line ends with its command, and needs none."""
    if active is None:
        is_unset = not environment.no_key_sentence(context.environ)  # else that is said with the other places
        state: RowState = "" if context.config.key_file else "warn"
        return [Row("MISTRAL_API_KEY", "is not set", state)] if is_unset and context.in_notebook else []
    entry = kept.get(active.workspace or "")
    rows = [Row("came from", active.origin)]
    if entry is None:
        words = "no longer stored here" if active.workspace else "not stored here"
        return [*rows, Row("kept", words, "warn", f"To store it: {context.format_command('login')}")]
    if entry.fingerprint != active.key.fingerprint:
        rows.append(Row("kept", f"another key is stored for {active.workspace} now: …{entry.tail}", "warn"))
    rows.append(Row("verified", entry.verified or "never", "" if entry.verified else "warn"))
    told = (
        ("key name", entry.name),
        ("organisation", entry.organisation),
        ("at Mistral", entry.mistral_workspace),
    )
    return rows + [Row(label, value) for label, value in told if value and long]


def _workspace_row(context: Context, name: str, entry: Workspace, *, is_active: bool) -> Row:
    words, state = expiry.describe_expiry(entry, context.today())
    kind = ", an Admin key" if entry.kind == ADMIN else ""
    ask_first = ", ask first" if entry.ask_first else ""
    age, repair = _age_text(context, entry), ""
    if age:
        state, repair = state or "warn", context.format_command(f"rotate {name}")
    return Row(
        f"{'active' if is_active else 'kept'}: {name}",
        f"…{entry.tail} in {store_name(entry.store)}{kind}{ask_first}; expires: {words}{age}",
        state,
        repair,
    )


def _age_text(context: Context, entry: Workspace) -> str:
    """The text for a key that is older than the project's rotation age."""
    if context.index_problem:
        return ""
    days = expiry.overdue_days(context, context.read_index(), entry)
    return (
        f"; {days} days old, and this project rotates after {expiry.max_age_days(context.config.project)}"
        if days
        else ""
    )


def _kernel_rows(context: Context) -> list[Row]:
    """Whether this kernel's output is guarded."""
    if not context.in_notebook:
        return []
    from mistral_nb.guard import doctor_checks

    return list(doctor_checks.guard_rows())


def _save_rows(context: Context) -> list[Row]:
    """Whether this notebook is saved without keys; a command line has no notebook."""
    if not context.in_notebook:
        return []
    from mistral_nb.jupyter.save_coverage import check_coverage

    found = check_coverage(context.environ)
    return [Row("saves", str(found), found.state, found.repair if found.state == "warn" else "")]


def _autoload_rows(context: Context) -> list[Row]:
    """Whether new kernels load mistral_nb by themselves; nothing if they do not."""
    return [Row("autoload", file.words, "ok") for file in startup_files.find_startup_files(context.environ)]


def _index_rows(context: Context) -> list[Row]:
    if context.index_problem:
        return [Row("index", context.index_problem, "bad")]
    return attention_rows(context)


def _next_step(context: Context, active: ActiveKey | None, kept: _Stored) -> str:
    if active is None and context.index_problem:
        return context.format_command("doctor")
    usable = [name for name, entry in kept.items() if entry.kind != ADMIN]
    if active is None and context.config.key_file:
        return context.format_command("switch" if context.in_notebook else "run -- CMD…")
    if active is None and context.in_notebook:
        return context.format_command(f"switch {usable[0]}" if len(usable) == 1 else "switch")
    if active is None and usable:
        return context.format_command("run WORKSPACE -- CMD…" if len(usable) > 1 else "run -- CMD…")
    if active is None:
        return context.format_command("login")
    return context.format_command("verify")


def _active_data(active: ActiveKey | None) -> dict[str, Any] | None:
    if active is None:
        return None
    return {
        "workspace": active.workspace,
        "tail": active.key.tail,
        "ours": active.is_ours,
        "origin": active.origin,
    }


def _workspace_data(context: Context, entry: Workspace, long: bool) -> dict[str, Any]:
    return {**details_data(entry, long), "days_left": expiry.days_left(entry, context.today())}
