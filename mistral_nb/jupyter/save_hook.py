"""Keeps keys out of what one contents manager of jupyter_server saves.

`save` is wrapped on the instance, and the pre-save hook sees what a manager or another hook makes of
it on the way. What no hook sees is wrapped as well: the last chunk of an upload, checkpoints, copied
folders, renamed files. Only an HTTPError stops a save: any other exception is logged by Jupyter, and
the key saved.
"""

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mistral_nb.api_key import Key
from mistral_nb.errors import CannotClean
from mistral_nb.file_io import stamp_of
from mistral_nb.file_scrub import file_types, removal_summary
from mistral_nb.file_scrub.clean_file import CleanOptions, FileResult, clean_file, make_result
from mistral_nb.file_scrub.key_copies import keep_copies
from mistral_nb.jupyter import contents_models, upload_parts
from mistral_nb.jupyter.server_copies import ServerCopies, open_copies
from mistral_nb.jupyter.sync_async import MethodPlan, PlanStep, wrap_method
from mistral_nb.jupyter.watchlist_cache import WatchlistCache
from mistral_nb.key_records import KeyRecord
from mistral_nb.printable import one_line
from mistral_nb.redaction.findings import SUSPECTED
from mistral_nb.watchlist import Watchlist

MAX_INLINE_CHARACTERS = 1_000_000  # characters, 30 ms at the worst: more than these are looked through in a thread
_OFF_DISK = os.path.join(os.devnull, "")  # before the path of a file that is not on this machine's disk
Notice = tuple[str, tuple[KeyRecord, ...], bool]  # as the arguments of `Tell`
Tell = Callable[[str, tuple[KeyRecord, ...], bool], None]
_UPLOADED = "was uploaded, but not searched for keys"
_is_last_chunk: ContextVar[bool] = ContextVar("whether the last part of an upload is being saved", default=False)
_checked_content: ContextVar[Any] = ContextVar("a content that was looked through before the hooks", default=None)
_untold: ContextVar[list[Notice] | None] = ContextVar("what is told once the file is written", default=None)


class ContentsManagerGuard:
    """``watchlists`` says what to look for in a folder.

    ``tell`` is called with the path of a file, as the contents API has it, the keys that were removed from it, and
    False; or those that are only suspected in a source or an export, and True: they are left in it. It is called when
    the file is written, and in whichever thread that was done. ``copies`` keeps what may be in no other place.
    """

    def __init__(
        self,
        manager: Any,
        watchlists: WatchlistCache | None = None,
        tell: Tell = lambda *_: None,
        copies: ServerCopies | None = None,
    ) -> None:
        self.manager = manager
        self.log = manager.log
        self._tell = tell
        self.watchlists = watchlists or WatchlistCache(self.log.warning)
        self.copies = copies or open_copies(self.watchlists.environ, self.log.warning)
        self._checkpoints: dict[str, Any] = {}  # as they were when they were found to be clean

    def install(self) -> None:
        """Register the hook, and wrap what no hook sees."""

        def mistral_nb_pre_save(model: dict[str, Any], path: str, **_: Any) -> None:  # a hook needs a __name__
            if model.get("content") is not _checked_content.get() or not self._is_only_hook():
                self.clean_before_save(model, path)

        self.manager.register_pre_save_hook(mistral_nb_pre_save)
        plans: dict[str, Callable[..., MethodPlan]] = {
            "save": self._save,
            "create_checkpoint": self._create_checkpoint,
            "restore_checkpoint": self._restore_checkpoint,
            "copy": self._copy,
            "rename_file": self._rename_file,
            "rename": self._rename,
            "run_post_save_hooks": self._run_post_save_hooks,
        }
        for name, plan in plans.items():
            setattr(self.manager, name, wrap_method(getattr(self.manager, name), plan))

    def clean_before_save(self, model: dict[str, Any], path: str) -> None:
        """Take the keys out of a model, in place. Raises HTTPError where that fails, and only that."""
        finish = self._clean_model(model, path)
        if finish:
            finish()

    def _clean_model(self, model: dict[str, Any], path: str) -> Callable[[], None] | None:
        """Take the keys out of a model, in place. Returns what is then to be done before it is saved: it takes long."""
        if model.get("content") is None:
            return None
        part = _is_chunk(model)
        todo = "Upload it again" if part else "The file on disk is unchanged. Save again"
        with _convert_errors(f"{path} was not saved", todo):
            file = self._disk_path(path)
            watchlist = self._watchlist(file)
            clean = upload_parts.clean_part if part else contents_models.clean_model
            cleaned = clean(model, file, watchlist)
            if not (cleaned.removed or cleaned.left):
                return None
            outcome = make_result(f"{path}, part {model['chunk']}" if part else path, cleaned, watchlist)
            return functools.partial(self._keep_and_report, path, todo, outcome, cleaned.keys, watchlist)

    def search(self, model: dict[str, Any], path: str) -> FileResult:
        """What a save of this model would remove, or leave; where it would fail, why. Changes nothing."""
        file = self._disk_path(path)
        watchlist = self._watchlist(file)
        try:
            return make_result(path, contents_models.clean_model({**model}, file, watchlist), watchlist)
        except CannotClean as error:
            found = contents_models.search_model(model, file, watchlist)
            return make_result(path, found, watchlist)._replace(problem=str(error))

    def _save(self, method: PlanStep, model: dict[str, Any], path: str = "") -> MethodPlan:
        """As the method, and then tell what was removed: an open page reads the file that is there now."""
        untold: list[Notice] = []
        before = _untold.get()
        _untold.set(untold)
        try:
            result = yield from self._clean_and_save(method, model, path)
        finally:
            _untold.set(before)
        for notice in untold:
            self._tell(*notice)
        return result

    def _clean_and_save(self, method: PlanStep, model: dict[str, Any], path: str) -> MethodPlan:
        if contents_models.is_large(model, MAX_INLINE_CHARACTERS):
            yield PlanStep(lambda: self.clean_before_save(model, path))
        else:
            finish = self._clean_model(model, path)
            if finish:
                yield PlanStep(finish)
        last, before = model.get("chunk") == -1, (_checked_content.get(), _is_last_chunk.get())
        _checked_content.set(model.get("content"))
        _is_last_chunk.set(last)
        try:
            result = yield method
        finally:
            _checked_content.set(before[0])
            _is_last_chunk.set(before[1])
        if last:
            removed = yield from self._clean_stored(path, _UPLOADED)
            if removed:  # its size and time have changed
                result = yield PlanStep(lambda: self.manager.get(path, content=False), is_own=False)
        elif model.get("type") != "directory":
            yield PlanStep(lambda: self._log_failure(lambda: self._clean_checkpoint(path)))
        if self.copies and self.copies.has_waiting:
            yield PlanStep(self.copies.store_waiting)
        return result

    def _create_checkpoint(self, method: PlanStep, path: str) -> MethodPlan:
        result = yield method
        yield PlanStep(lambda: self._clean_checkpoint(path, result["id"]))
        return result

    def _restore_checkpoint(self, method: PlanStep, checkpoint_id: str, path: str) -> MethodPlan:
        yield PlanStep(lambda: self._clean_checkpoint(path, checkpoint_id))
        return (yield method)

    def _copy(self, method: PlanStep, from_path: str, to_path: str | None = None) -> MethodPlan:
        result = yield method
        if result.get("type") == "directory":  # a file's copy was saved, and seen by the hook
            yield PlanStep(lambda: self._clean_folder(result["path"]))
        return result

    def _rename_file(self, method: PlanStep, old_path: str, new_path: str) -> MethodPlan:
        result = yield method
        if file_types.can_be_rewritten(new_path):
            yield from self._clean_stored(new_path, "was renamed, but not searched for keys", stops=False)
        return result

    def _rename(self, method: PlanStep, old_path: str, new_path: str) -> MethodPlan:
        result = yield method  # which renames the checkpoint too
        if file_types.can_be_rewritten(new_path):
            yield PlanStep(lambda: self._log_failure(lambda: self._clean_checkpoint(new_path)))
        return result

    def _run_post_save_hooks(self, method: PlanStep, model: dict[str, Any], os_path: str) -> MethodPlan:
        """A user's hook processes an upload as it was sent, for example to write a script beside a notebook."""
        if _is_last_chunk.get() and (self.manager.post_save_hook or self.manager._post_save_hooks):
            yield PlanStep(lambda: self._clean_path(os_path, model.get("path", ""), _UPLOADED))
        return (yield method)

    def _clean_stored(self, path: str, failed: str, *, stops: bool = True) -> MethodPlan:
        """Clean what lies at ``path``; whether it held a key. What is not on disk here is read and saved again.

        ``stops``: a failure is an error; else it is logged, as what was asked for is done.
        """
        file, path = self._disk_path(path), path.strip("/")
        if os.path.isfile(file):
            clean = functools.partial(self._clean_path, file, path, failed)
            outcome = yield PlanStep(clean if stops else lambda: self._log_failure(clean))
            return bool(outcome and outcome.removed)
        if not file.startswith(_OFF_DISK):  # a folder
            return False
        model = yield PlanStep(lambda: self.manager.get(path, content=True), is_own=False)
        found = model.get("content")
        yield PlanStep(lambda: self.clean_before_save(model, path))
        if model.get("content") is found:
            return False
        yield PlanStep(lambda: self.manager.save(model, path), is_own=False)
        return True

    def _clean_folder(self, folder: str) -> None:
        """Clean a folder that was just copied; the first file that can't be cleaned is reported, after the others."""
        failures: list[Exception] = []
        top = self._disk_path(folder)
        for root, _, names in os.walk(top):
            for name in names:
                file = os.path.join(root, name)
                if file_types.can_be_rewritten(name) and not os.path.islink(file):
                    path = "/".join([folder.strip("/"), *os.path.relpath(file, top).split(os.sep)])
                    try:
                        self._clean_path(file, path, "was copied, but not searched for keys", is_own_copy=True)
                    except Exception as error:  # noqa: BLE001, the others are still to be cleaned
                        failures.append(error)
        if failures:
            raise failures[0]

    def _log_failure(self, clean: Callable[[], FileResult | None]) -> FileResult | None:
        """The save or rename succeeded: failing to clean what was there before is not its failure."""
        from tornado.web import HTTPError

        try:
            return clean()
        except HTTPError as error:
            self.log.error("%s", error.log_message)
            return None

    def _clean_checkpoint(self, path: str, checkpoint_id: str = "checkpoint") -> None:
        """Clean the checkpoint beside ``path``; a manager that stores checkpoints elsewhere saves them by its hooks."""
        with _convert_errors(f"the checkpoint of {path} was not searched for keys", "Try again"):
            checkpoint = self._find_checkpoint(path, checkpoint_id)
            if not checkpoint or not os.path.isfile(checkpoint):
                return
            file = self._disk_path(path)
            remembered = self._watchlist(file).remembered
            if self._checkpoints.get(checkpoint) != (stamp_of(os.stat(checkpoint)), remembered):
                name = f"the checkpoint of {path.strip('/')}"
                self._clean_path(checkpoint, path, "was not searched for keys", name=name, type_path=file)
                self._checkpoints[checkpoint] = (stamp_of(os.stat(checkpoint)), remembered)

    def _find_checkpoint(self, path: str, checkpoint_id: str) -> str:
        """The path of a checkpoint. Asking Jupyter creates its folder, so only if there is one."""
        checkpoints = self.manager.checkpoints
        find = getattr(checkpoints, "checkpoint_path", None)
        if find is None:
            return ""
        folder = checkpoints._get_os_path(path.strip("/").rpartition("/")[0])
        if os.access(folder, os.W_OK) and not os.path.isdir(os.path.join(folder, checkpoints.checkpoint_dir)):
            return ""
        return str(find(checkpoint_id, path))

    def _clean_path(
        self, file: str, path: str, failed: str, *, name: str = "", type_path: str = "", is_own_copy: bool = False
    ) -> FileResult:
        """Clean a file on disk, which people know as ``name`` or else by its path; ``failed``: what if that fails."""
        name = name or path
        options = CleanOptions(
            write=True,
            is_explicit=False,
            type_path=type_path,
            is_own_copy=is_own_copy,
            keep_copy=self.copies.keeper() if self.copies else None,
            name=path,
        )
        with _convert_errors(f"{name} {failed}", "Try again"):
            outcome = clean_file(file, self._watchlist(type_path or file), options)
        if outcome.problem:
            raise _http_error(
                f"{name} {failed}: {outcome.problem}", f"Try: mistral-nb scrub '{os.path.basename(file)}'"
            )
        if outcome.removed or outcome.left:
            self._report(path, outcome.rename(name))
        return outcome

    def _is_only_hook(self) -> bool:
        """Another hook, run before ours, may have added a key to content that was already searched."""
        return not self.manager.pre_save_hook and len(getattr(self.manager, "_pre_save_hooks", ())) <= 1

    def _watchlist(self, file: str) -> Any:
        return self.watchlists.watchlist("" if file.startswith(_OFF_DISK) else os.path.dirname(file))

    def _disk_path(self, path: str) -> str:
        """Its path on disk; for a manager that stores its files elsewhere, a path that no file can have."""
        find = getattr(self.manager, "_get_os_path", None)
        return str(find(path.strip("/"))) if find else _OFF_DISK + path.strip("/")

    def _keep_and_report(
        self, path: str, todo: str, outcome: FileResult, keys: Mapping[str, Key], watchlist: Watchlist
    ) -> None:
        """The model is without its keys, and not yet saved."""
        if self.copies:
            with _convert_errors(f"{path} was not saved", todo):
                removed = keep_copies(outcome.removed, keys, watchlist, self.copies.keeper(), self._disk_path(path))
                outcome = outcome._replace(removed=removed)
        self._report(path, outcome)

    def _report(self, path: str, outcome: FileResult) -> None:
        self.log.warning("mistral_nb: %s", removal_summary.format_line(outcome, write=True))
        untold = _untold.get()
        for notice in _notices(path.strip("/"), outcome):
            if untold is not None:
                untold.append(notice)
            else:
                self._tell(*notice)


def _notices(path: str, outcome: FileResult) -> Iterator[Notice]:
    """What pages are told. Of what is left, nothing about a checkpoint, and nothing about a file that programs read
    keys from: there the key has its place."""
    if outcome.removed:
        yield path, outcome.removed, False
    left = tuple(one for one in outcome.left if one.tier == SUSPECTED and one.file.strip("/") == path)
    if left and file_types.can_be_rewritten(path):
        yield path, left, True


def _is_chunk(model: dict[str, Any]) -> bool:
    """Whether this is a piece of an upload, whose whole is looked through when the last has come."""
    return model.get("chunk") is not None and model.get("type") == "file"


@contextmanager
def _convert_errors(failed: str, todo: str) -> Iterator[None]:
    """Turn any failure of ours into an actionable error; it never quotes what failed."""
    from tornado.web import HTTPError

    try:
        yield
    except HTTPError:
        raise
    except CannotClean as error:
        raise _http_error(f"{failed}: {error.failed}", "Remove the key by hand, then save again") from None
    except Exception as error:  # noqa: BLE001, Jupyter would log it and save the key
        raise _http_error(f"{failed}: {type(error).__name__}", todo) from None


def _http_error(failed: str, todo: str) -> Exception:
    from tornado.web import HTTPError

    help_ = "mistral-nb doctor says more; jupyter server extension disable mistral_nb turns this check off"
    return HTTPError(500, one_line(f"mistral_nb: {failed}. {todo}; {help_}."))
