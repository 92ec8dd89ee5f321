"""For `mistral_nb` alone, this Python plays Windows or macOS: what is missing there is missing here.

    python -m support.other_system win32|darwin SCRIPT ARGUMENTS      a text of Python
    python -m support.other_system win32|darwin -m MODULE ARGUMENTS

Masks in `os` or `sys.modules` for everybody would break the standard library; so `import` gives the package's
modules another `os`, `sys` and `signal`, and no `fcntl`.
"""

import builtins
import os
import runpy
import signal
import sys
import types
from typing import Any

MODULES_GONE = {"win32": {"fcntl", "pwd", "grp", "termios", "tty", "pty", "resource"}, "darwin": set()}
OS_GONE = {
    "win32": {
        *("sched_getaffinity", "fork", "forkpty", "register_at_fork", "getuid", "geteuid", "chown", "fchown", "fchmod"),
        *("mkfifo", "writev", "setsid", "killpg", "WNOHANG", "O_CLOEXEC", "O_NOFOLLOW", "set_blocking", "pread"),
        "uname",
    },
    "darwin": {"sched_getaffinity"},
}
SIGNALS_GONE = {
    "win32": {"SIGKILL", "SIGHUP", "SIGPIPE", "SIGXFSZ", "SIGALRM", "SIGSTOP", "SIGCONT", "SIGCHLD", "SIGQUIT"},
    "darwin": set(),
}


class Masked(types.ModuleType):
    """A module as the other system has it."""

    def __init__(self, real: types.ModuleType, system: str, gone: set[str], other: dict[str, Any]) -> None:
        super().__init__(real.__name__)
        vars(self).update(_real=real, _system=system, _gone=gone, _other=other)

    def __getattr__(self, name: str) -> Any:
        if name in self._gone:
            raise AttributeError(f"module {self._real.__name__!r} has no attribute {name!r} on {self._system}")
        return self._other[name] if name in self._other else getattr(self._real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._real, name, value)


def play(system: str) -> None:
    """From now on, for modules of `mistral_nb` that are imported."""
    masked = {
        "os": Masked(os, system, OS_GONE[system], {"name": "nt"} if system == "win32" else {}),
        "sys": Masked(sys, system, set(), {"platform": system}),
        "signal": Masked(signal, system, SIGNALS_GONE[system], {}),
    }
    real_import, real_open = builtins.__import__, builtins.open

    def import_for_the_package(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0):  # noqa: A002
        importer = str((globals or {}).get("__name__"))
        if importer.split(".", maxsplit=1)[0] == "mistral_nb" and not level:
            if name in MODULES_GONE[system]:
                raise ModuleNotFoundError(f"No module named {name!r} on {system}", name=name)
            if name in masked:
                return masked[name]
        return real_import(name, globals, locals, fromlist, level)

    def open_without_proc(file: Any, *arguments: Any, **options: Any) -> Any:
        by_psutil = sys._getframe(1).f_globals.get("__name__", "").startswith("psutil")  # the one for Linux needs it
        if isinstance(file, str) and file.startswith("/proc/") and not by_psutil:
            raise FileNotFoundError(2, f"no /proc on {system}", file)
        return real_open(file, *arguments, **options)

    builtins.__import__, builtins.open = import_for_the_package, open_without_proc


def main() -> None:
    system, what, *rest = sys.argv[1:]
    play(system)
    if what == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *rest]
        exec(compile(what, "<script>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
