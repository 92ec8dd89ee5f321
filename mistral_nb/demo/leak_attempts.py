"""A dozen ways to leak a key from a cell, and the search for it in all that a kernel sent. For `demo`."""

from collections.abc import Iterable

from mistral_nb.api_key import Key
from mistral_nb.redaction.findings import KNOWN
from mistral_nb.redaction.redact import redact
from mistral_nb.watchlist import Watchlist

PRELUDE = "import base64, os, threading\nfrom IPython.display import HTML, display\nK = os.environ['MISTRAL_API_KEY']"
LEAK_ATTEMPTS = (
    ("print", "print(K)"),
    ("one character at a time", "for c in K: print(c, end='', flush=True)"),
    ("a result", "{'api_key': K}"),
    ("os.environ", "os.environ"),
    ("a traceback", "raise ValueError(K)"),
    ("a link in HTML", "display(HTML(f'<a href=\"https://example.org/?key={K}\">link</a>'))"),
    ("base64", "'Basic ' + base64.b64encode(b'me:' + K.encode()).decode()"),
    ("hex", "K.encode().hex()"),
    ("a child process", "!echo $MISTRAL_API_KEY"),
    ("%env", "%env MISTRAL_API_KEY"),
    ("a thread", "t = threading.Thread(target=print, args=(K,)); t.start(); t.join()"),
    ("a widget", "import ipywidgets; ipywidgets.Text(K)"),
)


def has_leaked(frames: Iterable[bytes], key: Key) -> bool:
    """Whether any frame holds the key, an encoded form of it, or 15 characters in a row."""
    return bool(redact(b"\n".join(frames), Watchlist(known=(key,)), tiers=frozenset({KNOWN})).findings)
