"""`curl`: curl with a workspace's key in its header, which comes by a pipe.

So the key is in no argument and no variable of curl's, and standard input stays free for ``-d @-``.
"""

import os
import signal

from mistral_nb.actions import choose, reach, use
from mistral_nb.actions.context import Context
from mistral_nb.actions.curl_words import checked
from mistral_nb.actions.placed import shown
from mistral_nb.actions.run import CommandNotStarted
from mistral_nb.api.host import check_host
from mistral_nb.config import ACTIVE, KEY_VARIABLES, PASSPHRASE_VARIABLE
from mistral_nb.errors import MistralNbError
from mistral_nb.key import Key
from mistral_nb.report import Action, Report, Step

_OURS = ("-w", "--workspace")
_OURS_WHOLE = ("--force", "--yes")
# SSLKEYLOGFILE makes curl write down what opens its connections.
_HIDDEN = frozenset({*KEY_VARIABLES, PASSPHRASE_VARIABLE, ACTIVE, "SSLKEYLOGFILE"})


def ours_first(words: list[str]) -> list[str]:
    """The command line's words with ``--`` between our options, which come first, and curl's."""
    at = 1
    while at < len(words) and (words[at] in (*_OURS, *_OURS_WHOLE) or words[at].startswith("--workspace=")):
        at += 2 if words[at] in _OURS else 1
    return [*words[:at], *(["--"] if words[at : at + 1] not in (["--help"], ["-h"], ["--"]) else []), *words[at:]]


def action(
    context: Context, words: list[str], workspace: str | None = None, force: bool = False, yes: bool = False
) -> Action:
    """Become curl."""
    given = checked(words[1:] if words[:1] == ["--"] else words, context.config.api)
    yield from choose.agree_to_host(context)
    try:
        active = context.active
        if workspace is None and active and not active.workspace:
            key = active.key
        elif workspace is None and context.config.key_file and not active:
            key = use.read_key_file(context.config.key_file)
        else:
            key, name, entry = yield from reach.kept_key(context, workspace, force=force, yes=yes)
            if entry.protected:
                yield Step(f"The key is {shown(name, key.tail, entry)}.")
    except MistralNbError as error:
        raise CommandNotStarted(error.failed, error.todo) from None
    return _become(context, key, arguments(given.words, given.addresses))


def arguments(words: list[str], addresses: list[str]) -> list[str]:
    """curl's own words: no config file; https alone, or, to this machine itself, no proxy.

    Ours stand last: of an option that comes twice, curl takes the last.
    """
    local = all(check_host(_root(address)) == "loopback" for address in addresses)
    return ["curl", "-q", *words, *(["--noproxy", "*"] if local else ["--proto", "=https"])]


def _root(address: str) -> str:
    scheme, _, rest = address.partition("://")
    for mark in "/?#":
        rest = rest.partition(mark)[0]
    return f"{scheme}://{rest}"


def _become(context: Context, key: Key, words: list[str]) -> Report:
    if os.name != "posix":
        raise CommandNotStarted("curl can't be given the key by a pipe on this system.", "Use: mistral-nb run")
    reading, writing = os.pipe()
    os.write(writing, f"Authorization: Bearer {key.reveal()}\n".encode())  # less than a pipe holds
    os.close(writing)
    os.set_inheritable(reading, True)
    environ = {name: value for name, value in context.environ.items() if name not in _HIDDEN}
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores these, and an exec would hand that on
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvpe(words[0], [*words[:2], "-H", f"@/dev/fd/{reading}", *words[2:]], environ)  # noqa: S606, no shell is wanted
    except OSError as error:
        os.close(reading)
        reason = error.strerror or type(error).__name__
        raise CommandNotStarted(f"curl could not be started: {reason}.", "Install curl.") from None
