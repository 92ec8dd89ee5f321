"""Every error of the package, in one tree.

    MistralNbError            could not do it                        exit 3
    ├── WrongUsage            invalid arguments                      exit 2
    ├── Cancelled             Ctrl-C, or declined                    exit 130
    ├── CannotAsk             no way to prompt
    ├── NotAKey               the input can't be a key
    ├── KeyRefused            the API refused a new key, not kept    exit 1
    ├── KeyExpired            the key has expired, and no --force     exit 1
    ├── AdminFailed           Mistral's Admin API did not do it; ``kind`` says why   exit 1 or 3
    ├── CommandNotStarted     `run` could not start the command      exit 125
    ├── HostRefused           an API host that was not confirmed
    ├── SealRefused           an encrypted answer that was altered or replayed
    ├── CannotClean           a file's keys can't be removed without damaging it
    ├── IndexUnreadable       workspaces.json is damaged
    ├── IndexTooNew           workspaces.json is from a later version
    ├── IndexNotWritten       disk full, folder read-only, lock held
    └── StoreError            a store did not do what was asked
        ├── StoreUnavailable  no keyring here, or one that must not be used
        ├── StoreLocked       it exists but is locked
        ├── StoreTimedOut     it did not answer within its limit
        ├── NotSetAside       a key about to be taken out of a file would have been its only copy
        ├── ConcurrentChange  another process replaced the key meanwhile
        ├── PassphraseNeeded  the vault is locked and no passphrase is available
        ├── PassphraseTooShort  a new passphrase
        ├── WrongPassphrase   the vault is intact, the passphrase is wrong
        ├── VaultTruncated    the vault is truncated
        └── VaultDamaged      the vault is corrupted

An error is two sentences: what failed, and what to do now. Neither ever contains a secret: what looks like a key
is taken out of both.
"""

from mistral_nb import exit_codes
from mistral_nb.printable import one_line
from mistral_nb.sensitive_text import hide_keys


class MistralNbError(Exception):
    """What failed, and what to do now; both plain sentences.

    Attributes: ``failed`` and ``todo`` (the two sentences), ``exit_code`` (for the command line).
    """

    exit_code = exit_codes.INCOMPLETE

    def __init__(self, failed: str, todo: str = "") -> None:
        self.failed = one_line(hide_keys(failed))  # a file's name may hold a line break
        self.todo = one_line(hide_keys(todo))
        super().__init__(f"{self.failed} {self.todo}".strip())

    def _render_traceback_(self) -> list[str]:
        """What IPython prints in place of a traceback: one clean line."""
        return [f"mistral_nb: {self}"]


def writable_hint(error: OSError | None = None) -> str:
    """What to do about a file of the data folder that could not be written."""
    import errno

    full = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
    first = "Free disk space" if error and error.errno in full else "Make it writable"
    return f"{first}, or set MISTRAL_NB_HOME to a writable folder, and try again."


def reason(error: OSError) -> str:
    """Why something failed, in the system's words, without the path."""
    return error.strerror or type(error).__name__


class WrongUsage(MistralNbError):
    exit_code = exit_codes.WRONG_USAGE


class Cancelled(MistralNbError):
    exit_code = exit_codes.INTERRUPTED


class CannotAsk(MistralNbError):
    pass


class NotAKey(MistralNbError):
    """``reason`` is empty, marker, placeholder, short, long, characters or odd shape."""

    def __init__(self, reason: str, failed: str, todo: str) -> None:
        super().__init__(failed, todo)
        self.reason = reason


class KeyRefused(MistralNbError):
    exit_code = exit_codes.FINDING


class KeyExpired(MistralNbError):
    exit_code = exit_codes.FINDING


class AdminFailed(MistralNbError):
    """``kind``: refused, not permitted, no payment, rate limited, missing, rejected; or, where it may
    have been done all the same: unreachable, server error, not understood."""

    def __init__(self, failed: str, todo: str = "", kind: str = "") -> None:
        super().__init__(failed, todo)
        self.kind = kind
        if kind in ("refused", "not permitted", "no payment"):
            self.exit_code = exit_codes.FINDING


class HostRefused(MistralNbError):
    pass


class SealRefused(MistralNbError):
    pass


class CannotClean(MistralNbError):
    pass


class IndexUnreadable(MistralNbError):
    pass


class IndexTooNew(MistralNbError):
    pass


class IndexNotWritten(MistralNbError):
    pass


class StoreError(MistralNbError):
    pass


class StoreUnavailable(StoreError):
    pass


class StoreLocked(StoreError):
    pass


class StoreTimedOut(StoreError):
    pass


class NotSetAside(StoreError):
    pass


class ConcurrentChange(StoreError):
    pass


class PassphraseNeeded(StoreError):
    pass


class PassphraseTooShort(StoreError):
    pass


class WrongPassphrase(StoreError):
    pass


class VaultTruncated(StoreError):
    pass


class VaultDamaged(StoreError):
    pass


class CommandNotStarted(MistralNbError):
    exit_code = exit_codes.NEVER_STARTED
