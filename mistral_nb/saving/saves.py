"""The saves of one contents manager of jupyter_server: what they leave on disk holds no key.

The pre-save hook sees most of it. What no hook sees is wrapped on the instance: the last chunk of an
upload, checkpoints, copied folders, renamed files. Only an HTTPError stops a save: any other
exception is logged by Jupyter, and the key saved.
"""

import asyncio
import functools
import inspect
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from mistral_nb.saving import models, rules, words
from mistral_nb.saving.clean import Order, Outcome, clean_file
from mistral_nb.saving.watching import Watching

IN_THE_LOOP = 1_000_000  # characters, 30 ms at the worst: more than these are looked through in a thread
_checked: ContextVar[Any] = ContextVar("a content that was looked through in a thread", default=None)


class Do(NamedTuple):
    """A step of a plan: ``run`` is ours and may take its time, or it is the contents manager's."""

    run: Callable[[], Any]
    ours: bool = True


Plan = Generator[Do, Any, Any]


class Saves:
    """``watching`` says what to look for in a folder."""

    def __init__(self, manager: Any, watching: Watching | None = None) -> None:
        self.manager = manager
        self.log = manager.log
        self.watching = watching or Watching(self.log.warning)
        self._checkpoints: set[str] = set()  # files whose checkpoint is known to be clean

    def install(self) -> None:
        """Register the hook, and wrap what no hook sees."""

        def mistral_nb_pre_save(model: dict[str, Any], path: str, **_: Any) -> None:  # a hook needs a __name__
            self.before_save(model, path)

        self.manager.register_pre_save_hook(mistral_nb_pre_save)
        plans: dict[str, Callable[..., Plan]] = {
            "save": self._save,
            "create_checkpoint": self._create_checkpoint,
            "restore_checkpoint": self._restore_checkpoint,
            "copy": self._copy,
            "rename_file": self._rename_file,
        }
        for name, plan in plans.items():
            setattr(self.manager, name, _wrapped(getattr(self.manager, name), plan))

    def before_save(self, model: dict[str, Any], path: str) -> None:
        """Take the keys out of a model, in place. Raises HTTPError where that fails, and only that."""
        content = model.get("content")
        if content is None or "chunk" in model or content is _checked.get():
            return
        with _failing(f"{path} was not saved", "The file on disk is as it was. Save again"):
            file = self._file(path)
            cleaned = models.clean_model(model, file, self._watchlist(file))
            if cleaned.removed or cleaned.left:
                self._tell(Outcome(path, cleaned.removed, cleaned.left))
                self._checkpoints.discard(file)

    def _save(self, method: Do, model: dict[str, Any], path: str = "") -> Plan:
        token = _checked.set(_checked.get())
        try:
            if "chunk" not in model and models.is_large(model, IN_THE_LOOP):
                yield Do(lambda: self.before_save(model, path))
                _checked.set(model["content"])
            result = yield method
        finally:
            _checked.reset(token)
        file = self._file(path)
        if model.get("chunk") == -1:
            outcome = yield Do(lambda: self._clean(file, path.strip("/"), "was uploaded, but not searched for keys"))
            if outcome.removed:  # its size and time have changed
                result = yield Do(lambda: self.manager.get(path, content=False), ours=False)
        elif model.get("type") != "directory" and file not in self._checkpoints:
            yield Do(lambda: self._clean_checkpoint(path))
        return result

    def _create_checkpoint(self, method: Do, path: str) -> Plan:
        result = yield method
        self._checkpoints.discard(self._file(path))
        yield Do(lambda: self._clean_checkpoint(path, result["id"]))
        return result

    def _restore_checkpoint(self, method: Do, checkpoint_id: str, path: str) -> Plan:
        self._checkpoints.discard(self._file(path))
        yield Do(lambda: self._clean_checkpoint(path, checkpoint_id))
        return (yield method)

    def _copy(self, method: Do, from_path: str, to_path: str | None = None) -> Plan:
        result = yield method
        if result.get("type") == "directory":  # a file's copy was saved, and seen by the hook
            yield Do(lambda: self._clean_folder(self._file(result["path"])))
        return result

    def _rename_file(self, method: Do, old_path: str, new_path: str) -> Plan:
        result = yield method
        file = self._file(new_path)
        if os.path.isfile(file) and rules.is_rewritten(file):
            yield Do(lambda: self._clean(file, new_path, "was renamed, but not searched for keys"))
        return result

    def _clean_folder(self, folder: str) -> None:
        for root, _, names in os.walk(folder):
            for name in names:
                file = os.path.join(root, name)
                if rules.is_rewritten(name) and not os.path.islink(file):
                    self._clean(file, name, "was copied, but not searched for keys")

    def _clean_checkpoint(self, path: str, checkpoint_id: str = "checkpoint") -> None:
        """Clean what lies beside ``path``; a manager that keeps checkpoints elsewhere saves them by its hooks."""
        find = getattr(self.manager.checkpoints, "checkpoint_path", None)
        if find is None:
            return
        file, checkpoint = self._file(path), find(checkpoint_id, path)
        if os.path.isfile(checkpoint):
            self._clean(checkpoint, f"the checkpoint of {path}", "was not searched for keys", like=file)
        self._checkpoints.add(file)

    def _clean(self, file: str, name: str, failed: str, like: str = "") -> Outcome:
        """Clean a file on disk; ``name`` and ``failed`` make the sentence for when that fails."""
        with _failing(f"{name} {failed}", "Try again"):
            outcome = clean_file(file, self._watchlist(like or file), Order(write=True, asked=False, like=like))
        if outcome.problem:
            raise _refusal(f"{name} {failed}: {outcome.problem}", f"Try: mistral-nb scrub '{os.path.basename(file)}'")
        if outcome.removed or outcome.left:
            self._tell(outcome._replace(path=name))
        return outcome

    def _watchlist(self, file: str) -> Any:
        return self.watching.watchlist(os.path.dirname(file))

    def _file(self, path: str) -> str:
        find = getattr(self.manager, "_get_os_path", None)
        return str(find(path.strip("/"))) if find else path

    def _tell(self, outcome: Outcome) -> None:
        self.log.warning("mistral_nb: %s", words.line(outcome, write=True))


def _wrapped(method: Callable[..., Any], plan: Callable[..., Plan]) -> Callable[..., Any]:
    """The method, with the plan's steps around it: in threads, where the manager is asynchronous."""

    @functools.wraps(method)
    async def asynchronous(*args: Any, **kwargs: Any) -> Any:
        steps, given = plan(Do(lambda: method(*args, **kwargs), ours=False), *args, **kwargs), None
        with _ended(steps) as result:
            while True:
                step = steps.send(given)
                given = await (asyncio.to_thread(step.run) if step.ours else step.run())
        return result[0]

    @functools.wraps(method)
    def synchronous(*args: Any, **kwargs: Any) -> Any:
        steps, given = plan(Do(lambda: method(*args, **kwargs), ours=False), *args, **kwargs), None
        with _ended(steps) as result:
            while True:
                given = steps.send(given).run()
        return result[0]

    return asynchronous if inspect.iscoroutinefunction(method) else synchronous


@contextmanager
def _ended(steps: Plan) -> Iterator[list[Any]]:
    """Run a plan to its end; what it returned is in the list."""
    result: list[Any] = []
    try:
        yield result
    except StopIteration as stop:
        result.append(stop.value)
    finally:
        steps.close()


@contextmanager
def _failing(failed: str, todo: str) -> Iterator[None]:
    """Turn any failure of ours into an answer that a person can use; it never quotes what failed."""
    from tornado.web import HTTPError

    try:
        yield
    except HTTPError:
        raise
    except Exception as error:  # noqa: BLE001, Jupyter would log it and save the key
        raise _refusal(f"{failed}: {type(error).__name__}", todo) from None


def _refusal(failed: str, todo: str) -> Exception:
    from tornado.web import HTTPError

    help_ = "mistral-nb doctor says more; jupyter server extension disable mistral_nb turns this check off"
    return HTTPError(500, f"mistral_nb: {failed}. {todo}; {help_}.")
