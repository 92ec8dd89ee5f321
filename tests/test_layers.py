"""Imports point downward only, and what runs at every save, `git add` or message stays light."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import mistral_nb

PACKAGE = Path(mistral_nb.__file__).parent
LAYERS = (  # from the bottom; those of one row do not import one another
    {
        "bounded_json",
        "bounded_read",
        "command_help",
        "exit_codes",
        "key_variables",
        "placeholders",
        "printable",
        "wording",
    },
    {"sensitive_text", "terminal_colours"},
    {"errors"},
    {"paths", "api_key", "command_help", "command_table"},
    {"file_cache", "file_io", "report", "sealing", "argument_parser"},
    {"config", "redaction"},
    {"child_environment"},
    {"storage", "sandbox"},
    {"api", "key_origin", "watchlist"},
    {"environment", "key_records"},
    {"command_context", "command_runner"},
    {"prompts"},
    {"git"},
    {"file_scrub"},
    {"guard", "jupyter"},
    {"keys", "scanning"},
    {"admin", "demo", "workers"},
    {"commands"},
    {"cli", "magic", "python_api", "worker"},
    {"__main__"},
    {"__init__"},
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
PLACES = {"guard", "jupyter", "git"}  # costly: a command imports them where it needs them
COMMANDS = {"commands", "keys", "admin", "scanning"}
LIGHT = {"file_scrub", "guard", "jupyter"}  # they run at every save and message: git only where it is asked something
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
            at_import = other in PLACES and own in COMMANDS | LIGHT and other != own and not inside
            optional = other == "admin" and own not in ("admin", "__init__")  # only by `keys.admin_access`
            upward = other in RANK and RANK[other] >= RANK[own] and other != own
            if at_import or upward or optional:
                wrong.append(f"{file.relative_to(root).as_posix()} imports {other}")
    return wrong


def import_circles(root: Path) -> list[list[str]]:
    """Modules of which each imports, directly or by others, all the rest; also inside functions and for types."""
    files = {".".join(file.relative_to(root.parent).with_suffix("").parts): file for file in root.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): file for name, file in files.items()}
    imports = {name: _modules_imported(ast.parse(file.read_text()), modules) - {name} for name, file in modules.items()}
    reached = {name: _reach(name, imports) for name in imports}
    circles = {tuple(sorted(other for other in found if name in reached[other])) for name, found in reached.items()}
    return sorted(list(circle) for circle in circles if circle)


def _modules_imported(tree: ast.Module, modules: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else node.module for name in names}
    return found & set(modules)


def _reach(start: str, imports: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    todo = list(imports[start])
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += imports[name]
    return found


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
        ("api_key.py", "import mistral_nb.config", "api_key.py imports config"),
        ("api_key.py", "def later():\n    from mistral_nb.storage.index import Index", "api_key.py imports storage"),
        ("api_key.py", "from mistral_nb import environment", "api_key.py imports environment"),
        ("api_key.py", "from . import environment", "api_key.py imports environment"),
        ("api_key.py", "from .environment import enter", "api_key.py imports environment"),
        ("storage/vault.py", "from mistral_nb.watchlist import gather", "storage/vault.py imports watchlist"),
        ("storage/vault.py", "import json, mistral_nb.api.client as c", "storage/vault.py imports api"),
        ("guard/lifecycle.py", "from mistral_nb.git import git", "guard/lifecycle.py imports git"),
        ("jupyter/hook.py", "async def hook():\n    import mistral_nb.guard", "jupyter/hook.py imports guard"),
        ("commands/switch.py", "from mistral_nb.guard.lifecycle import start", "commands/switch.py imports guard"),
        ("environment.py", "class A:\n    from mistral_nb.magic.line_magic import run", "environment.py imports magic"),
        ("commands/list.py", "def run():\n    from mistral_nb.admin import client", "commands/list.py imports admin"),
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
        ("commands/switch.py", "def use():\n    from mistral_nb.guard.lifecycle import start"),
        ("storage/vault.py", "from mistral_nb.storage.index import I\nfrom mistral_nb.config import load\nimport json"),
        ("__init__.py", "def load_ipython_extension(shell):\n    from mistral_nb.magic.line_magic import load"),
        ("magic/line_magic.py", "from mistral_nb import __version__"),
    ],
)
def test_an_import_that_points_downward_is_fine(tmp_path, file, source):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(source)
    assert wrong_imports(tmp_path) == []


def test_no_modules_import_one_another_in_a_circle():
    assert import_circles(PACKAGE) == []


@pytest.mark.parametrize(
    ("sources", "circles"),
    [
        ({"a": "from pack import b", "b": "import pack.a"}, [["pack.a", "pack.b"]]),
        ({"a": "from pack.b import x", "b": "def f():\n    from pack.c import y", "c": "import pack.a as a"}, 3),
        ({"a": "if TYPE_CHECKING:\n    from pack.b import B", "b": "from pack.a import A"}, [["pack.a", "pack.b"]]),
        ({"a": "from pack import b, c", "b": "from pack import c", "c": "import json"}, []),
    ],
)
def test_a_circle_is_found(tmp_path, sources, circles):
    (tmp_path / "pack").mkdir()
    for name, source in sources.items():
        (tmp_path / "pack" / f"{name}.py").write_text(source)
    found = import_circles(tmp_path / "pack")
    assert found == circles if isinstance(circles, list) else [len(circle) for circle in found] == [circles]


def test_the_package_imports_no_third_party_and_no_host():
    loaded = modules_after("import mistral_nb")
    foreign = {name for name in loaded if name.split(".")[0] not in {*sys.stdlib_module_names, "mistral_nb"}}
    assert foreign == set()
    assert {name for name in loaded if name.startswith("mistral_nb.")} <= {"mistral_nb.errors"}
    assert modules_after("import mistral_nb, httpx") - loaded  # negative control: the search finds it


def test_what_runs_at_every_save_imports_nothing_heavy():
    loaded = modules_after("import mistral_nb.watchlist", "import mistral_nb.redaction.redact", isolated=True)
    assert loaded & HEAVY == set()
    assert modules_after("import pathlib, logging", isolated=True) & HEAVY >= {"pathlib", "logging"}
