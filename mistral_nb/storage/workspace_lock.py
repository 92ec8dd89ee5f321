"""A lock for each workspace, between processes: a file in the folder ``locks`` of the data folder."""

import contextlib
import os
from collections.abc import Iterator

from mistral_nb.errors import IndexNotWritten, StoreTimedOut, reason, writable_hint
from mistral_nb.file_io import hold_lock_with_children, make_private_folder

FOLDER_NAME = "locks"


@contextlib.contextmanager
def hold_workspace_lock(home: str, workspace: str, purpose: str, seconds: float, busy: StoreTimedOut) -> Iterator[None]:
    """Hold the lock for one operation on a workspace; raises ``busy`` if another process holds it, `IndexNotWritten`.

    ``purpose``: a suffix for what may be done beside other operations, such as ``.rotate``.
    """
    import hashlib  # 8 ms, OpenSSL with it: not for those who only read

    folder = os.path.join(home, FOLDER_NAME)
    name = hashlib.blake2b(workspace.encode(), digest_size=8).hexdigest() + purpose
    with contextlib.ExitStack() as held:
        try:
            make_private_folder(folder)
            held.enter_context(hold_lock_with_children(os.path.join(folder, name), seconds))
        except TimeoutError:
            raise busy from None
        except OSError as error:
            raise IndexNotWritten(
                f"The folder {folder} could not be written: {reason(error)}.",
                writable_hint(error),
            ) from None
        yield
