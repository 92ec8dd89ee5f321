"""The saves of one contents manager of jupyter_server: what they leave on disk holds no key.

`save` is wrapped on the instance, and the pre-save hook sees what a manager or another hook makes of
it on the way. What no hook sees is wrapped as well: the last chunk of an upload, checkpoints, copied
folders, renamed files. Only an HTTPError stops a save: any other exception is logged by Jupyter, and
the key saved.
"""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mistral_nb.saving import models, rules, words
from mistral_nb.saving.clean import Order, Outcome, clean_file
from mistral_nb.saving.plans import Do, Plan, wrapped
from mistral_nb.saving.watching import Watching

IN_THE_LOOP = 1_000_000  # characters, 30 ms at the worst: more than these are looked through in a thread
_NOWHERE = os.path.join(os.devnull, "")  # before the path of a file that is not on this machine's disk
_UPLOADED = "was uploaded, but not searched for keys"
_last_part: ContextVar[bool] = ContextVar("whether the last part of an upload is being saved", default=False)
_checked: ContextVar[Any] = ContextVar("a content that was looked through before the hooks", default=None)


class Saves:
    """``watching`` says what to look for in a folder."""

    def __init__(self, manager: Any, watching: Watching | None = None) -> None:
        self.manager = manager
        self.log = manager.log
        self.watching = watching or Watching(self.log.warning)
        self._checkpoints: dict[str, Any] = {}  # as they were when they were found to be clean

    def install(self) -> None:
        """Register the hook, and wrap what no hook sees."""

        def mistral_nb_pre_save(model: dict[str, Any], path: str, **_: Any) -> None:  # a hook needs a __name__
            if model.get("content") is not _checked.get() or not self._is_only_hook():
                self.before_save(model, path)

        self.manager.register_pre_save_hook(mistral_nb_pre_save)
        plans: dict[str, Callable[..., Plan]] = {
            "save": self._save,
            "create_checkpoint": self._create_checkpoint,
            "restore_checkpoint": self._restore_checkpoint,
            "copy": self._copy,
            "rename_file": self._rename_file,
            "rename": self._rename,
            "run_post_save_hooks": self._run_post_save_hooks,
        }
        for name, plan in plans.items():
            setattr(self.manager, name, wrapped(getattr(self.manager, name), plan))

    def before_save(self, model: dict[str, Any], path: str) -> None:
        """Take the keys out of a model, in place. Raises HTTPError where that fails, and only that."""
        if model.get("content") is None:
            return
        with _failing(f"{path} was not saved", "The file on disk is as it was. Save again"):
            file = self._file(path)
            part = _is_part(model)
            cleaned = (models.clean_part if part else models.clean_model)(model, file, self._watchlist(file))
            if cleaned.removed or cleaned.left:
                name = f"{path}, part {model['chunk']}" if part else path
                self._tell(Outcome(name, cleaned.removed, cleaned.left))

    def _save(self, method: Do, model: dict[str, Any], path: str = "") -> Plan:
        if models.is_large(model, IN_THE_LOOP):
            yield Do(lambda: self.before_save(model, path))
        else:
            self.before_save(model, path)
        last, before = model.get("chunk") == -1, (_checked.get(), _last_part.get())
        _checked.set(model.get("content"))
        _last_part.set(last)
        try:
            result = yield method
        finally:
            _checked.set(before[0])
            _last_part.set(before[1])
        if last:
            removed = yield from self._clean_stored(path, _UPLOADED)
            if removed:  # its size and time have changed
                result = yield Do(lambda: self.manager.get(path, content=False), ours=False)
        elif model.get("type") != "directory":
            yield Do(lambda: self._logged(lambda: self._clean_checkpoint(path)))
        return result

    def _create_checkpoint(self, method: Do, path: str) -> Plan:
        result = yield method
        yield Do(lambda: self._clean_checkpoint(path, result["id"]))
        return result

    def _restore_checkpoint(self, method: Do, checkpoint_id: str, path: str) -> Plan:
        yield Do(lambda: self._clean_checkpoint(path, checkpoint_id))
        return (yield method)

    def _copy(self, method: Do, from_path: str, to_path: str | None = None) -> Plan:
        result = yield method
        if result.get("type") == "directory":  # a file's copy was saved, and seen by the hook
            yield Do(lambda: self._clean_folder(self._file(result["path"])))
        return result

    def _rename_file(self, method: Do, old_path: str, new_path: str) -> Plan:
        result = yield method
        if rules.is_rewritten(new_path):
            yield from self._clean_stored(new_path, "was renamed, but not searched for keys", stops=False)
        return result

    def _rename(self, method: Do, old_path: str, new_path: str) -> Plan:
        result = yield method  # which renames the checkpoint too
        if rules.is_rewritten(new_path):
            yield Do(lambda: self._logged(lambda: self._clean_checkpoint(new_path)))
        return result

    def _run_post_save_hooks(self, method: Do, model: dict[str, Any], os_path: str) -> Plan:
        """What a person's hook makes of a notebook, a script for one, it makes of an upload as it was sent."""
        if _last_part.get() and (self.manager.post_save_hook or self.manager._post_save_hooks):
            yield Do(lambda: self._clean(os_path, model.get("path", ""), _UPLOADED))
        return (yield method)

    def _clean_stored(self, path: str, failed: str, *, stops: bool = True) -> Plan:
        """Clean what lies at ``path``; whether it held a key. What is not on disk here is read and saved again.

        ``stops``: a failure is an error; else it is logged, as what was asked for is done.
        """
        file, path = self._file(path), path.strip("/")
        if os.path.isfile(file):
            clean = functools.partial(self._clean, file, path, failed)
            outcome = yield Do(clean if stops else lambda: self._logged(clean))
            return bool(outcome and outcome.removed)
        if not file.startswith(_NOWHERE):  # a folder
            return False
        model = yield Do(lambda: self.manager.get(path, content=True), ours=False)
        found = model.get("content")
        yield Do(lambda: self.before_save(model, path))
        if model.get("content") is found:
            return False
        yield Do(lambda: self.manager.save(model, path), ours=False)
        return True

    def _clean_folder(self, folder: str) -> None:
        """Clean a folder that was just copied; of files that can't be cleaned the first is told, after the others."""
        failures: list[Exception] = []
        for root, _, names in os.walk(folder):
            for name in names:
                file = os.path.join(root, name)
                if rules.is_rewritten(name) and not os.path.islink(file):
                    try:
                        self._clean(file, name, "was copied, but not searched for keys", ours=True)
                    except Exception as error:  # noqa: BLE001, the others are still to be cleaned
                        failures.append(error)
        if failures:
            raise failures[0]

    def _logged(self, clean: Callable[[], Outcome | None]) -> Outcome | None:
        """The save or the rename is done: that what was there before can't be cleaned is no failure of it."""
        from tornado.web import HTTPError

        try:
            return clean()
        except HTTPError as error:
            self.log.error("%s", error.log_message)
            return None

    def _clean_checkpoint(self, path: str, checkpoint_id: str = "checkpoint") -> None:
        """Clean what lies beside ``path``; a manager that keeps checkpoints elsewhere saves them by its hooks."""
        with _failing(f"the checkpoint of {path} was not searched for keys", "Try again"):
            checkpoint = self._checkpoint(path, checkpoint_id)
            if not checkpoint or not os.path.isfile(checkpoint):
                return
            file = self._file(path)
            remembered = self._watchlist(file).remembered
            if self._checkpoints.get(checkpoint) != (_sign(checkpoint), remembered):
                self._clean(checkpoint, f"the checkpoint of {path}", "was not searched for keys", like=file)
                self._checkpoints[checkpoint] = (_sign(checkpoint), remembered)

    def _checkpoint(self, path: str, checkpoint_id: str) -> str:
        """Where a checkpoint may lie. Asking Jupyter makes a folder for it, so only where there is one."""
        checkpoints = self.manager.checkpoints
        find = getattr(checkpoints, "checkpoint_path", None)
        if find is None:
            return ""
        folder = checkpoints._get_os_path(path.strip("/").rpartition("/")[0])
        if os.access(folder, os.W_OK) and not os.path.isdir(os.path.join(folder, checkpoints.checkpoint_dir)):
            return ""
        return str(find(checkpoint_id, path))

    def _clean(self, file: str, name: str, failed: str, *, like: str = "", ours: bool = False) -> Outcome:
        """Clean a file on disk; ``name`` and ``failed`` make the sentence for when that fails."""
        order = Order(write=True, asked=False, like=like, ours=ours)
        with _failing(f"{name} {failed}", "Try again"):
            outcome = clean_file(file, self._watchlist(like or file), order)
        if outcome.problem:
            raise _refusal(f"{name} {failed}: {outcome.problem}", f"Try: mistral-nb scrub '{os.path.basename(file)}'")
        if outcome.removed or outcome.left:
            self._tell(outcome._replace(path=name))
        return outcome

    def _is_only_hook(self) -> bool:
        """Another hook, run before ours, may have put a key into a content that was looked through."""
        return not self.manager.pre_save_hook and len(getattr(self.manager, "_pre_save_hooks", ())) <= 1

    def _watchlist(self, file: str) -> Any:
        return self.watching.watchlist("" if file.startswith(_NOWHERE) else os.path.dirname(file))

    def _file(self, path: str) -> str:
        """Where it lies on disk; for a manager that keeps its files elsewhere, a path that no file can have."""
        find = getattr(self.manager, "_get_os_path", None)
        return str(find(path.strip("/"))) if find else _NOWHERE + path.strip("/")

    def _tell(self, outcome: Outcome) -> None:
        self.log.warning("mistral_nb: %s", words.line(outcome, write=True))


def _is_part(model: dict[str, Any]) -> bool:
    """Whether this is a piece of an upload, whose whole is looked through when the last has come."""
    return model.get("chunk") is not None and model.get("type") == "file"


def _sign(file: str) -> tuple[int, int, int]:
    status = os.stat(file)
    return status.st_mtime_ns, status.st_size, status.st_ino


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
