"""Imports point downward only, and what runs at every save, `git add` or message stays light."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import mistral_nb

PACKAGE = Path(mistral_nb.__file__).parent
LAYERS = (  # from the bottom; those of one row do not import one another
    {"errors"},
    {"home", "key", "terminal"},
    {"files", "report"},
    {"config", "asker", "commands"},
    {"parsing"},
    {"scrub", "store", "api"},
    {"watch"},
    {"session"},
    {"kernel", "saving", "git"},
    {"actions"},
    {"fast"},
    {"prompting"},
    {"cli", "magic", "public"},
    {"__main__"},
    {"__init__"},
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
PLACES = {"kernel", "saving", "git"}
HEAVY = {
    *("argparse", "asyncio", "dataclasses", "email", "http", "importlib.metadata", "inspect", "logging", "pathlib"),
    *("socket", "sqlite3", "ssl", "subprocess", "typing_extensions", "unittest", "urllib.request", "uuid"),
    *("IPython", "anywidget", "cryptography", "filelock", "httpx", "ipywidgets", "jupyter_client", "keyring"),
    *("nbformat", "platformdirs", "traitlets"),
}


def imports_of(tree: ast.Module) -> list[tuple[str, bool]]:
    """The layers that a module imports from, and whether that happens inside a function, or for types only."""
    inside = {
        id(node)
        for f in ast.walk(tree)
        if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) or _for_types(f)
        for node in ast.walk(f)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = ["mistral_nb"] if node.level else []
            modules = [".".join([*start, *filter(None, [node.module]), alias.name]) for alias in node.names]
        else:
            continue
        parts = [module.split(".") for module in modules]
        found += [(part[1], id(node) in inside) for part in parts if part[0] == "mistral_nb" and len(part) > 1]
    return found


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def wrong_imports(root: Path) -> list[str]:
    wrong = []
    for file in sorted(root.rglob("*.py")):
        own = file.relative_to(root).parts[0].removesuffix(".py")
        if own not in RANK:
            wrong.append(f"{own} has no layer")
            continue
        for other, inside in imports_of(ast.parse(file.read_text())):
            at_import = other in PLACES and own == "actions" and not inside
            upward = other in RANK and RANK[other] >= RANK[own] and other != own
            if at_import or upward:
                wrong.append(f"{file.relative_to(root).as_posix()} imports {other}")
    return wrong


def modules_after(*statements: str, isolated: bool = False) -> set[str]:
    """The modules that a new process holds afterwards, without those it started with."""
    code = f"""
import json, sys
sys.path.insert(0, {str(PACKAGE.parent)!r})
before = set(sys.modules)
{"; ".join(statements)}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    options = ["-I", "-S"] if isolated else []
    done = subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_imports_point_downward():
    assert wrong_imports(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("key.py", "import mistral_nb.config", "key.py imports config"),
        ("key.py", "def later():\n    from mistral_nb.store.index import Index", "key.py imports store"),
        ("key.py", "from mistral_nb import session", "key.py imports session"),
        ("key.py", "from . import session", "key.py imports session"),
        ("key.py", "from .session import use", "key.py imports session"),
        ("store/vault.py", "from mistral_nb.scrub import redact", "store/vault.py imports scrub"),
        ("api/client.py", "import json, mistral_nb.store.index as i", "api/client.py imports store"),
        ("kernel/guard.py", "from mistral_nb.git import filter", "kernel/guard.py imports git"),
        ("saving/hook.py", "async def hook():\n    import mistral_nb.kernel", "saving/hook.py imports kernel"),
        ("actions/use.py", "from mistral_nb.kernel.ask import ask", "actions/use.py imports kernel"),
        ("session.py", "class A:\n    from mistral_nb.magic import Magic", "session.py imports magic"),
        ("extra.py", "", "extra has no layer"),
    ],
)
def test_an_import_that_points_upward_is_found(tmp_path, file, source, complaint):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(source)
    assert wrong_imports(tmp_path) == [complaint]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("actions/use.py", "def use():\n    from mistral_nb.kernel.ask import ask"),
        ("store/vault.py", "from mistral_nb.store.index import Index\nfrom mistral_nb.config import load\nimport json"),
        ("__init__.py", "def load_ipython_extension(shell):\n    from mistral_nb.magic import Magic"),
        ("magic.py", "from mistral_nb import __version__"),
    ],
)
def test_an_import_that_points_downward_is_fine(tmp_path, file, source):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(source)
    assert wrong_imports(tmp_path) == []


def test_the_package_imports_no_third_party_and_no_host():
    loaded = modules_after("import mistral_nb")
    foreign = {name for name in loaded if name.split(".")[0] not in {*sys.stdlib_module_names, "mistral_nb"}}
    assert foreign == set()
    assert {name for name in loaded if name.startswith("mistral_nb.")} <= {"mistral_nb.errors"}
    assert modules_after("import mistral_nb, httpx") - loaded  # the search would have found it


def test_what_runs_at_every_save_imports_nothing_heavy():
    loaded = modules_after("import mistral_nb.watch", "import mistral_nb.scrub", isolated=True)
    assert loaded & HEAVY == set()
    assert modules_after("import pathlib, logging", isolated=True) & HEAVY >= {"pathlib", "logging"}
