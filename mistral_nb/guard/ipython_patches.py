"""Patches a method of one object so that it can be undone even if others patched it since."""

from collections.abc import Callable, MutableMapping
from functools import partial, update_wrapper
from typing import Any

_MISSING = object()
Function = Callable[..., Any]


class Patch:
    """``wrap`` is given the original and returns what stands in for it, on this instance alone.

    `remove` restores the original. If someone has wrapped ours since, it can't be removed from the
    chain: then it becomes a pass-through.
    """

    def __init__(self, owner: Any, name: str, wrap: Callable[[Function], Function]) -> None:
        self._owner, self._name = owner, name
        self._original = vars(owner).get(name, _MISSING)
        self.wrapper = _make_wrapper(getattr(owner, name), wrap, self)
        self.is_active = True
        setattr(owner, name, self.wrapper)

    def remove(self) -> None:
        self.is_active = False
        if vars(self._owner).get(self._name) is not self.wrapper:
            return
        if self._original is _MISSING:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._original)


class EntryPatch:
    """The same for a function in a table, such as IPython's magics or a kernel's message handlers."""

    def __init__(self, table: MutableMapping[str, Any], name: str, wrap: Callable[[Function], Function]) -> None:
        self._table, self._name = table, name
        self._original = table[name]
        self.wrapper = _make_wrapper(self._original, wrap, self)
        self.is_active = True
        table[name] = self.wrapper

    def remove(self) -> None:
        self.is_active = False
        if self._table.get(self._name) is self.wrapper:
            self._table[self._name] = self._original


class MagicPatches:
    """The same for magics, by their names, from when each of them is there: IPython imports most when first used."""

    def __init__(self, shell: Any, names: tuple[str, ...], wrap: Callable[[str, Function], Function]) -> None:
        self._events, self._manager = shell.events, shell.magics_manager
        self._names, self._wrap = names, wrap
        self._patches: list[EntryPatch] = []
        self._patch_magics()
        self._find_patch = Patch(self._manager, "find", self._wrap_find) if hasattr(self._manager, "find") else None
        self._events.register("pre_run_cell", self._patch_magics)

    def remove(self) -> None:
        self._events.unregister("pre_run_cell", self._patch_magics)
        if self._find_patch:
            self._find_patch.remove()
        for patch in reversed(self._patches):
            patch.remove()

    def _patch_magics(self, _: Any = None) -> None:
        """Before each cell: an extension may have brought a magic along since."""
        import IPython.core.magic

        ours = {id(patch.wrapper) for patch in self._patches}
        announced = getattr(IPython.core.magic, "LazyMagic", ())
        for table in (self._manager.magics[kind] for kind in ("line", "cell")):
            for name in self._names:
                there = table.get(name)
                if there is not None and id(there) not in ours and not isinstance(there, announced):
                    self._patches.append(EntryPatch(table, name, partial(self._wrap, name)))

    def _wrap_find(self, original: Function) -> Function:
        """What was only announced is imported when it is looked for."""

        def find(kind: str, name: str) -> Any:
            magic = original(kind, name)
            if magic is None or name not in self._names:
                return magic
            self._patch_magics()
            return self._manager.magics[kind].get(name, magic)

        return find


def _make_wrapper(original: Function, wrap: Callable[[Function], Function], patch: Any) -> Function:
    replacement = wrap(original)

    def call(*args: Any, **kwargs: Any) -> Any:
        return (replacement if patch.is_active else original)(*args, **kwargs)

    # IPython reads marks such as needs_local_scope off a magic's function
    return update_wrapper(call, original, updated=("__dict__",) if hasattr(original, "__dict__") else ())
