"""Every error of the package, in one tree.

    MistralNbError            could not do it                        exit 3
    ├── WrongUsage            the words typed are off                exit 2
    ├── Cancelled             Ctrl-C, or a polite "no"               exit 130
    ├── CannotAsk             nobody is there to answer
    ├── NotAKey               what was given can't be a key
    ├── KeyRefused            the API refused a new key, not kept    exit 1
    ├── KeyExpired            its date is past, and nobody insisted   exit 1
    ├── AdminFailed           Mistral's Admin API did not do it; ``kind`` says why   exit 1 or 3
    ├── HostRefused           an API host nobody has agreed to
    ├── SealRefused           a sealed answer that is altered, or comes again
    ├── IndexUnreadable       workspaces.json is damaged
    ├── IndexTooNew           workspaces.json is from a later version
    ├── IndexNotWritten       disk full, folder read-only, lock held
    └── StoreError            a store did not do what was asked
        ├── StoreUnavailable  no keyring here, or one that must not be used
        ├── StoreLocked       it is there, and locked
        ├── StoreTimedOut     it did not answer within its limit
        ├── Overtaken         another process replaced the key meanwhile
        ├── PassphraseNeeded  the vault is closed and nothing opens it
        ├── WrongPassphrase   the vault is whole, the passphrase is not its own
        ├── VaultTruncated    the vault's end is missing
        └── VaultDamaged      the vault's bytes have changed

An error is two sentences: what failed, and what to do now. Neither ever holds a secret.
"""


class MistralNbError(Exception):
    """What failed, and what to do now; both plain sentences.

    Attributes: ``failed`` and ``todo`` (the two sentences), ``exit_code`` (for the command line).
    """

    exit_code = 3

    def __init__(self, failed: str, todo: str = "") -> None:
        super().__init__(f"{failed} {todo}".strip())
        self.failed = failed
        self.todo = todo

    def _render_traceback_(self) -> list[str]:
        """What IPython prints in place of a traceback: one clean line."""
        return [f"mistral_nb: {self}"]


class WrongUsage(MistralNbError):
    exit_code = 2


class Cancelled(MistralNbError):
    exit_code = 130


class CannotAsk(MistralNbError):
    pass


class NotAKey(MistralNbError):
    """``reason`` is empty, marker, placeholder, short, long, characters or odd shape."""

    def __init__(self, reason: str, failed: str, todo: str) -> None:
        super().__init__(failed, todo)
        self.reason = reason


class KeyRefused(MistralNbError):
    exit_code = 1


class KeyExpired(MistralNbError):
    exit_code = 1


class AdminFailed(MistralNbError):
    """``kind``: refused, not permitted, no payment, rate limited, missing, rejected; or, where it may
    have been done all the same: unreachable, server error, not understood."""

    def __init__(self, failed: str, todo: str = "", kind: str = "") -> None:
        super().__init__(failed, todo)
        self.kind = kind
        if kind in ("refused", "not permitted", "no payment"):
            self.exit_code = 1


class HostRefused(MistralNbError):
    pass


class SealRefused(MistralNbError):
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


class Overtaken(StoreError):
    pass


class PassphraseNeeded(StoreError):
    pass


class WrongPassphrase(StoreError):
    pass


class VaultTruncated(StoreError):
    pass


class VaultDamaged(StoreError):
    pass
