"""What a real jupyter_server writes contains no key: every way into a file, each also without us."""

import base64
import contextlib
import json
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client import BlockingKernelClient

from mistral_nb.api_key import MARKER, Key
from mistral_nb.storage.index import FILE_NAME, Index
from support.jupyter_servers import Reply, RunningServer, notebook, start_server
from support.keys import make_key, make_text
from support.patience import PATIENCE
from support.requirements import need


@pytest.fixture(scope="module")
def on(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with start_server(env, tmp_path_factory.mktemp("on") / "served") as server:
        yield server


@pytest.fixture(scope="module")
def off(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with start_server(env, tmp_path_factory.mktemp("off") / "served", on=False) as server:
        yield server


def fine(reply: Reply) -> Reply:
    assert reply.status in (200, 201, 204), reply
    return reply


def text_of(key: str) -> str:
    return json.dumps(notebook("x = 1", f'client = Mistral(api_key="{key}")'), indent=1)


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def source(server: RunningServer, key: str) -> bytes:
    fine(server.save("source.ipynb", notebook("x = 1", f'key = "{key}"')))
    return server.file("source.ipynb")


def output(server: RunningServer, key: str) -> bytes:
    stream = {"output_type": "stream", "name": "stdout", "text": f"the key: {key}\n"}
    fine(server.save("output.ipynb", notebook("print(key)", outputs=[stream])))
    return server.file("output.ipynb")


def widget_state(server: RunningServer, key: str) -> bytes:
    state = {
        "m1": {"model_name": "PasswordModel", "model_module": "@jupyter-widgets/controls", "state": {"value": key}}
    }
    widgets = {"application/vnd.jupyter.widget-state+json": {"version_major": 2, "version_minor": 0, "state": state}}
    fine(server.save("widgets.ipynb", notebook("w", widgets=widgets)))
    return server.file("widgets.ipynb")


def second_save(server: RunningServer, key: str) -> bytes:
    fine(server.save("second.ipynb", notebook("x = 1")))
    fine(server.save("second.ipynb", notebook(f'key = "{key}"')))
    return server.file("second.ipynb")


def save_as(server: RunningServer, key: str) -> bytes:
    (server.folder / "original.ipynb").write_text(text_of(key))
    content = fine(server.contents("GET", "original.ipynb?type=notebook")).body["content"]
    fine(server.save("saved as.ipynb", content))
    return server.file("saved as.ipynb")


def upload_as_text(server: RunningServer, key: str) -> bytes:
    fine(server.save("text.ipynb", text_of(key), type="file", format="text"))
    return server.file("text.ipynb")


def upload_as_base64(server: RunningServer, key: str) -> bytes:
    fine(server.save("base64.ipynb", base64_of(text_of(key)), type="file", format="base64"))
    return server.file("base64.ipynb")


def upload_of_a_source(server: RunningServer, key: str) -> bytes:
    fine(server.save("notes.md", f"The key is {key}.\n", type="file", format="text"))
    return server.file("notes.md")


def in_chunks(server: RunningServer, name: str, key: str, form: str) -> bytes:
    text = text_of(key)
    middle = text.index(key) + 10  # between two chunks, so that neither holds it
    for number, part in ((1, text[:20]), (2, text[20:middle]), (-1, text[middle:])):
        content = base64_of(part) if form == "base64" else part
        reply = fine(server.save(name, content, type="file", format=form, chunk=number))
    assert reply.body["size"] == len(server.file(name))  # or JupyterLab says that the file changed on disk
    return server.file(name)


def chunks_of_text(server: RunningServer, key: str) -> bytes:
    return in_chunks(server, "chunks.ipynb", key, "text")


def chunks_of_base64(server: RunningServer, key: str) -> bytes:
    return in_chunks(server, "chunks64.ipynb", key, "base64")


def copy(server: RunningServer, key: str) -> bytes:
    (server.folder / "to copy.ipynb").write_text(text_of(key))
    name = fine(server.contents("POST", "", {"copy_from": "to copy.ipynb"})).body["path"]
    return server.file(name)


def copied_folder(server: RunningServer, key: str) -> bytes:
    (server.folder / "folder" / "in it").mkdir(parents=True)
    (server.folder / "folder" / "in it" / "a.ipynb").write_text(text_of(key))
    name = fine(server.contents("POST", "", {"copy_from": "folder"})).body["path"]
    return server.file(f"{name}/in it/a.ipynb")


def renamed(server: RunningServer, key: str) -> bytes:
    (server.folder / "a.txt").write_text(text_of(key))
    fine(server.contents("PATCH", "a.txt", {"path": "now a.ipynb"}))
    return server.file("now a.ipynb")


def checkpoint_created(server: RunningServer, key: str) -> bytes:
    (server.folder / "pointed.ipynb").write_text(text_of(key))
    fine(server.contents("POST", "pointed.ipynb/checkpoints"))
    return server.file(".ipynb_checkpoints/pointed-checkpoint.ipynb")


def checkpoint_left_behind(server: RunningServer, key: str) -> bytes:
    (server.folder / ".ipynb_checkpoints").mkdir(exist_ok=True)
    (server.folder / ".ipynb_checkpoints/left-checkpoint.ipynb").write_text(text_of(key))
    fine(server.save("left.ipynb", notebook("x = 1")))
    return server.file(".ipynb_checkpoints/left-checkpoint.ipynb")


def checkpoint_restored(server: RunningServer, key: str) -> bytes:
    fine(server.save("restored.ipynb", notebook("x = 1")))
    (server.folder / ".ipynb_checkpoints/restored-checkpoint.ipynb").write_text(text_of(key))
    fine(server.contents("POST", "restored.ipynb/checkpoints/checkpoint"))
    return server.file("restored.ipynb")


def checkpoint_renamed(server: RunningServer, key: str) -> bytes:
    (server.folder / ".ipynb_checkpoints").mkdir(exist_ok=True)
    for name in ("moves.txt", ".ipynb_checkpoints/moves-checkpoint.txt"):
        (server.folder / name).write_text(text_of(key))
    fine(server.contents("PATCH", "moves.txt", {"path": "moved.ipynb"}))
    return server.file(".ipynb_checkpoints/moved-checkpoint.ipynb")


def checkpoint_replaced_later(server: RunningServer, key: str) -> bytes:
    fine(server.save("twice.ipynb", notebook("x = 1")))
    (server.folder / ".ipynb_checkpoints/twice-checkpoint.ipynb").write_text(text_of(key))
    fine(server.save("twice.ipynb", notebook("x = 2")))
    return server.file(".ipynb_checkpoints/twice-checkpoint.ipynb")


ROWS: list[Callable[[RunningServer, str], bytes]] = [
    *(source, output, widget_state, second_save, save_as, upload_as_text, upload_as_base64, upload_of_a_source),
    *(chunks_of_text, chunks_of_base64, copy, copied_folder, renamed),
    *(checkpoint_created, checkpoint_left_behind, checkpoint_restored, checkpoint_renamed, checkpoint_replaced_later),
]


@pytest.mark.parametrize("way", ROWS, ids=lambda way: way.__name__)
def test_saved_files_contain_no_key(way: Any, on: RunningServer, off: RunningServer, key: Key) -> None:
    written = way(on, key.reveal())
    assert key.reveal().encode() not in written
    assert MARKER.encode() in written
    assert key.reveal().encode() in way(off, key.reveal())  # it would have been there without us


def test_a_key_is_named_by_tail_and_cell_in_the_log_and_never_shown(on: RunningServer, key: Key) -> None:
    fine(on.save("told.ipynb", notebook("x = 1", "y = 2", f'key = "{key.reveal()}"')))
    assert f"mistral_nb: told.ipynb: 1 key removed: …{key.tail} (remembered) in cell 3" in on.log
    assert key.reveal() not in on.log
    assert key.reveal()[:15] not in on.log


def test_a_suspected_key_is_removed_and_named(on: RunningServer, off: RunningServer) -> None:
    text = make_text()
    cells = notebook("from mistralai import Mistral", f'client = Mistral(api_key="{text}")')
    fine(on.save("suspected.ipynb", cells))
    fine(off.save("suspected.ipynb", cells))
    assert text.encode() not in on.file("suspected.ipynb")
    assert text.encode() in off.file("suspected.ipynb")
    assert f"…{text[-4:]} (suspected) in cell 2" in on.log


def test_a_key_remembered_while_the_server_runs_is_removed_at_the_next_save(
    on: RunningServer, env: dict[str, str]
) -> None:
    later = make_key()
    fine(on.save("later.ipynb", notebook(f'x = "{later.reveal()}"')))
    assert later.reveal().encode() in on.file("later.ipynb")  # unknown, and nothing mentions Mistral
    Index(env["MISTRAL_NB_HOME"]).remember(later)
    fine(on.save("later.ipynb", notebook(f'x = "{later.reveal()}"')))
    assert later.reveal().encode() not in on.file("later.ipynb")


def test_a_checkpoint_with_a_key_remembered_since_is_cleaned_at_the_next_save(
    on: RunningServer, env: dict[str, str]
) -> None:
    later = make_key()
    fine(on.save("since.ipynb", notebook(f'x = "{later.reveal()}"')))
    checkpoint = ".ipynb_checkpoints/since-checkpoint.ipynb"
    assert later.reveal().encode() in on.file(checkpoint)
    Index(env["MISTRAL_NB_HOME"]).remember(later)
    fine(on.save("since.ipynb", notebook("the cell is gone")))
    assert later.reveal().encode() not in on.file(checkpoint)


def test_saving_a_text_creates_and_needs_no_folder(on: RunningServer) -> None:
    for name in ("plain", "no checkpoints"):
        (on.folder / name).mkdir()
    (on.folder / "no checkpoints/.ipynb_checkpoints").write_text("a file, to keep Jupyter from making the folder")
    for name in ("plain", "no checkpoints"):
        fine(on.save(f"{name}/a.md", "text", type="file", format="text"))
    assert [file.name for file in (on.folder / "plain").iterdir()] == ["a.md"]


@pytest.mark.parametrize(
    ("name", "content", "more"),
    [
        ("clean.ipynb", notebook("x = 1", "é"), {}),
        ("clean.txt", "a\r\nb", {"type": "file", "format": "text"}),
        ("clean.png", base64.b64encode(bytes(range(256))).decode(), {"type": "file", "format": "base64"}),
        ("folder of its own", None, {"type": "directory"}),
    ],
)
def test_nothing_else_is_touched(name: str, content: Any, more: Any, on: RunningServer, off: RunningServer) -> None:
    replies = [fine(server.save(name, content, **more)) for server in (on, off)]
    assert replies[0].status == replies[1].status
    if content is not None:
        assert on.file(name) == off.file(name)


@pytest.mark.parametrize("body", [{"type": "notebook"}, {"type": "file", "format": "text"}, {}])
def test_a_put_without_content_gets_the_usual_response(body: Any, on: RunningServer, off: RunningServer) -> None:
    name = f"empty{len(body)}.ipynb"
    new = [server.contents("PUT", name, body).status for server in (on, off)]
    again = [server.contents("PUT", name, body).status for server in (on, off)]
    assert new[0] == new[1]
    assert again[0] == again[1]
    assert on.contents("POST", "", {"type": "notebook"}).status == 201


@pytest.mark.parametrize("name", ["prod.env", "log.txt", "data.json", "ignored.py"])
def test_what_may_be_the_only_copy_is_left_and_reported(name: str, on: RunningServer, key: Key) -> None:
    need("git")
    if not (on.folder / ".git").exists():
        subprocess.run(["git", "init", "-q", str(on.folder)], check=True)
        (on.folder / ".gitignore").write_text("ignored.py\n")
    fine(on.save(name, f"KEY={key.reveal()}\n", type="file", format="text"))
    assert on.file(name) == f"KEY={key.reveal()}\n".encode()
    assert f"mistral_nb: {name}: 1 key found and left in place: …{key.tail} (remembered) in line 1" in on.log


def test_with_a_damaged_index_everything_key_shaped_is_removed_and_logged(
    env: dict[str, str], on: RunningServer
) -> None:
    index, text = Path(env["MISTRAL_NB_HOME"], FILE_NAME), make_text()
    saved = index.read_bytes()
    try:
        index.write_bytes(b"{ damaged")
        fine(on.save("strict.ipynb", notebook(f'key = "{text}"')))
    finally:
        index.write_bytes(saved)
    assert text.encode() not in on.file("strict.ipynb")
    assert "everything shaped like a key is redacted" in on.log


def test_exports_from_the_menu_contain_no_key(on: RunningServer, off: RunningServer, key: Key) -> None:
    for server in (on, off):
        (server.folder / "exported.ipynb").write_text(text_of(key.reveal()))
    for form in ("html", "script", "markdown", "latex", "notebook", "rst"):
        exported = [str(fine(server.ask("GET", f"nbconvert/{form}/exported.ipynb")).body) for server in (on, off)]
        assert key.reveal() not in exported[0], form
        assert key.reveal()[:15] in exported[1], form
    assert key.reveal().encode() in on.file("exported.ipynb")  # an export does not change the notebook


def test_a_null_chunk_is_not_a_chunk(on: RunningServer, off: RunningServer, key: Key) -> None:
    text = json.dumps(notebook(f'key = "{key.reveal()}"'))
    for server in (on, off):
        server.save("null.ipynb", text, type="file", format="text", chunk=None)
        assert (key.reveal().encode() in server.file("null.ipynb")) is (server is off)


OTHER = "'nbconvert.preprocessors.TagRemovePreprocessor'"


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        f"c.Exporter.preprocessors.append({OTHER})",
        f"c.HTMLExporter.preprocessors = [{OTHER}]",
        f"c.TemplateExporter.preprocessors = [{OTHER}]; c.HTMLExporter.preprocessors.append({OTHER})",
    ],
)
def test_exports_with_user_preprocessors_contain_no_key(
    setting: str, env: dict[str, str], key: Key, tmp_path: Path
) -> None:
    config = tmp_path / "config.py"
    config.write_text(f"c = get_config()\n{setting}\nc.TagRemovePreprocessor.remove_cell_tags = ['hide']\n")
    cells = notebook("hidden_by_the_other = 1", f'key = "{key.reveal()}"')
    cells["cells"][0]["metadata"]["tags"] = ["hide"]
    for on in (True, False):
        with start_server(env, tmp_path / f"served {on}", f"--config={config}", on=on) as server:
            (server.folder / "a.ipynb").write_text(json.dumps(cells))
            exported = str(fine(server.ask("GET", "nbconvert/html/a.ipynb")).body)
            assert (key.reveal()[:15] in exported) is not on
            assert "hidden_by_the_other" not in exported


def wait_until_it_answers(client: BlockingKernelClient) -> None:
    """Its own way takes a kernel that is slow to start for a dead one."""
    end = time.monotonic() + 60 * PATIENCE
    while time.monotonic() < end:
        client.kernel_info()
        with contextlib.suppress(queue.Empty):
            client.get_iopub_msg(timeout=1)
            client.get_shell_msg(timeout=60 * PATIENCE)
            return
    raise AssertionError("the kernel does not answer")


def status_in_a_kernel_of(server: RunningServer, env: dict[str, str]) -> str:
    asked = {"path": "a.ipynb", "name": "a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    kernel = fine(server.ask("POST", "api/sessions", asked)).body["kernel"]["id"]
    client = BlockingKernelClient(connection_file=f"{env['JUPYTER_RUNTIME_DIR']}/kernel-{kernel}.json")
    client.load_connection_file()
    client.start_channels()
    try:
        wait_until_it_answers(client)
        shown: list[str] = []
        client.execute_interactive(
            "%load_ext mistral_nb\nprint(str(get_ipython().run_line_magic('mistral_key', 'status')))",
            output_hook=lambda message: shown.append(str(message["content"].get("text", ""))),
            timeout=60 * PATIENCE,
        )
        return "".join(shown)
    finally:
        client.stop_channels()
        server.ask("DELETE", f"api/kernels/{kernel}")


@pytest.mark.slow
def test_a_kernel_knows_whether_its_saves_are_covered(
    on: RunningServer, off: RunningServer, env: dict[str, str]
) -> None:
    covered = [line.split() for line in status_in_a_kernel_of(on, env).splitlines() if "saves" in line]
    assert covered == [["✓", "saves", "covered"]]
    uncovered = status_in_a_kernel_of(off, env)
    assert (
        f"NOT covered here: mistral_nb is not installed where this kernel was started (process {off.pid})" in uncovered
    )
    assert "install mistral_nb where" in uncovered


@pytest.mark.slow
def test_the_extension_is_listed_as_enabled(env: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", "server", "extension", "list"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=True,
    )
    assert "mistral_nb" in done.stdout + done.stderr
    assert "enabled" in (done.stdout + done.stderr).split("mistral_nb", 1)[1][:40]
