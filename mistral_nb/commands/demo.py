"""`demo`: the main workflow, end to end, on real kernels: offline, with a temporary encrypted store."""

import contextlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, NamedTuple

from mistral_nb.api_key import MARKER, Key, Secret
from mistral_nb.child_environment import DEMO, child_environment
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError
from mistral_nb.report import Action, Answer, Dialog, Report, Step
from mistral_nb.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from mistral_nb.demo.kernel import CellResult, DrivenKernel

NOTEBOOK = "quickstart.ipynb"
_OWN_PREFIXES = ("MISTRAL", "CODESTRAL", "LLM_MISTRAL", "JUPYTER", "JPY_", "IPYTHON")


class DemoFailed(MistralNbError):
    """A step failed; the sentence names it."""


class DemoSetup(NamedTuple):
    """What the steps share: a folder that is removed at the end, the API, a key, the environment."""

    folder: str
    sandbox: Sandbox
    key: Key
    environ: dict[str, str]


def action(context: Context) -> Action:
    with _set_up(context) as stage:
        yield Step("The main workflow, offline: a fake Mistral API on this machine and a temporary store.")
        yield Step(f"✓ Created a key, as in Mistral's console: …{stage.key.tail}")
        for step in STEPS:
            yield from step(stage)
    return Report("✓ Nothing was left behind. Now try it in a notebook: %load_ext mistral_nb, then %mistral_key.")


def _run_first_kernel(stage: DemoSetup) -> Generator[Step, Answer, None]:
    """The quickstart notebook in a first kernel: it asks once, masked."""
    typed: list[str] = []

    def person(prompt: str) -> Secret:
        typed.append(prompt)
        return stage.key if _asks_for_key(prompt) else Secret("")

    with _start_kernel("starting a kernel", stage) as kernel:
        yield Step(f"✓ Started a notebook kernel with the cells of {NOTEBOOK}:")
        shown = ""
        for cell in quickstart_cells():
            ran = _run_code("the notebook's cell", kernel, cell, person)
            shown += ran.text
            yield from (Step(f"    In : {line}") for line in cell.splitlines())
            yield from (Step(f"         {line}") for line in ran.text.splitlines())
    _check("the prompt", len(typed) == 1 and _asks_for_key(typed[0]), f"it asked {len(typed)} questions, not one")
    _check("the masked prompt", stage.key.reveal() not in shown, "the key was shown in an output")
    yield Step("✓ It asked once; the answer was masked and is not in any output.")


def _check_store(stage: DemoSetup) -> Generator[Step, Answer, None]:
    """The store: the key is in no file in plain text."""
    needle = stage.key.reveal().encode()
    files = [os.path.join(root, name) for root, _, names in os.walk(stage.folder) for name in names]
    holding = [file for file in files if needle in _read_file(file)]
    _check("the encrypted store", not holding, f"{len(holding)} files contain the key in plain text")
    yield Step(f"✓ The key is stored encrypted: none of the {len(files)} files written contains it in plain text.")


def _run_second_kernel(stage: DemoSetup) -> Generator[Step, Answer, None]:
    """A second kernel, in which no prompt can be answered; cells in it try to leak the key, and replace it."""
    with _start_kernel("starting a second kernel", stage) as kernel:
        ran = _run_code("%mistral_key in a second kernel", kernel, "%load_ext mistral_nb\n%mistral_key", None)
        _check("the second kernel", ran.prompts == 0, "it asked again")
        yield Step(f"✓ A second kernel has the key without asking: {ran.text.strip().splitlines()[-1]}")
        before = len(stage.sandbox.requests)
        ran = _run_code("a request with it", kernel, "%mistral_key verify", None)
        asked = stage.sandbox.requests[before:]
        accepted = "accepted" in ran.text and any(request.tail == stage.key.tail for request in asked)
        _check("a request with it", accepted, "the API did not accept the key")
        yield Step("✓ A request with it was accepted by the API.")
        yield from _try_leaks(stage, kernel)
        yield from _rotate_key(stage, kernel)


def _try_leaks(stage: DemoSetup, kernel: "DrivenKernel") -> Generator[Step, Answer, None]:
    """A dozen ways in which a cell leaks the key into the notebook."""
    from mistral_nb.demo.leak_attempts import LEAK_ATTEMPTS, PRELUDE, has_leaked

    _run_code("what the leaks need", kernel, PRELUDE, None)
    for name, leak in LEAK_ATTEMPTS:
        kernel.run(leak)
        _check(f"the guard against {name}", not has_leaked(kernel.received, stage.key), "the key came through")
    yield Step(
        f"✓ A cell tried to leak the key in {len(LEAK_ATTEMPTS)} ways: {', '.join(name for name, _ in LEAK_ATTEMPTS)}."
    )
    pieces = len(kernel.received)
    yield Step(f"✓ It is in none of the {pieces} messages the kernel sent, not even 15 characters of it.")


def _rotate_key(stage: DemoSetup, kernel: "DrivenKernel") -> Generator[Step, Answer, None]:
    """A new key in place of the old one, which is then deleted as in Mistral's console."""
    new, workspace = stage.sandbox.make_key(), "research"

    def person(prompt: str) -> Secret:
        return new if _asks_for_key(prompt) else Secret("")

    ran = _run_code("rotate", kernel, f"%mistral_key rotate {workspace}", person)
    _check("rotate", f"in place of …{stage.key.tail}" in ran.text, "the new key did not take the old one's place")
    yield Step(f"✓ Rotated: {workspace} …{new.tail} in place of …{stage.key.tail}, without a gap.")
    stage.sandbox.revoke(stage.key)
    ran = _run_code("verify --old", kernel, f"%mistral_key verify {workspace} --old", None)
    _check("verify --old", "refuses it" in ran.text, "the old key is not refused")
    ran = _run_code("verify", kernel, f"%mistral_key verify {workspace}", None)
    _check("verify after the rotation", "accepted" in ran.text, "the new key is not accepted")
    yield Step("✓ The old key was deleted at the API, and is refused; the new one is accepted.")


def _save_notebook(stage: DemoSetup) -> Generator[Step, Answer, None]:
    """The key pasted into a cell; the file that Jupyter writes holds the marker."""
    try:
        from mistral_nb.demo.saved_notebook import save_notebook

        folder = os.path.join(stage.folder, "notebooks")
        source = f'client = Mistral(api_key="{stage.key.reveal()}")'
        written = save_notebook(source, folder, stage.environ)
    except ImportError:
        raise DemoFailed(
            "This step failed: saving: jupyter_server is missing.", 'pip install "mistral_nb[lab]"'
        ) from None
    _check("the save hook", stage.key.reveal().encode() not in written, "the key was saved")
    _check("the save hook", MARKER.encode() in written, "the marker is not where the key was")
    yield Step(f'✓ The key was pasted into a cell. Saved through Jupyter\'s save hook it reads: api_key="{MARKER}"')


def _commit_notebook(stage: DemoSetup) -> Generator[Step, Answer, None]:
    """The key in a notebook, added and committed in a protected repository."""
    if not shutil.which("git", path=stage.environ.get("PATH")):
        yield Step("  (git is not installed: mistral-nb protect was not tried.)")
        return
    from mistral_nb.demo.committed_notebook import commit_notebook

    source = f'client = Mistral(api_key="{stage.key.reveal()}")'
    done = commit_notebook(source, os.path.join(stage.folder, "repository"), stage.environ)
    _check("the git filter", MARKER in done.source, "the notebook was not stored as it should be")
    _check("the git filter", stage.key.reveal().encode() not in done.objects, "the object database holds the key")
    yield Step(f"✓ Committed through the git filter it reads: {done.source.partition('(')[2].rstrip(')')}")


STEPS: tuple[Callable[[DemoSetup], Dialog[None]], ...] = (
    _run_first_kernel,
    _check_store,
    _run_second_kernel,
    _save_notebook,
    _commit_notebook,
)


def quickstart_cells() -> list[str]:
    """The code cells of the quickstart notebook, as installed or, in a checkout, beside the package."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    places = (os.path.join(package, "notebooks"), os.path.join(os.path.dirname(package), "notebooks"))
    file = next((f for place in places if os.path.isfile(f := os.path.join(place, NOTEBOOK))), None)
    if file is None:
        raise DemoFailed(f"{NOTEBOOK} is not installed.", "Install mistral_nb again.")
    with open(file, encoding="utf-8") as stream:
        cells = json.load(stream)["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@contextlib.contextmanager
def _set_up(context: Context) -> Iterator[DemoSetup]:
    with tempfile.TemporaryDirectory(prefix="mistral-nb-demo-") as folder, Sandbox() as sandbox:
        passphrase_file = os.path.join(folder, "passphrase")
        descriptor = os.open(passphrase_file, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe())
        ours = {
            "MISTRAL_NB_API": sandbox.url,
            "MISTRAL_NB_HOME": os.path.join(folder, "kept"),
            "MISTRAL_NB_STORE": "file",
            "MISTRAL_NB_PASSPHRASE_FILE": passphrase_file,
            "HOME": folder,
            "USERPROFILE": folder,
            "IPYTHONDIR": os.path.join(folder, "ipython"),
            "JUPYTER_RUNTIME_DIR": os.path.join(folder, "runtime"),
        }
        kept = child_environment(DEMO, context.environ)
        kept = {name: value for name, value in kept.items() if not name.startswith(_OWN_PREFIXES)}
        yield DemoSetup(folder, sandbox, sandbox.make_key(), kept | ours)


@contextlib.contextmanager
def _start_kernel(what: str, stage: DemoSetup) -> Iterator["DrivenKernel"]:
    from mistral_nb.demo.kernel import start_kernel

    try:
        with start_kernel(stage.environ, stage.folder) as kernel:
            yield kernel
    except ImportError:
        raise DemoFailed(f"This step failed: {what}: ipykernel is missing.", 'pip install "mistral_nb[lab]"') from None
    except (OSError, RuntimeError, TimeoutError) as error:
        raise DemoFailed(f"This step failed: {what} ({type(error).__name__}).", "Try: mistral-nb doctor") from None


def _run_code(what: str, kernel: "DrivenKernel", code: str, answer: Callable[[str], Secret] | None) -> "CellResult":
    ran = kernel.run(code, answer)
    _check(what, not ran.failed, ran.text.strip() or "no output")
    return ran


def _check(what: str, held: bool, why: str) -> None:
    if not held:
        raise DemoFailed(f"This step failed: {what}: {why}.", "Please report it.")


def _asks_for_key(prompt: str) -> bool:
    return prompt.startswith("Paste ") and "Mistral API key" in prompt


def _read_file(file: str) -> bytes:
    with open(file, "rb") as stream:
        return stream.read()
