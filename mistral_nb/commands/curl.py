"""`curl`: runs curl with a workspace's key in its header, passed through a pipe.

So the key is not in curl's arguments or environment, and standard input stays free for ``-d @-``.
"""

import os
import signal

from mistral_nb.api.hosts import classify_host
from mistral_nb.api_key import Key
from mistral_nb.child_environment import CURL, child_environment
from mistral_nb.command_context import Context
from mistral_nb.commands._curl_options import check_arguments
from mistral_nb.errors import CommandNotStarted, MistralNbError, reason
from mistral_nb.keys import host_consent, key_file, use_checks
from mistral_nb.keys.activation_report import format_key
from mistral_nb.report import Action, Report, Step

_OWN_OPTIONS = ("-w", "--workspace")
_OWN_SWITCHES = ("--force", "--yes")


def move_own_options_first(words: list[str]) -> list[str]:
    """The command line's words with ``--`` between our options, which come first, and curl's."""
    at = 1
    while at < len(words) and (words[at] in (*_OWN_OPTIONS, *_OWN_SWITCHES) or words[at].startswith("--workspace=")):
        at += 2 if words[at] in _OWN_OPTIONS else 1
    return [*words[:at], *(["--"] if words[at : at + 1] not in (["--help"], ["-h"], ["--"]) else []), *words[at:]]


def action(
    context: Context, words: list[str], workspace: str | None = None, force: bool = False, yes: bool = False
) -> Action:
    """Replace this process with curl."""
    given = check_arguments(words[1:] if words[:1] == ["--"] else words, context.config.api)
    yield from host_consent.confirm_host(context)
    try:
        at_hand = key_file.find_key_at_hand(context) if workspace is None else None
        if at_hand and not (at_hand.is_ours and at_hand.workspace):
            key = at_hand.key
        else:
            key, name, entry = yield from use_checks.read_stored_key(context, workspace, force=force, yes=yes)
            if entry.ask_first:
                yield Step(f"The key is {format_key(name, key.tail, entry)}.")
    except MistralNbError as error:
        raise CommandNotStarted(error.failed, error.todo) from None
    return _exec_curl(context, key, build_arguments(given.words, given.addresses))


def build_arguments(words: list[str], addresses: list[str]) -> list[str]:
    """curl's own words: no config file; https alone, or, to this machine itself, no proxy.

    Ours stand last: of an option that comes twice, curl takes the last.
    """
    local = all(classify_host(_base_address(address)) == "loopback" for address in addresses)
    return ["curl", "-q", *words, *(["--noproxy", "*"] if local else ["--proto", "=https"])]


def _base_address(address: str) -> str:
    scheme, _, rest = address.partition("://")
    for mark in "/?#":
        rest = rest.partition(mark)[0]
    return f"{scheme}://{rest}"


def _exec_curl(context: Context, key: Key, words: list[str]) -> Report:
    if os.name != "posix":
        raise CommandNotStarted("The key can't be passed to curl through a pipe on this system.", "Use: mistral-nb run")
    reading, writing = os.pipe()
    os.write(writing, f"Authorization: Bearer {key.reveal()}\n".encode())  # less than a pipe holds
    os.close(writing)
    os.set_inheritable(reading, True)
    environ = child_environment(CURL, context.environ)
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores these, and an exec would pass that on
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvpe(words[0], [*words[:2], "-H", f"@/dev/fd/{reading}", *words[2:]], environ)  # noqa: S606, no shell is wanted
    except OSError as error:
        os.close(reading)
        raise CommandNotStarted(f"curl could not be started: {reason(error)}.", "Install curl.") from None
