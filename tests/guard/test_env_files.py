"""A cell that reads a `.env`, with whatever, shows no key of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER, fingerprint
from mistral_nb.storage.index import Index
from support.kernels import RealKernel, clean_environment, start_kernel
from support.keys import make_text
from support.patience import wait_for

READS = {
    "the shell": "!cat .env",
    "the shell, elsewhere": "!cat 'with a space/.env.local'; cat deep/.env",
    "dotenv": "from dotenv import dotenv_values\nprint(dict(dotenv_values()), dotenv_values('deep/.env'))",
    "open": "print(open('.env').read(), open('deep/.env').read())",
    "a process": (
        "import subprocess, sys\nfrom dotenv import dotenv_values\n"
        "show = 'import os; print(os.environ[\"MISTRAL_API_KEY\"])'\n"
        "print(subprocess.check_output([sys.executable, '-c', show], env=dotenv_values(), text=True))"
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    return clean_environment(folder.parent / "world")


@pytest.fixture
def texts(folder: Path) -> list[str]:
    """The keys in the folder's files, new for each test."""
    texts = [make_text() for _ in range(3)]
    for name, text in zip((".env", "deep/.env", "with a space/.env.local"), texts, strict=True):
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"OTHER=1\nexport MISTRAL_API_KEY='{text}'\n")
    return texts


@pytest.fixture(scope="module")
def kernel(env: dict[str, str], folder: Path) -> Iterator[RealKernel]:
    with start_kernel(env, folder) as running:
        yield running


def shown(kernel: RealKernel, code: str, texts: list[str]) -> list[str]:
    said = kernel.run(code)
    assert said.status == "ok", said.shown
    return [text for text in texts if any(text in message for message in said.messages)]


@pytest.mark.parametrize("way", READS)
def test_a_key_in_a_file_that_a_cell_reads_is_not_shown(
    way: str, kernel: RealKernel, env: dict[str, str], texts: list[str]
) -> None:
    kernel.run("%load_ext mistral_nb\n%unload_ext mistral_nb")
    read = shown(kernel, READS[way], texts)
    assert read  # negative control
    kernel.run("%load_ext mistral_nb")
    assert shown(kernel, READS[way], texts) == []
    wait_for(lambda: {fingerprint(text) for text in read} <= set(Index(env["MISTRAL_NB_HOME"]).read().remembered))


@pytest.mark.slow
def test_a_cell_that_mentions_no_such_file_reads_none(kernel: RealKernel, texts: list[str]) -> None:
    kernel.run("%load_ext mistral_nb")
    code = "import os; os.environ.get('x'); name = 'vne.'[::-1]; print(open(name).read().split(\"'\")[1])"
    assert kernel.run(code).text == f"{texts[0]}\n"
    assert kernel.run(f"# .env\n{code}").text == f"{MARKER}\n"
