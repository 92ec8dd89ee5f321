"""Settings, in one place: a variable, then ``[tool.mistral-nb]``, then the default.

Paths are plain strings here and in what runs at every save: importing pathlib costs 8 ms.
"""

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from mistral_nb import key_variables
from mistral_nb.api_key import Key, Secret, key_or_none
from mistral_nb.bounded_read import MAX_SETTINGS, read_file
from mistral_nb.errors import WrongUsage, reason
from mistral_nb.file_cache import ParsedFileCache
from mistral_nb.paths import data_folder as _home
from mistral_nb.paths import parents
from mistral_nb.placeholders import is_mixed
from mistral_nb.sensitive_text import key_shaped_words

API_KEY_VARIABLE = key_variables.API_KEY_VARIABLE
ACTIVE_VARIABLE = "MISTRAL_NB_ACTIVE"
ADMIN_VARIABLE = key_variables.ADMIN_VARIABLE
KEY_VARIABLES = (  # that programs read; `keys_in` finds misnamed ones too
    API_KEY_VARIABLE,
    ADMIN_VARIABLE,
    "CODESTRAL_API_KEY",
    "LLM_MISTRAL_KEY",
)
PASSPHRASE_VARIABLE = "MISTRAL_NB_PASSPHRASE"  # noqa: S105, a variable's name
PASSPHRASE_FILE_VARIABLE = "MISTRAL_NB_PASSPHRASE_FILE"  # noqa: S105, likewise
KEY_FILE_VARIABLE = "MISTRAL_API_KEY_FILE"
_CI_VARIABLES = ("CI", "TF_BUILD", "JENKINS_URL", "TEAMCITY_VERSION", "BUILD_BUILDID")  # nearly all set the first
DEFAULT_HOST = "api.mistral.ai"
DEFAULT_API = f"https://{DEFAULT_HOST}"
STORES = ("auto", "keyring", "file", "memory")
PROMPTS = ("getpass", "widget")

_MOST_KEY_PARTS = 16
_TOML_MARK = re.compile(  # all that a dot may stand in, and what ends a key
    r"""\"\"\"(?:[^"\\]|\\.|"(?!""))*"{3,5}|'''.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*|[.=,\[\]{}\n]""",
    re.DOTALL,
)

Environ = Mapping[str, str]
data_folder = _home  # one of the settings, but code that runs at every save reads only this one


class ProjectSettings(NamedTuple):
    """What ``[tool.mistral-nb]`` of the nearest ``pyproject.toml`` says; ``file`` is None without one."""

    file: str | None = None
    table: Mapping[str, Any] = {}
    problem: str = ""


_NO_PROJECT = ProjectSettings()


class Config(NamedTuple):
    home: str  # the folder of index and vault
    store: str  # where new keys go: one of STORES
    passphrase: Secret | None
    passphrase_file: str | None
    workspace: str | None  # MISTRAL_NB_WORKSPACE
    prompt: str  # one of PROMPTS
    api: str  # base URL, without a slash at its end
    key_file: str | None  # MISTRAL_API_KEY_FILE
    project: ProjectSettings


def load(environ: Environ | None = None, folder: str | None = None) -> Config:
    """The settings for a process with ``environ``, working in ``folder``.

    Raises `WrongUsage` for a value outside its choices.
    """
    env = os.environ if environ is None else environ
    home = data_folder(env)
    if key_shaped_words(env.get("MISTRAL_NB_HOME", "")) and not os.path.isdir(home):  # it would be made, and named
        raise WrongUsage("MISTRAL_NB_HOME looks like a key, not a folder.", "Set it to a folder, or unset it.")
    project = find_project(folder)
    passphrase = env.get(PASSPHRASE_VARIABLE)
    return Config(
        home=home,
        store=_read_choice(env, _NO_PROJECT, "store", STORES),
        passphrase=Secret(passphrase) if passphrase else None,
        passphrase_file=env.get(PASSPHRASE_FILE_VARIABLE) or None,
        workspace=env.get("MISTRAL_NB_WORKSPACE") or None,
        prompt=_read_choice(env, project, "prompt", PROMPTS),
        api=(env.get("MISTRAL_NB_API") or DEFAULT_API).rstrip("/"),
        key_file=env.get(KEY_FILE_VARIABLE) or None,
        project=project,
    )


def initial_environment(process: int | str, limit: int) -> dict[str, str]:
    """The variables that a process of this user was started with, by its number or ``self``.

    Raises OSError where the system does not tell, as all but Linux, and for more than ``limit`` bytes.
    """
    data = read_file(f"/proc/{process}/environ", limit)
    return dict(entry.partition("=")[::2] for entry in os.fsdecode(data).split("\0"))


def keys_in(environ: Environ) -> dict[str, Key]:
    """The keys in an environment's variables, or in the lines of a ``.env``, by name; also under misnamed ones.

    Under a name that no program reads, a value has to look random: ``MISTRAL_KEY=production-europe`` is none.
    """
    found = {name: key_or_none(environ[name]) for name in environ if key_variables.names_a_key(name)}
    return {name: key for name, key in found.items() if key and (name in KEY_VARIABLES or _looks_random(key))}


def _looks_random(key: Key) -> bool:
    return key.is_standard or is_mixed(key.reveal())


def sets_aside(environ: Environ) -> bool:
    """Whether a key that no store holds is set aside before it is taken out of a file. Not in CI, where nobody is."""
    return not is_off(environ.get("MISTRAL_NB_SET_ASIDE", "")) and not is_ci(environ)


def is_off(value: str) -> bool:
    """Whether a variable's value turns something off: ``0``, ``no``, ``off``, ``false``."""
    return value.strip().lower() in ("0", "no", "off", "false")


def is_ci(environ: Environ) -> bool:
    """Whether this runs in continuous integration."""
    return any(environ.get(name) and not is_off(environ[name]) for name in _CI_VARIABLES)


def guards_terminal(environ: Environ, folder: str | None = None) -> bool:
    """Whether kernels redact what reaches the real terminal: ``MISTRAL_NB_GUARD_TERMINAL``, ``guard_terminal``."""
    value = environ.get("MISTRAL_NB_GUARD_TERMINAL", find_project(folder).table.get("guard_terminal", ""))
    return str(value).lower() not in ("", "0", "no", "off", "false")


def find_project(folder: str | None = None) -> ProjectSettings:
    """The nearest ``pyproject.toml`` in ``folder`` (default: the working one) or above it."""
    files = (os.path.join(place, "pyproject.toml") for place in parents(folder))
    file = next(filter(os.path.isfile, files), None)
    if not file:
        return _NO_PROJECT
    try:
        return _projects.get(file)
    except OSError as error:
        return ProjectSettings(file, problem=f"{file} could not be read: {reason(error)}.")


def _parse_project(file: str) -> ProjectSettings:
    data = read_file(file, MAX_SETTINGS)
    if b"mistral-nb" not in data:
        return ProjectSettings(file)
    try:
        import tomllib

        text = data.decode()
        _check_keys(text)
        table = tomllib.loads(text).get("tool", {}).get("mistral-nb", {})
    except (ValueError, AttributeError, RecursionError) as error:  # "tool = 3" has no tables
        return ProjectSettings(file, problem=f"{file} could not be read ({type(error).__name__}).")
    if not isinstance(table, dict):
        return ProjectSettings(file, problem=f"{file}: [tool.mistral-nb] is not a table.")
    return ProjectSettings(file, table)


_projects = ParsedFileCache(_parse_project)


class _KeyTooLong(ValueError):
    """A key of more parts than anybody writes."""


def _check_keys(text: str) -> None:
    """Raises `_KeyTooLong`. tomllib takes the cube of a key's parts: half a minute for 32 thousand, in 64 KB."""
    parts = 0
    for match in _TOML_MARK.finditer(text):
        mark = match[0]
        if mark == ".":
            parts += 1
            if parts > _MOST_KEY_PARTS:
                raise _KeyTooLong
        elif mark in "=,[]{}\n":
            parts = 0


def _read_choice(env: Environ, project: ProjectSettings, name: str, choices: tuple[str, ...]) -> str:
    """A variable's value, else the project's where a project may choose, else the first."""
    variable = f"MISTRAL_NB_{name.upper()}"
    value = env.get(variable) or project.table.get(name) or choices[0]
    if value not in choices:
        source = variable if env.get(variable) else f"{name} in {project.file}"
        raise WrongUsage(f"{source} is not one of {', '.join(choices)}.", "Set it to one of them.")
    return str(value)
