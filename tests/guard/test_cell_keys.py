"""A cell that runs with the marker where a key had been gets a note; `verify` and `status` repeat it."""

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.guard import cell_keys
from mistral_nb.guard.cell_keys import has_run_marker, marker_warning
from support.commands import PASSPHRASE
from support.kernels import start_kernel, vault_environment
from support.keys import make_key
from support.sandboxes import start_sandbox

TAKEN_OUT = "The key was taken out of this cell"
NOTED = {
    "an argument": "client = dict(api_key='{}')",
    "a header": 'headers = {{"Authorization": "Bearer {}"}}',
    "part of an f-string": "url = f'https://example.org/?key={}&x={{1 + 1}}'",
    "over lines": 'settings = """\nMISTRAL_API_KEY={}\n"""',
    "a magic": "%env MISTRAL_API_KEY={}",
    "the shell": "!export MISTRAL_API_KEY={} && echo",
    "below a cell magic": "%%time\nx = '{}'",
    "beside a comparison": "x = '{0}'\nx == '{0}'",
}
NOT_NOTED = {
    "a comment": "# {}\nx = 1",
    "a comment after a magic": "%time\n# {}",
    "a docstring": '"""Leaves {} there."""\nx = 1',
    "a comparison": "'{}' in 'text'",
    "nothing": "x = 1",
}


@pytest.fixture(autouse=True)
def _no_cell_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_keys, "_marker_cells", set())


@pytest.mark.parametrize("code", NOTED.values(), ids=NOTED.keys())
def test_the_marker_in_a_text_of_the_code_is_noted(code: str) -> None:
    assert TAKEN_OUT in marker_warning(code.format(MARKER), None)
    assert marker_warning(code.format("x"), None) == ""


@pytest.mark.parametrize("code", NOT_NOTED.values(), ids=NOT_NOTED.keys())
def test_elsewhere_it_is_not(code: str) -> None:
    assert marker_warning(code.format(MARKER), None) == ""


def test_a_cell_that_was_mended_is_no_longer_named() -> None:
    assert marker_warning(f"x = '{MARKER}'", "one")
    assert has_run_marker()
    marker_warning("x = Mistral()", "one")
    assert not has_run_marker()


def test_a_real_kernel_says_so_at_each_run_and_verify_and_status_repeat_it(tmp_path) -> None:
    with start_sandbox() as sandbox:
        env = vault_environment(tmp_path, sandbox.url, PASSPHRASE)
        env["MISTRAL_API_KEY"] = sandbox.make_key().reveal()
        with start_kernel(env) as kernel:
            assert TAKEN_OUT not in kernel.run(f"x = '{MARKER}'").shown  # the control: without the guard
            assert kernel.run("%load_ext mistral_nb").shown.strip() == ""
            assert "out of a cell" not in kernel.run("%mistral_key verify").shown
            for _ in range(2):
                ran = kernel.run(f"x = '{MARKER}'")
                assert ran.status == "ok"
                assert (ran.shown.count(TAKEN_OUT), ran.stderr) == (1, "")
                assert "Use Mistral()" in ran.shown
            for command in ("verify", "status", "doctor"):
                shown = kernel.run(f"%mistral_key {command}").shown
                assert "the key was taken out of a cell that ran" in shown, command
                assert "Use Mistral()" in shown


@pytest.mark.slow
def test_a_cell_that_sets_the_marker_leaves_no_key_and_verify_says_so(tmp_path) -> None:
    with start_sandbox() as sandbox, start_kernel(vault_environment(tmp_path, sandbox.url, PASSPHRASE)) as kernel:
        kernel.run("%load_ext mistral_nb")
        ran = kernel.run(f"import os; os.environ['MISTRAL_API_KEY'] = '{MARKER}'")
        assert TAKEN_OUT in ran.shown
        for command in ("verify", "status"):
            assert "the marker of a key that was taken out" in kernel.run(f"%mistral_key {command}").shown
        key = sandbox.make_key()
        ran = kernel.run("%mistral_key dev", answers=[key.reveal()])
        assert f"✓ dev …{key.tail} · " in ran.shown


@pytest.mark.slow
def test_where_a_key_came_from_is_true_in_a_real_kernel(tmp_path) -> None:
    inherited, later = make_key(), make_key()
    with start_sandbox() as sandbox:
        env = vault_environment(tmp_path, sandbox.url, PASSPHRASE)
        with start_kernel(env | {"MISTRAL_API_KEY": inherited.reveal()}) as kernel:
            origin = "import os, mistral_nb\n{}\nprint(mistral_nb.status().data['active']['origin'])"
            assert kernel.run(origin.format("")).text == "the environment\n"
            kernel.run("%load_ext mistral_nb")
            assert kernel.run("print(mistral_nb.status().data['active']['origin'])").text == "the environment\n"
            parts = [later.reveal()[:16], later.reveal()[16:]]
            ran = kernel.run(origin.format(f"os.environ['MISTRAL_API_KEY'] = ''.join({parts!r})"))
            assert ran.text == "the environment, set in this process\n", ran.shown
