"""Contents managers as other packages have them: what `ContentsManagerGuard` can't rely on a manager to do."""

import os
import shutil
from typing import Any

import nbformat
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager
from jupyter_server.services.contents.manager import ContentsManager


class CallsTheOldHook(LargeFileManager):
    """`run_pre_save_hook`, without an s, runs no hook that was registered: so does s3contents."""

    def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        self.run_pre_save_hook(model=model, path=path)
        self._save_notebook(self._get_os_path(path.strip("/")), nbformat.from_dict(model["content"]))
        return self.get(path, content=False)


class LooksSynchronous(AsyncLargeFileManager):
    """Plain functions that give something to await."""

    def save(self, model: dict[str, Any], path: str = "") -> Any:
        return super().save(model, path)

    def create_checkpoint(self, path: str) -> Any:
        return super().create_checkpoint(path)


class KnowsNoChunks(AsyncFileContentsManager):
    """Jupyter's own without large files."""


class Elsewhere(ContentsManager):
    """Keeps its files in memory: its paths are no paths of a disk."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kept: dict[str, dict[str, Any]] = {}

    def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        before = self.kept.get(path) if model.get("chunk") not in (None, 1) else None
        content = before["content"] + model["content"] if before else model["content"]
        self.kept[path] = {**model, "content": content, "chunk": None}
        return self.get(path, content=False)

    def get(self, path: str, content: bool = True, **_: Any) -> dict[str, Any]:
        return {**self.kept[path], **({} if content else {"content": None})}

    def rename_file(self, old_path: str, new_path: str) -> None:
        self.kept[new_path] = self.kept.pop(old_path)


def plants_a_key(model: dict[str, Any], **_: Any) -> None:
    """A person's own pre-save hook, which writes into the notebook."""
    if model["type"] == "notebook":
        model["content"]["metadata"]["planted"] = os.environ["PLANTED"]


def copies_the_file(os_path: str, model: dict[str, Any], **_: Any) -> None:
    """A person's own post-save hook: a script beside each notebook, as Jupyter's documentation has it."""
    if model["type"] == "notebook":
        shutil.copy(os_path, f"{os_path}.script")
