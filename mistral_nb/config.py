"""Settings, in one place: a variable, then ``[tool.mistral-nb]``, then the default.

Paths are plain strings here and in what runs at every save: importing pathlib costs 8 ms.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from mistral_nb.errors import WrongUsage
from mistral_nb.home import home as _home
from mistral_nb.key import Secret

VARIABLE = "MISTRAL_API_KEY"
ACTIVE = "MISTRAL_NB_ACTIVE"
ADMIN_VARIABLE = "MISTRAL_ADMIN_API_KEY"
KEY_VARIABLES = (VARIABLE, ADMIN_VARIABLE, "CODESTRAL_API_KEY", "LLM_MISTRAL_KEY")
PASSPHRASE_VARIABLE = "MISTRAL_NB_PASSPHRASE"  # noqa: S105, a variable's name
DEFAULT_API = "https://api.mistral.ai"
STORES = ("auto", "keyring", "file", "memory")
PROMPTS = ("getpass", "widget")

Environ = Mapping[str, str]
home = _home  # one of the settings, though what runs at every save asks for it alone


class Project(NamedTuple):
    """What ``[tool.mistral-nb]`` of the nearest ``pyproject.toml`` says; ``file`` is None without one."""

    file: str | None = None
    table: Mapping[str, Any] = {}
    problem: str = ""


class Config(NamedTuple):
    home: str  # the folder of index and vault
    store: str  # where new keys go: one of STORES
    passphrase: Secret | None
    passphrase_file: str | None
    workspace: str | None  # MISTRAL_NB_WORKSPACE
    prompt: str  # one of PROMPTS
    api: str  # base URL, without a slash at its end
    key_file: str | None  # MISTRAL_API_KEY_FILE
    project: Project


def load(environ: Environ | None = None, folder: str | None = None) -> Config:
    """The settings for a process with ``environ``, working in ``folder``.

    Raises `WrongUsage` for a value outside its choices.
    """
    env = os.environ if environ is None else environ
    project = find_project(folder)
    passphrase = env.get(PASSPHRASE_VARIABLE)
    return Config(
        home=home(env),
        store=_choice(env, project, "store", STORES),
        passphrase=Secret(passphrase) if passphrase else None,
        passphrase_file=env.get("MISTRAL_NB_PASSPHRASE_FILE") or None,
        workspace=env.get("MISTRAL_NB_WORKSPACE") or None,
        prompt=_choice(env, project, "prompt", PROMPTS),
        api=(env.get("MISTRAL_NB_API") or DEFAULT_API).rstrip("/"),
        key_file=env.get("MISTRAL_API_KEY_FILE") or None,
        project=project,
    )


def guards_terminal(environ: Environ, folder: str | None = None) -> bool:
    """Whether kernels redact what reaches the real terminal: ``MISTRAL_NB_GUARD_TERMINAL``, ``guard_terminal``."""
    value = environ.get("MISTRAL_NB_GUARD_TERMINAL", find_project(folder).table.get("guard_terminal", ""))
    return str(value).lower() not in ("", "0", "no", "off", "false")


def find_project(folder: str | None = None) -> Project:
    """The nearest ``pyproject.toml`` in ``folder`` (default: the working one) or above it."""
    try:
        place = os.path.abspath(folder or os.getcwd())
    except OSError:  # the working directory was deleted
        return Project()
    while True:
        file = os.path.join(place, "pyproject.toml")
        if os.path.isfile(file):
            return _read_project(file)
        place, child = os.path.dirname(place), place
        if place == child:
            return Project()


def _read_project(file: str) -> Project:
    try:
        with open(file, "rb") as stream:
            data = stream.read()
        if b"mistral-nb" not in data:
            return Project(file)
        import tomllib

        table = tomllib.loads(data.decode()).get("tool", {}).get("mistral-nb", {})
    except (OSError, ValueError, AttributeError, RecursionError) as error:  # "tool = 3" has no tables
        return Project(file, problem=f"{file} could not be read ({type(error).__name__}).")
    if not isinstance(table, dict):
        return Project(file, problem=f"{file}: [tool.mistral-nb] is not a table.")
    return Project(file, table)


def _choice(env: Environ, project: Project, name: str, choices: tuple[str, ...]) -> str:
    variable = f"MISTRAL_NB_{name.upper()}"
    value = env.get(variable) or project.table.get(name) or choices[0]
    if value not in choices:
        source = variable if env.get(variable) else f"{name} in {project.file}"
        raise WrongUsage(f"{source} is not one of {', '.join(choices)}.", "Set it to one of them.")
    return str(value)
