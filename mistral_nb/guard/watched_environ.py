"""``os.environ`` in a guarded process: what is set is learned at once, and a pickled copy has no secret."""

import copy
import os
from collections.abc import Callable, Mapping
from typing import Any

from mistral_nb.child_environment import holds_secret


def list_environs() -> list[Any]:
    """The environment as text and, if there is one, as bytes; not a dict that replaced them."""
    there = [os.environ, os.environb] if os.supports_bytes_environ else [os.environ]
    return [environ for environ in there if hasattr(environ, "encodekey")]


def watch_environ(
    environ: Any,
    learn: Callable[[Mapping[str, str]], None],
    select_for_pickle: Callable[[Mapping[str, str]], Mapping[str, str]],
) -> Callable[[], None]:
    """Call ``learn`` with each secret variable that is set in ``environ``: it may be gone before the next message.

    A pickled copy has the variables that ``select_for_pickle`` returns; one made by `copy` has all.

    Everyone holds references to ``os.environ``, so the object has to stay; and Python looks for these methods
    on its class, not on it. So it gets a class of its own, made from the one it has, until the returned function
    is called. Copies have the usual class.
    """
    usual: Any = type(environ)

    def set_and_learn(this: Any, name: Any, value: Any) -> None:
        usual.__setitem__(this, name, value)
        variable = os.fsdecode(this.encodekey(name))  # on Windows in capitals
        if holds_secret(variable):
            learn({variable: os.fsdecode(value)})

    def reduce_for_pickle(this: Any, _protocol: Any) -> Any:
        made, (_, *given), state = usual.__reduce_ex__(this, 1)  # later ones refuse another class than ours
        data = dict(state["_data"])  # in one step: a thread may set a variable
        kept = select_for_pickle({os.fsdecode(name): os.fsdecode(value) for name, value in data.items()})
        data = {name: value for name, value in data.items() if os.fsdecode(name) in kept}
        return made, (usual, *given), {**state, "_data": data}

    def copy_usual(this: Any) -> Any:
        return _with_state(usual, vars(this))

    def deepcopy_usual(this: Any, memo: dict[int, Any]) -> Any:
        return _with_state(usual, copy.deepcopy(vars(this), memo))

    methods = {
        "__setitem__": set_and_learn,
        "__reduce_ex__": reduce_for_pickle,
        "__copy__": copy_usual,  # copy would call __reduce_ex__, too
        "__deepcopy__": deepcopy_usual,
    }
    watched = type(usual.__name__, (usual,), methods)
    environ.__class__ = watched

    def end() -> None:
        if type(environ) is watched:
            environ.__class__ = usual

    return end


def _with_state(kind: Any, state: Mapping[str, Any]) -> Any:
    made = kind.__new__(kind)
    vars(made).update(state)
    return made
