"""The sandbox of the tests: its keys come from the running test's seed, and it can fail in every known way.

with start_sandbox() as sandbox:
    sandbox.set_fault("silent")                # one of FAULTS
    sandbox.admin.set_fault("answer lost")     # one of ADMIN_FAULTS
"""

import threading
from typing import Any
from urllib.parse import urlsplit

from mistral_nb.sandbox.http_server import SandboxHandler
from mistral_nb.sandbox.sandbox import Sandbox
from support import keys
from support.admin_faults import FAULTS as ADMIN_FAULTS
from support.admin_faults import FaultyAdminApi
from support.sandbox_faults import FAULTS, Fault

__all__ = ["ADMIN_FAULTS", "FAULTS", "FaultySandbox", "start_sandbox"]


class FaultyHandler(SandboxHandler):
    """An `Exchange`, as the faults see it."""

    def respond(self) -> None:
        fault = self.server.sandbox.fault
        if fault and fault.only in ("", urlsplit(self.path).path):
            fault.act(self)
        else:
            self.serve()

    def serve(self) -> None:
        super().respond()

    @property
    def redirect_url(self) -> str:
        return self.server.sandbox.elsewhere

    def is_first_request(self) -> bool:
        return self.server.sandbox.is_first_request()

    def write(self, data: bytes) -> None:
        self.wfile.write(data)

    def hang_up(self) -> None:
        self.close_connection = True

    def pause(self, seconds: float) -> bool:
        return self.server.sandbox.stopping.wait(seconds)


class FaultySandbox(Sandbox):
    handler_class = FaultyHandler
    admin_class = FaultyAdminApi

    def __init__(self, **options: Any) -> None:
        self.fault: Fault | None = None
        self.elsewhere = ""
        self.stopping = threading.Event()
        self._fresh = False  # no request yet since the fault was switched on
        super().__init__(**options)

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        super().__exit__(*exc)

    def set_fault(self, fault: str | None, *, elsewhere: str = "https://elsewhere.invalid") -> None:
        """Enable one of `FAULTS`, by name, for every key; None disables it."""
        self.elsewhere = elsewhere
        self.fault = FAULTS[fault] if fault else None
        self._fresh = True

    def is_first_request(self) -> bool:
        fresh, self._fresh = self._fresh, False
        return fresh


def start_sandbox(**options: Any) -> FaultySandbox:
    return FaultySandbox(**{"rng": keys.RunningRandom(), **options})
