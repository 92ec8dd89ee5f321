"""What is answered to `input` and `getpass` in a guarded kernel is guarded by its shape; Mistral's is remembered."""

from collections.abc import Iterator

import pytest

from mistral_nb.api_key import MARKER, Key, fingerprint
from mistral_nb.guard.cell_keys import mistral_fingerprints
from mistral_nb.guard.typed_answers import find_key, text_with_answer, wrap_input_request
from support.kernels import RealKernel, is_remembered, start_kernel
from support.keys import make_key, make_text
from support.patience import wait_for

SECRET = {
    "a key": "{text}",
    "quoted": "'{text}'",
    "a line of .env": "MISTRAL_API_KEY={text}",
    "another vendor's": "sk-proj-{text}_{text}",
    "odd length": "{text:.24}",
}
ORDINARY = {
    "a word": "production",
    "a class": "Mistral3ForConditionalGeneration",
    "a slug": "notebook-for-the-2026-Annual-Report",
    "a sentence": "the key of the production environment",
    "a digest": "{digest}",
    "a test's": "test-key-for-the-unit-tests",
    "a placeholder": "your-api-key-goes-here-0123456789",
    "nothing": "",
}


def written(shape: str, text: str) -> str:
    return shape.format(text=text, digest=fingerprint(text))


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("shape", SECRET)
def test_a_key_is_told_by_its_shape(shape: str, masked: bool) -> None:
    text = make_text()
    key = find_key(written(SECRET[shape], text), masked=masked)
    assert key
    assert text[:24] in key.reveal()


@pytest.mark.parametrize("shape", ORDINARY)
def test_ordinary_answers_are_no_keys(shape: str) -> None:
    assert find_key(written(ORDINARY[shape], make_text()), masked=False) is None


def test_a_digest_is_guarded_only_where_it_was_masked() -> None:
    digest = fingerprint(make_text())
    assert find_key(digest, masked=True) == Key(digest)
    assert find_key(digest, masked=False) is None


WHOSE = {  # code, prompt, whether Mistral's
    "the prompt says it": ("key = getpass('Mistral API key: ')", "Mistral API key: ", True),
    "the call says it": ("client = Mistral(api_key=getpass())", "Password: ", True),
    "the variable says it": ("mistral_key = input('Key: ')", "Key: ", True),
    "the prompt of a helper": ("key = ask()", "MISTRAL_API_KEY: ", True),
    "nothing says it": ("key = getpass('API key: ')", "API key: ", False),
    "another vendor": ("key = getpass('OpenAI key: ')", "OpenAI key: ", False),
    "a helper for another vendor": ("client = Mistral(); key = ask()", "TAVILY_API_KEY: ", False),
}


@pytest.mark.parametrize(("code", "prompt", "is_mistrals"), WHOSE.values(), ids=WHOSE)
def test_whose_key_it_is_is_judged_by_the_call_and_the_prompt(code: str, prompt: str, is_mistrals: bool) -> None:
    key = make_key()
    found = mistral_fingerprints(text_with_answer(code, prompt, key))
    assert found == ({key.fingerprint} if is_mistrals else set())


def test_an_answer_that_cannot_be_looked_at_reaches_the_cell() -> None:
    request = wrap_input_request(lambda *_, **__: "x" * (1 << 17))
    assert request("?", b"", None) == "x" * (1 << 17)
    assert wrap_input_request(lambda *_, **__: make_text())(None, b"", {"content": 1})


@pytest.fixture(scope="module")
def kernel(env: dict[str, str]) -> Iterator[RealKernel]:
    with start_kernel(env) as running:
        running.run("%load_ext mistral_nb\nfrom getpass import getpass\nimport os")
        yield running


@pytest.mark.parametrize("ask", ["input", "getpass"])
def test_a_key_answered_in_a_kernel_is_guarded_and_remembered_if_it_is_mistrals(
    ask: str, kernel: RealKernel, env: dict[str, str]
) -> None:
    other, text = make_text(), make_text()
    said = kernel.run(f"k = {ask}('Tavily key: ')\nprint(k)", answers=[other])
    assert said.text == f"{MARKER}\n"
    said = kernel.run(f"k = {ask}('Mistral API key: ')\nprint(k[::-1][::-1]); print(k[:20]); k", answers=[text])
    assert said.text == f"{MARKER}\n{MARKER}\n"
    assert not any(text[:15] in message for message in kernel.messages)
    wait_for(lambda: is_remembered(env, text))
    assert not is_remembered(env, other)


def test_a_prompts_words_alone_guard_nothing(kernel: RealKernel) -> None:
    for ask in ("input", "getpass"):
        said = kernel.run(f"k = {ask}('Mistral API key: ')\nprint(k)", answers=["the-production-one"])
        assert said.text == "the-production-one\n"


def test_an_answer_that_is_set_as_the_variable_is_remembered(kernel: RealKernel, env: dict[str, str]) -> None:
    text = make_text()
    kernel.run("k = getpass('Token: ')", answers=[text])
    assert kernel.run("print(k)").text == f"{MARKER}\n"
    kernel.run("os.environ['MISTRAL_API_KEY'] = k")
    wait_for(lambda: is_remembered(env, text))


def test_a_key_that_was_answered_before_is_remembered_once_a_cell_says_whose_it_is(
    kernel: RealKernel, env: dict[str, str]
) -> None:
    text = make_text()
    kernel.run("k = getpass('Token: ')", answers=[text])
    kernel.run(f"mistral_key = '{text}'")
    wait_for(lambda: is_remembered(env, text))


@pytest.mark.slow
def test_without_the_guard_an_answer_is_shown(env: dict[str, str]) -> None:
    text = make_text()
    with start_kernel(env) as kernel:
        kernel.run("%load_ext mistral_nb\n%unload_ext mistral_nb")
        assert kernel.run("print(input('Mistral API key: '))", answers=[text]).text == f"{text}\n"
        kernel.run("%load_ext mistral_nb")
        assert kernel.run("print(input('Mistral API key: '))", answers=[text]).text == f"{MARKER}\n"
