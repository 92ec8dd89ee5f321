"""Every check of this project, one session each: ``nox --list``. ``.ci/run`` and the GitHub workflow call these.

A session makes its own virtual environment. ``nox -s tests -- tests/test_cli.py`` hands words on to pytest.
"""

import shutil

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.stop_on_first_error = True

LONG = ("-m", "slow and not manual", "--hypothesis-profile=long", "--durations=30")
CI = {"MISTRAL_NB_CI": "1", "MISTRAL_NB_KILLS": "500"}  # a missing program fails a test; kills a test repeats
GUARD = "tests/guard/test_leaks.py"
PAGE = tuple(
    f"tests/jupyter/lab/test_{scenes}_in_browsers.py" for scenes in ("paste_guard", "removals", "several_pages")
)
PAGE_SCENES = "kept_and_is_nowhere or makes_way or two_people"  # a paste, and a save that removed a key
HOSTS = ("tests/storage", "tests/magic/test_line_magic.py", "tests/test_cli.py", GUARD)
EXTRAS = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]


def pinned(tool: str) -> str:
    """A tool with its version, as the extra ``test`` pins it."""
    return next(str(line) for line in EXTRAS["test"] if line.startswith(f"{tool}~="))


@nox.session
def readme_user(session: nox.Session) -> None:
    """The README's first command."""
    session.install(".[lab]")
    session.run("mistral-nb", "demo")


@nox.session
def tests(session: nox.Session) -> None:
    """The README's second command: the default suite."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def tests_long(session: nox.Session) -> None:
    """What the default suite leaves out: kills by the hundred, keyrings, browsers, matrices."""
    session.install(".[test]")
    session.run("pytest", *LONG, *session.posargs, env=CI)


@nox.session
def new_seed(session: nox.Session) -> None:
    """Everything with keys and texts that no run has had, once a week: a failure is a find, not a fault of a change."""
    session.install(".[test]")
    session.run("pytest", "-m", "not manual", "--seed", "new", "--hypothesis-profile=long", *session.posargs, env=CI)
    session.install("atheris")
    session.run("python", "tests/fuzz/run_all.py", "120", env={"MISTRAL_NB_TEST_SEED": "new"})


@nox.session
def fuzz(session: nox.Session) -> None:
    """Every fuzzing harness for 20 seconds; ``nox -s fuzz -- 600`` for ten minutes each."""
    session.install(".[thin]", "atheris")
    session.run("python", "tests/fuzz/run_all.py", *(session.posargs or ["20"]))


@nox.session
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of the dependencies: reported, never a failure."""
    session.install(".[lab]", "pip-audit")
    session.run("pip-audit", "--timeout", "15", success_codes=[0, 1, 2])


@nox.session
def oldest(session: nox.Session) -> None:
    """The oldest versions of all dependencies that pyproject.toml allows, ipykernel and IPython among them."""
    session.install("-c", "tests/oldest.txt", ".[lab,thin]")
    later = "--ignore=tests/keys/test_auth.py"  # httpx2, which it tries too, comes with later versions of mistralai
    session.run("pytest", "-q", GUARD, "tests/keys", "tests/api", later, *session.posargs)


@nox.session
@nox.parametrize(
    "packages",
    [
        nox.param(("jupyterlab==4.0.13", "notebook==7.0.8"), id="oldest"),
        nox.param(("jupyter-collaboration",), id="collaboration"),
    ],
)
def front_ends(session: nox.Session, packages: tuple[str, ...]) -> None:
    """By hand: the page in the oldest front ends that it is made for, and with shared documents."""
    session.install(".[test]", *packages)
    session.run("pytest", "-m", "", "-n1", *PAGE, "-k", PAGE_SCENES, *session.posargs, env=CI)


@nox.session(python=["3.12", "3.13"])
def other_pythons(session: nox.Session) -> None:
    """Stores, magic, command line and guard on later versions of Python."""
    session.install(".[thin]")
    session.run("pytest", "-q", *HOSTS, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: rules and format; codespell."""
    session.install(pinned("ruff"), pinned("codespell"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    session.install(".[lab]", pinned("mypy"))
    session.run("mypy")


@nox.session(venv_backend="none")
def page_types(session: nox.Session) -> None:
    """The page's JavaScript against JupyterLab's own declarations: needs node and npm, and fetches 360 MB at first."""
    folder = session.create_tmp()
    shutil.copytree(".ci/page-types", folder, dirs_exist_ok=True)
    shutil.rmtree(f"{folder}/page", ignore_errors=True)
    shutil.copytree("mistral_nb/jupyter/lab/extension/page", f"{folder}/page")
    for shared in ("sealing.js", "card.js"):
        shutil.copy(f"mistral_nb/prompts/widget/{shared}", f"{folder}/page")
    with session.chdir(folder):
        session.run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", external=True, silent=True)
        session.run("npx", "--no-install", "tsc", "--project", ".", external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """The site without a warning, links included; the package with every page; the README as a package index has it."""
    session.install(".[docs]", "build", "twine")
    out = session.create_tmp()
    session.run("sphinx-build", "-c", "docs", ".", f"{out}/site", "-E", "-W", "-n", "-q", "--keep-going")
    dist = f"{out}/dist"
    session.run("python", "-m", "build", "--outdir", dist, silent=True)
    session.run("twine", "check", "--strict", f"{dist}/*")
