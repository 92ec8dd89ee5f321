"""A passphrase that opens the encrypted file is taken out whole: of what a kernel sends, and of what is saved."""

import base64
import json
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER, Secret
from mistral_nb.redaction.redact import redact, redact_values
from mistral_nb.storage.index import Index
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.vault import Vault
from mistral_nb.watchlist import build_watchlist
from support.commands import PASSPHRASE
from support.git_repos import notebook
from support.kernels import clean_environment, start_kernel
from support.keys import make_key

LENGTHS = {
    "as short as before": "Tr0ub4d&",
    "of 11": "open sesame",
    "of 12": "twelve chars",
    "with quotes": 'say "ä\\ö" twice',
}
TOO_SHORT = "hunter2"
WAYS = ("variable", "file")


def write(tmp_path: Path, passphrase: str) -> str:
    file = tmp_path / "its passphrase"
    file.write_text(f"{passphrase}\n")
    return str(file)


def variables(way: str, passphrase: str, tmp_path: Path) -> dict[str, str]:
    if way == "variable":
        return {"MISTRAL_NB_PASSPHRASE": passphrase}
    return {"MISTRAL_NB_PASSPHRASE_FILE": write(tmp_path, passphrase)}


def shown_forms(passphrase: str) -> dict[str, str]:
    return {
        "plain": f"it is {passphrase}!",
        "repr": repr([passphrase]),
        "JSON": json.dumps(passphrase),
        "base64": base64.b64encode(passphrase.encode()).decode(),
        "hex": passphrase.encode().hex(),
    }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("passphrase", LENGTHS.values(), ids=LENGTHS)
def test_a_passphrase_is_taken_out_of_what_is_saved(passphrase: str, way: str, tmp_path: Path) -> None:
    watchlist = build_watchlist(str(tmp_path), environ=variables(way, passphrase, tmp_path))
    nobodys = build_watchlist(str(tmp_path), environ={})
    for form, text in shown_forms(passphrase).items():
        data = notebook(f"# {text}", outputs=(text,))
        model = {"cells": [{"cell_type": "code", "source": text, "outputs": []}]}
        cleaned = json.dumps(json.loads(redact(data, watchlist).data), ensure_ascii=False)
        for left in (cleaned, json.dumps(redact_values(model, watchlist)[0], ensure_ascii=False)):
            assert json.dumps(text, ensure_ascii=False)[1:-1] not in left, form
        assert redact(data, nobodys).data == data  # negative control
        assert redact_values(model, nobodys)[0] == model


@pytest.mark.parametrize("way", WAYS)
def test_one_of_fewer_than_8_characters_is_not(way: str, tmp_path: Path) -> None:
    watchlist = build_watchlist(str(tmp_path), environ=variables(way, TOO_SHORT, tmp_path))
    data = notebook(f"x = '{TOO_SHORT}'")
    assert redact(data, watchlist).data == data


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_kernel_shows_no_passphrase_of_8_characters_or_more(way: str, tmp_path: Path) -> None:
    passphrase = LENGTHS["as short as before"]
    env = clean_environment(tmp_path, **variables(way, passphrase, tmp_path))
    file = write(tmp_path, passphrase)
    code = f"p = open({file!r}).read().strip(); print(p); print(p.encode().hex())\n!env; cat '{file}'\np"
    with start_kernel(env) as kernel:
        assert passphrase in kernel.run(code).text  # negative control
        kernel.run("%load_ext mistral_nb")
        said = kernel.run(code)
        assert said.text.startswith(f"{MARKER}\n{MARKER}\n")
        assert passphrase not in "".join(said.messages)


@pytest.mark.slow
def test_a_passphrase_set_in_a_cell_is_guarded_from_then_on(tmp_path: Path) -> None:
    passphrase, other = "my phrase", "your phrase"
    file = write(tmp_path, other)
    with start_kernel(clean_environment(tmp_path)) as kernel:
        kernel.run("%load_ext mistral_nb\nimport os")
        assert kernel.run(f"print('{passphrase}')").text == f"{passphrase}\n"  # negative control
        kernel.run(f"os.environ['MISTRAL_NB_PASSPHRASE'] = '{passphrase}'")
        kernel.run(f"os.environ['MISTRAL_NB_PASSPHRASE_FILE'] = {file!r}")
        assert kernel.run(f"print('{passphrase}'); print('{other}')").text == f"{MARKER}\n{MARKER}\n"


@pytest.mark.slow
@pytest.mark.parametrize("passphrase", [PASSPHRASE, LENGTHS["as short as before"]], ids=["usual", "short"])
def test_a_passphrase_typed_at_the_prompt_is_guarded_once_it_opened_the_file(
    passphrase: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = clean_environment(tmp_path, MISTRAL_NB_STORE="file")
    home = env["MISTRAL_NB_HOME"]
    with monkeypatch.context() as patched:
        patched.setattr("mistral_nb.storage.vault.check_new_passphrase", lambda _: None)
        KeyManager(Index(home), {"file": Vault(home, Secret(passphrase))}).keep("dev", make_key(), {}, "file")
    code = f"print('{passphrase}')"
    with start_kernel(env) as kernel:
        kernel.run("%load_ext mistral_nb")
        assert kernel.run(code).text == f"{passphrase}\n"  # negative control
        said = kernel.run("%mistral_key dev", answers=["a wrong passphrase", passphrase])
        assert said.status == "ok", said.shown
        assert ("This passphrase is short." in said.shown) == (passphrase != PASSPHRASE)
        assert kernel.run(f"{code}; print('a wrong passphrase')").text == f"{MARKER}\na wrong passphrase\n"
