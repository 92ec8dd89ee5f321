"""The card's question for a workspace: names as they are typed, and no key for a stray Enter."""

import subprocess
import sys

from browsers import open_notebook, start_browser, start_server
from kernels import clean_environment

from mistral_nb.api.sandbox import Sandbox

CARD = ".mistral-nb-card .card"


def test_the_workspaces_are_shown_as_typed_and_enter_takes_none(tmp_path):
    file = tmp_path / "passphrase"
    file.write_text("a passphrase of the tests")
    file.chmod(0o600)
    with Sandbox() as sandbox, start_browser() as browser:
        env = clean_environment(
            tmp_path, MISTRAL_NB_API=sandbox.url, MISTRAL_NB_STORE="file", MISTRAL_NB_PASSPHRASE_FILE=str(file)
        )
        for name in ("dev", "prod"):
            key = sandbox.make_key(workspace=name).reveal()
            command = [sys.executable, "-m", "mistral_nb", "add", name]
            subprocess.run(command, env=env, input=key, text=True, capture_output=True, timeout=60, check=True)
        cells = ["%load_ext mistral_nb\n%mistral_key --widget", "'below it'"]  # else a new one has the cursor
        with (
            start_server(env, tmp_path / "notebooks") as server,
            open_notebook(browser, server, cells, lab=True) as notebook,
        ):
            notebook.run(0)
            card = notebook.cell(0).locator(CARD)
            cancel = card.get_by_role("button", name="Cancel")
            notebook.wait(lambda: cancel.count() and cancel.evaluate("node => node === document.activeElement"))
            assert card.get_by_role("button").all_inner_texts() == ["dev", "prod", "Cancel"]
            notebook.page.keyboard.press("Enter")
            notebook.wait(lambda: "Cancelled" in notebook.output(0))
