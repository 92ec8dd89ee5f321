"""``%%mistral_key WORKSPACE``: the cell's own code, inside a ``with``, not run by another cell.

So what the cell raises is what the front end hears, ``await`` stands at the top level, and every line
keeps its number. The text is changed first (IPython must see code), then the tree: a ``with`` in the
text would have to indent what follows, and with it the inside of strings. A magic that runs the text
without changing the tree, such as ``%%prun``, runs a call that raises: no cell runs with the wrong key.
"""

import ast
import contextlib
import re
from typing import Any

from mistral_nb.kernel.patches import Patch

MAGIC = "%%mistral_key"
_FIRST_LINE = re.compile(rf"{MAGIC}(?:[ \t]+(?P<words>.*?))?[ \t]*(?:\n|$)")
_MODULE, _ENTER, _REFUSE = "mistral_nb.magic", "in_this_cell", "refuse_this_cell"
_LAST = "_mistral_nb_last"
_patches: dict[int, Patch] = {}


def install(shell: Any) -> None:
    """Let this shell understand the cell magic. Once is enough; again does nothing.

    Not by ``shell.ast_transformers``: while that list holds anything, IPython walks down every cell's
    tree, which takes time and fails on one that is deeper than Python's stack, though it would run.
    """
    uninstall(shell)
    shell.input_transformers_cleanup.append(as_code)
    _patches[id(shell)] = Patch(shell, "transform_ast", lambda original: lambda tree: original(with_key(tree)))


def uninstall(shell: Any) -> None:
    cleanup = shell.input_transformers_cleanup
    cleanup[:] = [each for each in cleanup if each is not as_code]
    patch = _patches.pop(id(shell), None)
    if patch:
        patch.remove()


def as_code(lines: list[str]) -> list[str]:
    """The cell's lines with the first one, ``%%mistral_key prod``, as a call; others as they are."""
    match = _FIRST_LINE.fullmatch(lines[0]) if lines else None
    if not match:
        return lines
    call = f'__import__("{_MODULE}", fromlist=["_"]).{_REFUSE}({match["words"] or ""!r})\n'
    return [call, *_other_magic(as_code(lines[1:]))]


as_code.has_side_effects = True  # type: ignore[attr-defined]  # keeps it out of "is this cell complete?"


def _other_magic(lines: list[str]) -> list[str]:
    """A cell magic below ours, such as ``%%time``, is IPython's to understand, from its own first line."""
    from IPython.core.inputtransformer2 import cell_magic

    if not lines or not lines[0].startswith("%%"):
        return lines
    changed: list[str] = cell_magic(lines)  # type: ignore[no-untyped-call]
    return changed


def with_key(tree: Any) -> Any:
    """Puts what follows the call into its ``with``; a last expression is shown after it."""
    with contextlib.suppress(RecursionError):  # the call stays, and refuses
        if isinstance(tree, ast.Module) and tree.body and _is_call(tree.body[0]):
            tree.body = _within(tree.body)
    return tree


def _within(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements after a call, in its ``with``; so again, where the second is a call too."""
    call, rest = body[0], body[1:]
    assert isinstance(call, ast.Expr)  # noqa: S101, for the type checker
    future = [each for each in rest if isinstance(each, ast.ImportFrom) and each.module == "__future__"]
    rest = [each for each in rest if each not in future]
    if rest and _is_call(rest[0]):
        rest = _within(rest)
    shown: list[ast.stmt] = []
    if rest and isinstance(rest[-1], ast.Expr):
        last = rest[-1]
        name = ast.copy_location(ast.Name(_LAST, ast.Store()), last)
        rest[-1] = ast.copy_location(ast.Assign([name], last.value), last)
        take = ast.parse(f'__import__("builtins").locals().pop("{_LAST}")').body[0]  # %%timeit makes it a function's
        shown = [_placed_at(take, last)]
    block = ast.With([ast.withitem(_entering(call))], rest or [ast.copy_location(ast.Pass(), call)])
    return [*future, ast.copy_location(block, call), *shown]


def _entering(call: ast.Expr) -> ast.expr:
    """The call that refuses, as the one that enters."""
    match call.value:
        case ast.Call(ast.Attribute() as function):
            function.attr = _ENTER
    return call.value


def _placed_at(node: ast.stmt, where: ast.stmt) -> ast.stmt:
    """With a location throughout. Only for small trees of our own: what goes down a person's may go too deep."""
    for each in ast.walk(node):
        if isinstance(each, ast.expr | ast.stmt):
            ast.copy_location(each, where)
    return node


def _is_call(node: ast.stmt) -> bool:
    """Whether a statement is the call that `as_code` writes."""
    match node:
        case ast.Expr(
            ast.Call(
                ast.Attribute(ast.Call(ast.Name("__import__"), [ast.Constant(module)]), name),
                [ast.Constant(str())],
            )
        ):
            return (module, name) == (_MODULE, _REFUSE)
    return False
