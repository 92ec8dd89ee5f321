"""`login --admin`: store an Admin key, under a workspace of its own kind."""

from mistral_nb import environment
from mistral_nb.admin import credentials
from mistral_nb.api.console_pages import ADMIN_DOCS_URL
from mistral_nb.api.verdict import Verdict
from mistral_nb.api_key import Key, Secret
from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, KeyRefused, NotAKey, WrongUsage
from mistral_nb.keys import (
    interrupted_commands,
    key_intake,
    overwrite_checks,
    passphrase_prompt,
    store_choice,
    workspace_choice,
)
from mistral_nb.keys.activation_report import format_key
from mistral_nb.keys.key_details import expiry_details
from mistral_nb.prompts.confirm import MAX_TRIES, confirm, no_confirmation
from mistral_nb.report import Action, Ask, Dialog, Report, Step
from mistral_nb.storage.index import ADMIN, utc_timestamp
from mistral_nb.storage.store_protocol import store_name


def add_admin_key(context: Context, wishes: key_intake.LoginOptions) -> Action:
    from mistral_nb.admin.errors import UNTRIED_NOTE

    name = workspace_choice.validate_name(wishes.workspace or ADMIN)
    yield from credentials.confirm_admin_host(context)
    yield from interrupted_commands.finish_interrupted(context)
    there = context.stored_workspaces().get(name)
    if there and there.kind != ADMIN:
        raise WrongUsage(f"Workspace {name} holds an ordinary key.", "Choose another name for the Admin key.")
    credentials.verify_with_admin_api(context)
    key = yield from _ask_for_admin_key()
    yield from overwrite_checks.confirm_revoked_key(context, key)
    environment.register_key(key, context.index)
    yield Step("Asking Mistral's Admin API about it …")
    verdict: Verdict = context.verify(key)
    yield Step(verdict.sentence)
    if verdict.accepts_key is False and not (yield from confirm("keep refused", "Keep it anyway?")):
        raise KeyRefused(f"The Admin API refused …{key.tail}; it was not saved.", f"Create one: {ADMIN_DOCS_URL}")
    expected = there.fingerprint if there else ""
    if there and there.fingerprint != key.fingerprint and not wishes.yes:
        held = format_key(name, there.tail, there)
        question = f"{held} is stored. Replace it with …{key.tail}?"
        if not (yield from confirm("replace", question, unattended=no_confirmation("Use --yes."))):
            raise Cancelled(f"{held} was not replaced.")
    yield from overwrite_checks.confirm_replacing_pending(context, name, key, yes=wishes.yes)
    store = yield from store_choice.choose_store(context)
    details = {
        "kind": ADMIN,
        "name": wishes.key_name,
        **expiry_details(wishes.expires),
        "verified": utc_timestamp() if verdict.accepts_key else None,
        "ask_first": bool(wishes.ask_first),
    }
    entry = yield from passphrase_prompt.run_unlocked(
        context, lambda: context.key_manager.keep(name, key, details, store, expected=expected)
    )
    return Report(
        f"Saved to {store_name(entry.store)}: {name} …{key.tail}, an Admin key.",
        notes=(
            f"Next: {context.format_command('list --remote')}, {context.format_command('usage')}",
            UNTRIED_NOTE,
        ),
        data={"workspace": name, "tail": key.tail, "store": entry.store, "kind": entry.kind, "note": UNTRIED_NOTE},
    )


def _ask_for_admin_key() -> Dialog[Key]:
    problem = NotAKey("empty", "No Admin key was given.", "Nothing was changed.")
    for _ in range(MAX_TRIES):
        pasted = yield Ask("key", "Admin API key of the organisation", masked=True)
        try:
            return Key.parse(pasted if isinstance(pasted, Secret) else "")
        except NotAKey as error:
            problem = error
            yield Step(error.failed)
    raise problem
