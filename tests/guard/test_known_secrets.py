"""How the guard learns a key, even one that is set only briefly."""

import string

import pytest

from mistral_nb.api_key import MARKER, Key, Secret, key_or_none
from mistral_nb.storage.index import Index
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.vault import Vault
from support.commands import PASSPHRASE
from support.kernels import clean_environment, start_kernel, vault_environment
from support.keys import make_key, make_text, rng
from support.leaks import found
from support.sandboxes import start_sandbox

KEY = make_text()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A kernel's environment, and the key that is kept for ``dev``."""
    folder, key = tmp_path_factory.mktemp("learns"), make_key()
    with start_sandbox() as sandbox:
        env = vault_environment(folder, sandbox.url, PASSPHRASE)
        home = env["MISTRAL_NB_HOME"]
        KeyManager(Index(home), {"file": Vault(home, Secret(PASSPHRASE))}).keep("dev", key, {}, "file")
        yield env, key.reveal()


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "mistral_nb.switch('dev'); K = os.environ['MISTRAL_API_KEY']",
        "K = mistral_nb.key('dev')()",
        "K = mistral_nb.auth('dev')._live()",
    ],
)
def test_a_key_obtained_in_python_is_guarded_without_load_ext(world, code):
    env, key = world
    with start_kernel(env) as kernel:
        ran = kernel.run(f"import os, mistral_nb\n{code}\nprint(K)\nK")
        assert ran.status == "ok", ran.shown
        assert ran.text.endswith(f"{MARKER}\n")
        assert key not in "".join(kernel.messages)
        kernel.run("%load_ext mistral_nb\n%unload_ext mistral_nb")
        assert key in kernel.run("print(K)").text  # negative control: the search finds it


@pytest.mark.slow
def test_a_key_that_came_before_the_guard_is_known_to_it(world):
    env, key = world
    with start_kernel(env) as kernel:
        ran = kernel.run(
            "from mistral_nb.command_runner import drive; from mistral_nb.command_context import Context; "
            "from mistral_nb.keys.auth import open_live_key\n"
            "K = drive(open_live_key(Context(), 'dev'), None, print)()"
        )
        assert ran.status == "ok", ran.shown
        assert key in kernel.run("print(K)").text
        assert kernel.run("%load_ext mistral_nb\nprint(K)").text == f"{MARKER}\n"


MOMENTS = {
    "patched": "with unittest.mock.patch.dict(os.environ, MISTRAL_API_KEY=late): pass",
    "set and removed": "os.environ['MISTRAL_API_KEY'] = late; del os.environ['MISTRAL_API_KEY']",
    "by setdefault": "os.environ.setdefault('CODESTRAL_API_KEY', late); os.environ.pop('CODESTRAL_API_KEY')",
    "by update": "os.environ.update(LLM_MISTRAL_KEY=late); os.environ.pop('LLM_MISTRAL_KEY')",
    "as bytes": "os.environb[b'MISTRAL_API_KEY'] = late.encode(); del os.environb[b'MISTRAL_API_KEY']",
    "misnamed": "os.environ['MISTRALAI_API_KEY'] = late; del os.environ['MISTRALAI_API_KEY']",
    "misnamed, in lower case": "os.environ.update(mistral_token=late); os.environ.pop('mistral_token')",
    "of another host": "os.environb[b'AZURE_MISTRAL_API_KEY'] = late.encode()",
    "as a passphrase": "os.environ['MISTRAL_NB_PASSPHRASE'] = late; del os.environ['MISTRAL_NB_PASSPHRASE']",
}


@pytest.mark.parametrize("code", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_key_that_is_in_the_environment_between_two_messages_is_known(recorder, code):
    late, kernel = make_text(), recorder.kernel
    made = f"import os, unittest.mock\nlate = ''.join({list(late)!r})\n"
    recorder.frames = []
    assert kernel.run(f"{made}{code}\nprint(late)").text == f"{MARKER}\n"
    assert not found(recorder.frames, late)


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["MISTRAL_KEY", "mistral_api_key"])
def test_a_misnamed_key_that_was_there_before_the_guard_is_known(tmp_path, variable):
    with start_kernel(clean_environment(tmp_path, **{variable: KEY})) as kernel:
        code = f"import os; print(os.environ[{variable!r}])"
        assert kernel.run(code).text == f"{KEY}\n"  # negative control
        assert kernel.run(f"%load_ext mistral_nb\n{code}").text == f"{MARKER}\n"


def test_a_key_under_another_name_is_not_looked_for(recorder):
    other = make_text()
    code = f"other = ''.join({list(other)!r}); os.environ['SOMETHING'] = other; print(other)"
    assert recorder.kernel.run(code).text == f"{other}\n"


def text_of(alphabet):
    while True:
        text = "".join(rng().choices(alphabet, k=32))
        if key_or_none(text):  # no placeholder by chance
            return text


SHAPES = {"no digit": string.ascii_letters, "lower case": string.ascii_lowercase + string.digits}


@pytest.mark.slow
@pytest.mark.parametrize("alphabet", SHAPES.values(), ids=SHAPES.keys())
def test_a_remembered_key_in_a_cell_is_recognised_whatever_its_shape(world, alphabet):
    env, _ = world
    typed, unknown = text_of(alphabet), text_of(alphabet)
    Index(env["MISTRAL_NB_HOME"]).remember(Key(typed))
    with start_kernel(env) as kernel:
        kernel.run("%load_ext mistral_nb")
        ran = kernel.run(f"mistral_key = '{typed}'; print(mistral_key)")
        assert ran.text == f"{MARKER}\n"
        assert f"This cell contains a key, …{typed[-4:]}, in plain text." in ran.shown
        assert typed not in "".join(kernel.messages)
        ran = kernel.run(f"mistral_key = '{unknown}'; print(mistral_key)")
        assert (ran.text, ran.stderr) == (f"{unknown}\n", "")


REPLACED = "import os; usual = os.environ\nos.environ = dict(os.environ)"


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["LLM_MISTRAL_KEY", "MISTRALAI_TOKEN"])
def test_an_environment_that_is_a_plain_dict_is_searched(tmp_path, variable):
    key, late = make_text(), make_text()
    with start_kernel(clean_environment(tmp_path, MISTRAL_API_KEY=key)) as kernel:
        asked = f"print(os.environ['MISTRAL_API_KEY'], ''.join({list(late)!r}))"
        kernel.run(REPLACED)
        assert kernel.run(asked).text == f"{key} {late}\n"
        loaded = kernel.run("%load_ext mistral_nb")
        assert loaded.status == "ok", loaded.shown
        assert kernel.run(f"os.environ[{variable!r}] = ''.join({list(late)!r})").status == "ok"
        assert kernel.run(asked).text == f"{MARKER} {MARKER}\n"
        assert kernel.run("%unload_ext mistral_nb\nprint(type(os.environ), type(usual))").text == (
            "<class 'dict'> <class 'os._Environ'>\n"
        )
