"""The life of a key in real kernels and a real terminal: rotated, revoked, by two at once, killed on the way."""

import sys
from pathlib import Path

import pytest

from mistral_nb.api_key import Key, Secret
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import Index
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.vault import Vault
from support.commands import PASSPHRASE
from support.kernels import RealKernel, start_kernel
from support.patience import PATIENCE
from support.terminals import spawn

IN_USE = "import os; (os.environ['MISTRAL_NB_ACTIVE'].split(':')[0], os.environ['MISTRAL_API_KEY'][-4:])"


def keeper(environ: dict[str, str]) -> KeyManager:
    home = environ["MISTRAL_NB_HOME"]
    return KeyManager(Index(home), {"file": Vault(home, Secret(PASSPHRASE))})


@pytest.fixture
def old(environ: dict[str, str], sandbox: Sandbox) -> Key:
    key = sandbox.make_key("prod")
    keeper(environ).keep("prod", key, {"mistral_workspace": "prod", "expires": "2020-01-01"}, "file")
    return key


def begin(kernel: RealKernel) -> None:
    """`rotate`, up to the prompt for the new key."""
    kernel.client.execute("%mistral_key rotate prod", allow_stdin=True)
    prompt = kernel.client.get_stdin_msg(timeout=30 * PATIENCE)["content"]
    assert prompt["password"]
    assert prompt["prompt"].startswith("Paste the Mistral API key of workspace prod (")


def go_on(kernel: RealKernel, key: Key) -> None:
    kernel.client.input(key.reveal())
    assert kernel.client.get_stdin_msg(timeout=30 * PATIENCE)["content"]["prompt"].startswith(
        "When does the new key expire?"
    )
    kernel.client.input("90d")
    assert kernel.client.get_shell_msg(timeout=30 * PATIENCE)["content"]["status"] == "ok"


@pytest.mark.slow
def test_of_two_concurrent_rotations_one_wins_and_the_other_reports_it(
    environ: dict[str, str], sandbox: Sandbox, old: Key
) -> None:
    new = sandbox.make_key("prod")
    with start_kernel(environ) as one, start_kernel(environ) as other:
        for kernel in (one, other):
            ran = kernel.run("%load_ext mistral_nb\n%mistral_key switch prod --force")
            assert "EXPIRED on 2020-01-01" in ran.text
        begin(one)
        ran = other.run("%mistral_key rotate prod")
        assert ran.error
        assert "Another process is rotating or editing the key of workspace prod" in ran.error.traceback
        assert ran.prompts == []
        go_on(one, new)
        assert one.run(IN_USE).results[0]["text/plain"] == f"('prod', '{new.tail}')"
        assert other.run(IN_USE).results[0]["text/plain"] == f"('prod', '{old.tail}')"
        assert f"another key is stored for prod now: …{new.tail}" in other.run("%mistral_key status").shown
        other.run("%mistral_key switch prod")
        assert other.run(IN_USE).results[0]["text/plain"] == f"('prod', '{new.tail}')"
        messages = "\n".join(one.messages + other.messages)
    assert keeper(environ).read("prod") == new
    assert not any(key.reveal() in messages for key in (old, new))


@pytest.mark.slow
def test_a_kernel_killed_at_the_prompt_blocks_no_other(environ: dict[str, str], sandbox: Sandbox, old: Key) -> None:
    new = sandbox.make_key("prod")
    with start_kernel(environ) as one:
        one.run("%load_ext mistral_nb")
        begin(one)
        one.kill()
    with start_kernel(environ) as other:
        other.run("%load_ext mistral_nb")
        begin(other)
        go_on(other, new)
    assert keeper(environ).read("prod") == new


@pytest.mark.slow
def test_a_kernel_killed_during_verification_leaves_a_resumable_rotation(
    environ: dict[str, str], sandbox: Sandbox, old: Key
) -> None:
    new = sandbox.make_key("prod")
    with start_kernel(environ) as one:
        one.run("%load_ext mistral_nb")
        begin(one)
        sandbox.set_fault("silent")
        before = len(sandbox.requests)
        one.client.input(new.reveal())
        while len(sandbox.requests) == before:
            pass
        one.kill()
        sandbox.set_fault(None)
    assert keeper(environ).read("prod") == old
    with start_kernel(environ) as other:
        ran = other.run("%load_ext mistral_nb\n%mistral_key status")
        assert "The rotation of prod is unfinished" in ran.text
        ran = other.run("%mistral_key rotate prod", answers=["never"])
        assert [prompt.masked for prompt in ran.prompts] == [False]
        assert f"Rotated: prod …{new.tail}" in ran.shown
    assert keeper(environ).read("prod") == new


@pytest.mark.slow
def test_revoked_in_a_kernel_it_is_out_of_its_environment_and_history(environ: dict[str, str], old: Key) -> None:
    with start_kernel(environ) as kernel:
        kernel.run("%load_ext mistral_nb\n%mistral_key switch prod --force")
        kernel.run(f"pasted = '{old.reveal()}'")
        ran = kernel.run("%mistral_key revoke prod --clean-history --yes", answers=["no"])
        assert f"Mistral still accepts …{old.tail}" in ran.shown
        assert kernel.run("import os; 'MISTRAL_API_KEY' in os.environ").results[0]["text/plain"] == "False"
        kernel.shut_down()
    files = [file for file in Path(environ["IPYTHONDIR"]).rglob("*") if file.is_file()]
    assert any(file.name == "history.sqlite" for file in files)
    assert not any(old.reveal().encode() in file.read_bytes() for file in files)


@pytest.mark.slow
def test_in_a_terminal_the_new_key_is_typed_masked(environ: dict[str, str], sandbox: Sandbox, old: Key) -> None:
    new = sandbox.make_key("prod")
    with spawn([sys.executable, "-m", "mistral_nb", "rotate", "prod"], environ) as screen:
        screen.sees("cancels): ")
        assert screen.waits_masked()
        screen.types(new.reveal())
        screen.sees("When does the new key expire?")
        screen.types("90d")
        screen.sees("Rotated: prod")
        assert screen.ends() == 0
        assert new.reveal() not in screen.raw
    with spawn([sys.executable, "-m", "mistral_nb", "revoke", "prod"], environ) as screen:
        screen.sees("out of use here?")
        screen.types("yes")
        screen.sees("Mistral still accepts")
        screen.sees("Add a new key for prod now?")
        screen.types("")
        assert screen.ends() == 1
    sandbox.revoke(new)
    with spawn([sys.executable, "-m", "mistral_nb", "revoke", "prod"], environ) as screen:
        screen.sees("Mistral no longer accepts")
        screen.sees("Add a new key for prod now?")
        screen.types("no")
        assert screen.ends() == 0
