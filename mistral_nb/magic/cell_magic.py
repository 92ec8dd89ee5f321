"""``%%mistral_key WORKSPACE``: runs the cell's own code inside a ``with``, with another workspace's key.

Not as a nested cell: `shell.run_cell` can't run a top-level ``await`` in a kernel, whose loop runs already,
and shows each error twice. Here the cell's exceptions reach the front end as usual, ``await`` works, and every
line keeps its number. The text is changed first (IPython must see code), then the tree: a ``with`` in the
text would have to indent what follows, and with it the inside of strings. A magic that runs the text
without changing the tree, such as ``%%prun``, runs a call that raises: no cell runs with the wrong key.
"""

import ast
import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

from mistral_nb import config, environment
from mistral_nb.api_key import Key, key_or_none
from mistral_nb.argument_parser import parse_words
from mistral_nb.command_table import MAGIC, commands_for
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.guard.ipython_patches import Patch
from mistral_nb.magic.line_magic import MAGIC_NAME, make_context, refuse_key_argument, split_line
from mistral_nb.storage.index import COMPROMISED, Index

_FIRST_LINE = re.compile(rf"%%{MAGIC_NAME}(?:[ \t]+(?P<words>.*?))?[ \t]*(?:\n|$)")
_ENTER, _REFUSE = "switch_for_cell", "refuse_this_cell"
_LAST = "_mistral_nb_last"
_patches: dict[int, Patch] = {}


def install(shell: Any) -> None:
    """Install the cell magic in this shell; idempotent.

    Not by ``shell.ast_transformers``: while that list holds anything, IPython walks down every cell's
    tree, which takes time and fails on one that is deeper than Python's stack, though it would run.
    """
    uninstall(shell)
    shell.register_magic_function(_show_usage, "cell", MAGIC_NAME)
    shell.input_transformers_cleanup.append(transform_lines)
    _patches[id(shell)] = Patch(shell, "transform_ast", lambda original: lambda tree: original(transform_tree(tree)))


def uninstall(shell: Any) -> None:
    shell.magics_manager.magics["cell"].pop(MAGIC_NAME, None)
    cleanup = shell.input_transformers_cleanup
    cleanup[:] = [each for each in cleanup if each is not transform_lines]
    patch = _patches.pop(id(shell), None)
    if patch:
        patch.remove()


@contextlib.contextmanager
def switch_for_cell(line: str) -> Iterator[None]:
    """What the first line of ``%%mistral_key prod`` becomes: another key for the rest of the cell, then the first."""
    from IPython.core.getipython import get_ipython

    from mistral_nb.prompts.notebook import run_command

    shell = get_ipython()
    refuse_key_argument(shell, line)
    words = split_line(line, make_context(shell))
    if words == ["switch"] or line.split(maxsplit=1)[0] in commands_for(MAGIC):
        raise WrongUsage(f"%%{MAGIC_NAME} takes the name of a workspace.", f"Try: %%{MAGIC_NAME} prod")
    given = parse_words(MAGIC, words)
    flags = {name: given[name] for name in ("workspace", "force", "yes")}
    state = environment.snapshot()
    try:
        report = run_command(shell, "switch", flags, card=False).report
        print(f"{report.title if report else ''} For this cell only.")  # noqa: T201, a host prints
        yield
    finally:
        _restore_environment(state)


def _restore_environment(state: environment.EnvironmentSnapshot) -> None:
    """Restore what was set before the cell, except for a key that was revoked meanwhile."""
    key = key_or_none(state.key)
    if key is None or not _is_revoked(key):
        environment.restore(state)
        return
    environment.restore(environment.EnvironmentSnapshot(None, None))
    print(f"The key before this cell, …{key.tail}, was revoked: no key is set now. To set one: %{MAGIC_NAME}")  # noqa: T201, a host prints


def _is_revoked(key: Key) -> bool:
    try:
        seen = Index(config.data_folder(os.environ)).read().remembered.get(key.fingerprint)
    except MistralNbError:  # is reported elsewhere; the cell has to end as it began
        return False
    return seen is not None and seen.state == COMPROMISED


def refuse_this_cell(_: str) -> None:
    """Stands for that line until `transform_tree` changes it to `switch_for_cell`; another magic may prevent that."""
    raise WrongUsage(
        f"%%{MAGIC_NAME} could not wrap this cell; nothing was executed.",
        f"Make %%{MAGIC_NAME} its first line, with the other magic below it, or use mistral_nb.key(…) in code.",
    )


def _show_usage(line: str, cell: str) -> None:  # noqa: ARG001, IPython passes both
    """Run a cell with another workspace's key, and restore the first one.

    %%mistral_key prod
    client.chat.complete(...)

    The key is restored even after an error or an interrupt. An environment variable is shared: while the
    cell runs, all threads and running tasks of this process see the other key, and what they start
    inherits it. Where that matters, pass the key itself: Mistral(api_key=mistral_nb.key("prod")), or
    httpx.Client(auth=mistral_nb.auth("prod")).
    """
    raise WrongUsage(f"%%{MAGIC_NAME} must be the first line of the cell.", "Move it there.")


def transform_lines(lines: list[str]) -> list[str]:
    """The cell's lines with the first one, ``%%mistral_key prod``, as a call; others as they are."""
    match = _FIRST_LINE.fullmatch(lines[0]) if lines else None
    if not match:
        return lines
    call = f'__import__("{__name__}", fromlist=["_"]).{_REFUSE}({match["words"] or ""!r})\n'
    return [call, *_transform_other_magic(transform_lines(lines[1:]))]


transform_lines.has_side_effects = True  # type: ignore[attr-defined]  # keeps it out of "is this cell complete?"


def _transform_other_magic(lines: list[str]) -> list[str]:
    """A cell magic below ours, such as ``%%time``, is left to IPython, from its own first line."""
    from IPython.core.inputtransformer2 import cell_magic

    if not lines or not lines[0].startswith("%%"):
        return lines
    changed: list[str] = cell_magic(lines)  # type: ignore[no-untyped-call]
    return changed


def transform_tree(tree: Any) -> Any:
    """Puts what follows the call into its ``with``; a last expression is shown after it."""
    with contextlib.suppress(RecursionError):  # the call stays, and refuses
        if isinstance(tree, ast.Module) and tree.body and _is_our_call(tree.body[0]):
            tree.body = _wrap_body(tree.body)
    return tree


def _wrap_body(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements after a call, in its ``with``; so again, where the second is a call too."""
    call, rest = body[0], body[1:]
    assert isinstance(call, ast.Expr)  # noqa: S101, for the type checker
    future = [each for each in rest if isinstance(each, ast.ImportFrom) and each.module == "__future__"]
    rest = [each for each in rest if each not in future]
    if rest and _is_our_call(rest[0]):
        rest = _wrap_body(rest)
    shown: list[ast.stmt] = []
    if rest and isinstance(rest[-1], ast.Expr):
        last = rest[-1]
        name = ast.copy_location(ast.Name(_LAST, ast.Store()), last)
        rest[-1] = ast.copy_location(ast.Assign([name], last.value), last)
        take = ast.parse(f'__import__("builtins").locals().pop("{_LAST}")').body[0]  # %%timeit makes it a function's
        shown = [_copy_locations(take, last)]
    block = ast.With([ast.withitem(_to_enter_call(call))], rest or [ast.copy_location(ast.Pass(), call)])
    return [*future, ast.copy_location(block, call), *shown]


def _to_enter_call(call: ast.Expr) -> ast.expr:
    """The call that refuses, as the one that enters."""
    match call.value:
        case ast.Call(ast.Attribute() as function):
            function.attr = _ENTER
    return call.value


def _copy_locations(node: ast.stmt, where: ast.stmt) -> ast.stmt:
    """With a location throughout. Only for small trees of our own: what goes down a person's may go too deep."""
    for each in ast.walk(node):
        if isinstance(each, ast.expr | ast.stmt):
            ast.copy_location(each, where)
    return node


def _is_our_call(node: ast.stmt) -> bool:
    """Whether a statement is the call that `transform_lines` writes."""
    match node:
        case ast.Expr(
            ast.Call(
                ast.Attribute(ast.Call(ast.Name("__import__"), [ast.Constant(module)]), name),
                [ast.Constant(str())],
            )
        ):
            return (module, name) == (__name__, _REFUSE)
    return False
