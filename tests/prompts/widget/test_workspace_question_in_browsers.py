"""The card's question for a workspace: names as they are typed, and no key for a stray Enter."""

import subprocess
import sys

import pytest

from support.browsers import open_notebook, start_browser, start_server
from support.kernels import clean_environment
from support.patience import PATIENCE
from support.sandboxes import start_sandbox

CARD = ".mistral-nb-card .card"


@pytest.mark.slow
def test_the_workspaces_are_shown_as_typed_and_enter_picks_none(tmp_path):
    file = tmp_path / "passphrase"
    file.write_text("a passphrase of the tests")
    file.chmod(0o600)
    with start_sandbox() as sandbox, start_browser() as browser:
        env = clean_environment(
            tmp_path, MISTRAL_NB_API=sandbox.url, MISTRAL_NB_STORE="file", MISTRAL_NB_PASSPHRASE_FILE=str(file)
        )
        for name in ("dev", "prod"):
            key = sandbox.make_key(workspace=name).reveal()
            command = [sys.executable, "-m", "mistral_nb", "login", name]
            subprocess.run(
                command, env=env, input=key, text=True, capture_output=True, timeout=60 * PATIENCE, check=True
            )
        cells = ["%load_ext mistral_nb\n%mistral_key --widget", "'below it'"]  # else a new one has the cursor
        with (
            start_server(env, tmp_path / "notebooks") as server,
            open_notebook(browser, server, cells, lab=True) as notebook,
        ):
            notebook.run(0)
            card = notebook.cell(0).locator(CARD)
            cancel = card.get_by_role("button", name="Cancel")
            cancel.wait_for()
            assert card.get_by_role("button").all_inner_texts() == ["dev", "prod", "Cancel"]
            notebook.wait(lambda: cancel.evaluate("node => node === document.activeElement"))
            notebook.page.keyboard.press("Enter")
            notebook.wait(lambda: "Cancelled" in notebook.output(0))
