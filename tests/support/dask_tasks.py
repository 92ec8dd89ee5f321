"""What tests run on workers of Dask, which import it from here."""

import os
import time
from typing import NoReturn

import distributed

from mistral_nb import environment
from mistral_nb.api_key import Key

NONE = "none"


def tail_here() -> str:
    """The last four characters of what the variable holds."""
    return os.environ.get("MISTRAL_API_KEY", NONE)[-4:]


def tail_after(seconds: float, number: int) -> tuple[str, int]:
    time.sleep(seconds)
    return tail_here(), number


def tail_once_set(event: str, number: int) -> str:
    """As `tail_here`, after somebody has set an event of the cluster."""
    distributed.Event(event).wait()
    return tail_here()


def set_own_key(text: str) -> None:
    environment.activate(Key(text), None, "a test")


def raise_with(text: str | None = None) -> NoReturn:
    """An exception with ``text``, or the key in the environment: in a message, a nested argument and its cause."""
    shown = text or os.environ["MISTRAL_API_KEY"]
    try:
        raise KeyError(shown)
    except KeyError as error:
        raise ValueError(f"refused {shown}", {"headers": [f"Bearer {shown}"]}) from error


def print_and_log() -> None:
    """Show the key in the environment in each way that ends in a log."""
    import logging
    import subprocess
    import sys

    shown = os.environ["MISTRAL_API_KEY"]
    print("printed", shown, flush=True)
    logging.getLogger("distributed.worker").warning("logged %s", shown)
    subprocess.run([sys.executable, "-c", "import os; print('child', os.environ['MISTRAL_API_KEY'])"], check=True)
