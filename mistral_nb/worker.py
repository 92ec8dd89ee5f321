"""Sets up a worker process: a key for it, from its own machine, and the guard of what it prints and logs.

    dask worker SCHEDULER --preload mistral_nb.worker
    ray.init(runtime_env={"worker_process_setup_hook": "mistral_nb.worker.setup"})

In any other worker, such as Spark's, call `setup` first. Everything is imported when it is called.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs 10 ms
if TYPE_CHECKING:
    from typing import Any

_TODO = "Set MISTRAL_API_KEY_FILE or MISTRAL_NB_WORKSPACE where the worker is started."


def setup() -> None:
    """Guard what this process prints and logs, and set its MISTRAL_API_KEY; once is enough.

    The key is the one that is set already, else that of MISTRAL_API_KEY_FILE, else that of MISTRAL_NB_WORKSPACE or
    of the only workspace stored here. Asks nothing. Never raises: what it did, or why there is no key, is one line
    of the log ``mistral_nb.worker``.
    """
    _set_up("mistral_nb.worker")


def dask_setup(server: Any) -> None:
    """What Dask calls for ``--preload mistral_nb.worker``. Only workers get a key, a scheduler or nanny does not.

    Exceptions of a worker's tasks are redacted as well. The line is in Dask's own log, ``distributed.mistral_nb``.
    """
    is_worker = any(base.__name__ == "Worker" for base in type(server).__mro__)
    _set_up("distributed.mistral_nb", with_key=is_worker)
    if is_worker:
        from mistral_nb.workers.dask_errors import guard_errors

        guard_errors()


def _set_up(logger_name: str, *, with_key: bool = True) -> None:
    import logging

    from mistral_nb.errors import MistralNbError

    logger = logging.getLogger(logger_name)
    try:
        from mistral_nb.guard.process_output import guard_process_output

        guard_process_output()  # before the key is in this process
        if with_key:
            logger.info(_set_key())
    except MistralNbError as error:
        logger.warning("mistral_nb: %s", error)
    except Exception as error:  # noqa: BLE001, the worker starts also where we fail
        logger.warning("mistral_nb: this worker could not be set up (%s).", type(error).__name__)


def _set_key() -> str:
    """What was done, in a sentence. Raises `MistralNbError` if there is no key."""
    from mistral_nb.command_context import Context
    from mistral_nb.command_runner import drive
    from mistral_nb.environment import normalize_variable
    from mistral_nb.keys.activation_report import format_key
    from mistral_nb.keys.unattended_key import set_unattended_key
    from mistral_nb.keys.workspace_choice import choose_workspace

    context = Context()
    active = context.active
    if active:
        normalize_variable()
        return f"MISTRAL_API_KEY was already set, to {format_key(active.workspace, active.key.tail)} ({active.origin})."
    choice = None if context.config.key_file else drive(choose_workspace(context, None), _refuse_to_ask, lambda _: None)
    report = set_unattended_key(context, (choice and choice.name) or "", _TODO)
    return " ".join((report.title, *report.notes))


def _refuse_to_ask(_: Any) -> str:
    from mistral_nb.errors import CannotAsk

    raise CannotAsk("A worker can't ask.", _TODO)
