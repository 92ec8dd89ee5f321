"""One line of configuration keeps keys out of what nbconvert writes, in any format."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nbconvert.exporters import HTMLExporter, get_exporter
from traitlets.config import Config

from mistral_nb.api_key import Key
from mistral_nb.config import load
from mistral_nb.jupyter.nbconvert_preprocessor import ExportRefused, RemoveKeysPreprocessor
from mistral_nb.storage.index import Index
from mistral_nb.storage.set_aside import open_set_aside
from support.jupyter_servers import notebook
from support.kernels import clean_environment
from support.keys import make_key, make_text
from support.patience import PATIENCE

LINE = "c.Exporter.preprocessors = ['mistral_nb.jupyter.nbconvert_preprocessor.RemoveKeysPreprocessor']"
FORMATS = ("html", "script", "markdown", "latex", "rst", "asciidoc", "notebook", "slides", "python")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return clean_environment(tmp_path)


@pytest.fixture
def key(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Key:
    monkeypatch.setenv("MISTRAL_NB_HOME", env["MISTRAL_NB_HOME"])
    key = make_key()
    Index(env["MISTRAL_NB_HOME"]).remember(key)
    return key


def holding(text: str, *, form: str = "html", split: bool = True) -> dict[str, Any]:
    """The key in a source, a stream, HTML, an SVG, LaTeX, a traceback and a markdown cell.

    ``split``: in the traceback a colour stands within it. LaTeX needs Inkscape for an SVG, and some
    formats Pandoc for markdown: they do without.
    """
    colour = "\x1b[0m" if split else ""
    broken = f"\x1b[31m{text[:16]}{colour}{text[16:]}"
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><text>{text}</text></svg>'
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": f"key {text}\n"},
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": f"<b>{text}</b>", "text/plain": text}},
        {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": svg, "text/plain": "svg"}},
        {"output_type": "display_data", "metadata": {}, "data": {"text/latex": f"$\\text{{{text}}}$"}},
        {
            "output_type": "error",
            "ename": "E",
            "evalue": text,
            "traceback": [broken],
        },
    ]
    made = notebook("from mistralai import Mistral", f'client = Mistral("{text}")', outputs=outputs)
    if form == "latex":
        del made["cells"][0]["outputs"][2]
    if form == "asciidoc":
        del made["cells"][0]["outputs"][1:4]
    if form not in ("latex", "rst", "asciidoc"):
        made["cells"].append({"id": "m", "cell_type": "markdown", "metadata": {}, "source": f"The key is `{text}`."})
    made["metadata"]["language_info"] = {"name": "python", "file_extension": ".py"}
    return made


def export(form: str, file: Path, *, on: bool) -> tuple[str, dict[str, Any]]:
    config = Config(
        {
            "Exporter": {
                "preprocessors": ["mistral_nb.jupyter.nbconvert_preprocessor.RemoveKeysPreprocessor"] if on else []
            }
        }
    )
    config.TemplateExporter.exclude_input_prompt = True
    body, resources = get_exporter(form)(config=config).from_filename(str(file))
    return body, resources


def everything(exported: tuple[str, dict[str, Any]]) -> bytes:
    """The body and the files beside it."""
    body, resources = exported
    return b"\n".join([body.encode(), *(data for data in (resources.get("outputs") or {}).values())])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("suspected", [False, True])
def test_no_format_contains_a_key(form: str, suspected: bool, key: Key, tmp_path: Path) -> None:
    text = make_text() if suspected else key.reveal()
    file = tmp_path / "a.ipynb"
    before = json.dumps(holding(text, form=form, split=not suspected))
    file.write_text(before)
    cleaned = everything(export(form, file, on=True))
    for part in (text, text[:15], text[-15:], base64.b64encode(text.encode()).decode()):
        assert part.encode() not in cleaned
    assert b"redacted" in cleaned
    assert text.encode() in everything(export(form, file, on=False))
    assert file.read_text() == before


def test_a_notebook_without_a_key_is_exported_unchanged(key: Key, tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    for form in ("markdown", "notebook", "latex"):
        file.write_text(json.dumps(holding("nothing to see", form=form)))
        assert everything(export(form, file, on=True)) == everything(export(form, file, on=False))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["html", "script", "markdown"])
def test_one_line_in_the_settings_turns_it_on(form: str, key: Key, env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "a b.ipynb"
    file.write_text(json.dumps(holding(key.reveal())))

    def convert() -> str:
        command = [sys.executable, "-m", "nbconvert", "--to", form, "--stdout", str(file)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60 * PATIENCE, check=True)
        assert key.reveal() not in done.stderr
        return done.stdout

    assert key.reveal() in convert()
    Path(env["JUPYTER_CONFIG_DIR"], "jupyter_nbconvert_config.py").write_text(f"c = get_config()\n{LINE}\n")
    assert key.reveal() not in convert()


@pytest.mark.slow
def test_a_key_in_the_environment_alone_is_removed_and_remembered(env: dict[str, str], tmp_path: Path) -> None:
    """In base64 without a word of Mistral: nothing but the variable tells that it is a key."""
    key, file = make_key(), tmp_path / "a b.ipynb"
    digits = base64.b64encode(key.reveal().encode()).decode()
    file.write_text(json.dumps(notebook(f"x = '{digits}'")))

    def convert(**variables: str) -> str:
        command = [sys.executable, "-m", "nbconvert", "--to", "script", "--stdout", str(file)]
        done = subprocess.run(
            command, env=env | variables, capture_output=True, text=True, timeout=60 * PATIENCE, check=True
        )
        assert key.reveal() not in done.stderr
        return done.stdout

    Path(env["JUPYTER_CONFIG_DIR"], "jupyter_nbconvert_config.py").write_text(f"c = get_config()\n{LINE}\n")
    assert digits in convert()
    assert digits not in convert(MISTRAL_API_KEY=key.reveal())
    assert key.fingerprint in Index(env["MISTRAL_NB_HOME"]).read().remembered
    assert digits not in convert()


def test_what_was_removed_is_logged_by_tail_and_cell(
    key: Key, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps(notebook("x", f'key = "{key.reveal()}"')))
    exporter = HTMLExporter()
    exporter.register_preprocessor(RemoveKeysPreprocessor, enabled=True)
    exporter.log.addHandler(caplog.handler)
    exporter.from_filename(str(file))
    assert f"mistral_nb: a: 1 key removed: …{key.tail} (remembered) in cell 2" in caplog.text
    assert key.reveal() not in caplog.text


@pytest.mark.parametrize("on", [True, False])
def test_a_notebook_name_that_is_a_key_is_not_used_as_title(on: bool, key: Key, tmp_path: Path) -> None:
    file = tmp_path / f"{key.reveal()}.ipynb"
    file.write_text(json.dumps(notebook("x")))
    assert (key.reveal() in export("html", file, on=on)[0]) is not on


def test_a_notebook_that_cannot_be_searched_is_not_exported() -> None:
    class Odd(dict):
        def items(self) -> Any:
            raise ValueError(secret)

    secret = make_text()
    with pytest.raises(ExportRefused, match="was not exported") as raised:
        RemoveKeysPreprocessor().preprocess({"cells": []}, {"outputs": Odd(a=b"")})
    assert secret not in str(raised.value)


def test_the_line_is_the_one_in_the_documentation() -> None:
    page = Path(__file__).parent.parent.parent / "docs" / "saving.md"
    assert LINE.replace("'", '"') in page.read_text(encoding="utf-8")


def convert(file: Path, env: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    """Run nbconvert on a file, with the preprocessor."""
    Path(env["JUPYTER_CONFIG_DIR"], "jupyter_nbconvert_config.py").write_text(f"c = get_config()\n{LINE}\n")
    command = [sys.executable, "-m", "nbconvert", *words, file.name]
    return subprocess.run(
        command, env=env, cwd=file.parent, capture_output=True, text=True, timeout=60 * PATIENCE, check=False
    )


def list_aside(env: dict[str, str]) -> list[Key]:
    found = open_set_aside(load(env))
    return [found.take(entry) for entry in found.entries()]


IN_PLACE = {
    "inplace": ("--to", "notebook", "--inplace"),
    "clear-output": ("--clear-output",),
    "output of its name": ("--to", "notebook", "--output", "a b.ipynb"),
    "output-dir": ("--to", "notebook", "--output-dir", "."),
}
ELSEWHERE = {
    "html": ("--to", "html"),
    "a suffix": ("--to", "notebook"),
    "another name": ("--to", "notebook", "--output", "other"),
    "another folder": ("--to", "notebook", "--output", "a b", "--output-dir", "out"),
    "stdout": ("--clear-output", "--stdout"),
}


@pytest.mark.slow
@pytest.mark.parametrize("words", IN_PLACE.values(), ids=IN_PLACE)
def test_an_export_into_the_notebook_itself_sets_the_key_aside(
    words: tuple[str, ...], environ: dict[str, str], tmp_path: Path
) -> None:
    key, file = make_key(), tmp_path / "a b.ipynb"
    file.write_text(json.dumps(holding(key.reveal(), split=False)))
    done = convert(file, environ, *words)
    assert done.returncode == 0, done.stderr
    assert key.reveal() not in file.read_text()
    assert list_aside(environ) == [key]
    assert f"Set aside: …{key.tail}" in done.stderr


@pytest.mark.slow
def test_without_a_store_the_notebook_is_not_replaced(environ: dict[str, str], tmp_path: Path) -> None:
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]
    key, file = make_key(), tmp_path / "a.ipynb"
    before = json.dumps(holding(key.reveal(), split=False))
    file.write_text(before)
    done = convert(file, environ, *IN_PLACE["inplace"])
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)
    assert file.read_text() == before
    assert f"…{key.tail} is in no store and could not be set aside" in done.stderr
    assert key.reveal() not in done.stderr
    assert convert(file, environ | {"MISTRAL_NB_SET_ASIDE": "off"}, *IN_PLACE["inplace"]).returncode == 0
    assert key.reveal() not in file.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("words", ELSEWHERE.values(), ids=ELSEWHERE)
def test_an_export_that_leaves_the_notebook_as_it_is_needs_no_store_and_sets_nothing_aside(
    words: tuple[str, ...], environ: dict[str, str], tmp_path: Path
) -> None:
    key, folder = make_key(), tmp_path / "work"
    folder.mkdir()
    file = folder / "a b.ipynb"
    before = json.dumps(holding(key.reveal(), split=False))
    file.write_text(before)
    without_store = {name: value for name, value in environ.items() if name != "MISTRAL_NB_PASSPHRASE_FILE"}
    done = convert(file, without_store, *words)
    assert done.returncode == 0, done.stderr
    assert file.read_text() == before
    written = [path.read_text() for path in folder.rglob("*") if path.is_file() and path != file]
    exported = "\n".join([done.stdout, *written])
    assert "redacted" in exported
    assert key.reveal() not in exported + done.stderr
    again = convert(file, environ, *words)
    assert again.returncode == 0, again.stderr
    assert list_aside(environ) == []
