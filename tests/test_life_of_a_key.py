"""The life of a key in real kernels and a real terminal: rotated, revoked, by two at once, killed on the way."""

import sys
from pathlib import Path

import pytest
from acting import PASSPHRASE
from kernels import RealKernel, start_kernel
from terminals import spawn

from mistral_nb.api.sandbox import Sandbox
from mistral_nb.key import Key, Secret
from mistral_nb.store.index import Index
from mistral_nb.store.life import LifeKeeper
from mistral_nb.store.vault import Vault

IN_USE = "import os; (os.environ['MISTRAL_NB_ACTIVE'].split(':')[0], os.environ['MISTRAL_API_KEY'][-4:])"


def keeper(environ: dict[str, str]) -> LifeKeeper:
    home = environ["MISTRAL_NB_HOME"]
    return LifeKeeper(Index(home), {"file": Vault(home, Secret(PASSPHRASE))})


@pytest.fixture
def old(environ: dict[str, str], sandbox: Sandbox) -> Key:
    key = sandbox.make_key("prod")
    keeper(environ).keep("prod", key, {"mistral_workspace": "prod", "expires": "2020-01-01"}, "file")
    return key


def begin(kernel: RealKernel) -> None:
    """`rotate`, up to the prompt for the new key."""
    kernel.client.execute("%mistral_key rotate prod", allow_stdin=True)
    prompt = kernel.client.get_stdin_msg(timeout=30)["content"]
    assert (prompt["password"], prompt["prompt"]) == (True, "Mistral API key for workspace prod: ")


def go_on(kernel: RealKernel, key: Key) -> None:
    kernel.client.input(key.reveal())
    assert kernel.client.get_stdin_msg(timeout=30)["content"]["prompt"].startswith("When does it expire")
    kernel.client.input("90d")
    assert kernel.client.get_shell_msg(timeout=30)["content"]["status"] == "ok"


def test_two_kernels_rotate_at_once_one_wins_and_the_other_says_so(
    environ: dict[str, str], sandbox: Sandbox, old: Key
) -> None:
    new = sandbox.make_key("prod")
    with start_kernel(environ) as one, start_kernel(environ) as other:
        for kernel in (one, other):
            ran = kernel.run("%load_ext mistral_nb\n%mistral_key use prod --force")
            assert "EXPIRED on 2020-01-01" in ran.text
        begin(one)
        ran = other.run("%mistral_key rotate prod")
        assert ran.error
        assert "Another process is rotating the key of workspace prod" in ran.error.traceback
        assert ran.prompts == []
        go_on(one, new)
        assert one.run(IN_USE).results[0]["text/plain"] == f"('prod', '{new.tail}')"
        assert other.run(IN_USE).results[0]["text/plain"] == f"('prod', '{old.tail}')"
        assert f"another key is kept for prod now: …{new.tail}" in other.run("%mistral_key status").shown
        other.run("%mistral_key use prod")
        assert other.run(IN_USE).results[0]["text/plain"] == f"('prod', '{new.tail}')"
        messages = "\n".join(one.messages + other.messages)
    assert keeper(environ).read("prod") == new
    assert not any(key.reveal() in messages for key in (old, new))


def test_a_kernel_killed_at_the_prompt_holds_nobody_up(environ: dict[str, str], sandbox: Sandbox, old: Key) -> None:
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


def test_a_kernel_killed_while_mistral_is_asked_leaves_a_rotation_that_goes_on(
    environ: dict[str, str], sandbox: Sandbox, old: Key
) -> None:
    new = sandbox.make_key("prod")
    with start_kernel(environ) as one:
        one.run("%load_ext mistral_nb")
        begin(one)
        sandbox.fail("silent")
        before = len(sandbox.requests)
        one.client.input(new.reveal())
        while len(sandbox.requests) == before:
            pass
        one.kill()
        sandbox.fail(None)
    assert keeper(environ).read("prod") == old
    with start_kernel(environ) as other:
        ran = other.run("%load_ext mistral_nb\n%mistral_key status")
        assert "A rotation of prod is not finished" in ran.text
        ran = other.run("%mistral_key rotate prod", answers=["never"])
        assert [prompt.masked for prompt in ran.prompts] == [False]
        assert f"Rotated: prod …{new.tail}" in ran.text
    assert keeper(environ).read("prod") == new


def test_revoked_in_a_kernel_it_is_out_of_its_environment_and_history(environ: dict[str, str], old: Key) -> None:
    with start_kernel(environ) as kernel:
        kernel.run("%load_ext mistral_nb\n%mistral_key use prod --force")
        kernel.run(f"pasted = '{old.reveal()}'")
        ran = kernel.run("%mistral_key revoke prod --clean-history", answers=["no"])
        assert f"Mistral still accepts …{old.tail}" in ran.text
        assert kernel.run("import os; 'MISTRAL_API_KEY' in os.environ").results[0]["text/plain"] == "False"
        kernel.shut_down()
    files = [file for file in Path(environ["IPYTHONDIR"]).rglob("*") if file.is_file()]
    assert any(file.name == "history.sqlite" for file in files)
    assert not any(old.reveal().encode() in file.read_bytes() for file in files)


def test_in_a_terminal_the_new_key_is_typed_masked(environ: dict[str, str], sandbox: Sandbox, old: Key) -> None:
    new = sandbox.make_key("prod")
    with spawn([sys.executable, "-m", "mistral_nb", "rotate", "prod"], environ) as screen:
        screen.sees("Mistral API key for workspace prod:")
        assert screen.waits_masked()
        screen.types(new.reveal())
        screen.sees("When does it expire?")
        screen.types("90d")
        screen.sees("Rotated: prod")
        assert screen.ends() == 0
        assert new.reveal() not in screen.raw
    with spawn([sys.executable, "-m", "mistral_nb", "revoke", "prod"], environ) as screen:
        screen.sees("Mistral still accepts")
        screen.sees("Add a new key for prod now?")
        screen.types("")
        assert screen.ends() == 1
    sandbox.revoke(new)
    with spawn([sys.executable, "-m", "mistral_nb", "revoke", "prod"], environ) as screen:
        screen.sees("Mistral refuses")
        screen.sees("Add a new key for prod now?")
        screen.types("no")
        assert screen.ends() == 0
