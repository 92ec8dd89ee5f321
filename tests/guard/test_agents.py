"""What an agent receives of a guarded kernel holds no key: through jupyter-mcp-server, and through jupyter-ai.

It takes packages that the tests do not install: ``pip install jupyter-mcp-server``, and, in an environment of its own,
``pip install "jupyter-ai[magics,rtc]"``; then run this file. Tried with jupyter-mcp-server 2.2.4, and with jupyter-ai
3.2.0: jupyter-server-mcp 0.3.0, jupyter-ai-tools 0.7.0, jupyter-ai-magic-commands 0.0.4, litellm 1.110.2, IPython 9.18.
"""

import contextlib
import http.server
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support import browsers
from support.jupyter_servers import notebook, start_server
from support.kernels import clean_environment, start_kernel
from support.keys import make_key


def needs(module: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not installed")


AGENT = """
import asyncio, json, os, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main(url, token, calls):
    words = ["start", "--transport=stdio", "--jupyter-url", url, "--jupyter-token", token, "--jupyterlab", "false"]
    program = os.path.join(os.path.dirname(sys.executable), "jupyter-mcp-server")
    server = StdioServerParameters(command=program, args=words, env=dict(os.environ))
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        told = []
        try:
            for name, given in calls:
                answer = await asyncio.wait_for(session.call_tool(name, given), 30)
                told.append([part.model_dump(mode="json") for part in answer.content])
        except Exception as error:
            print(name, repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        print(json.dumps(told), flush=True)
        os._exit(0)

asyncio.run(main(*sys.argv[1:3], json.loads(sys.argv[3])))
"""
SHOWS = "os.environ['MISTRAL_API_KEY']"
CALLS = [
    ("use_notebook", {"notebook_name": "a", "notebook_path": "a.ipynb", "mode": "connect"}),
    *(("execute_cell", {"cell_index": number}) for number in range(4)),
    ("read_notebook", {"notebook_name": "a"}),
    *(("read_cell", {"cell_index": number}) for number in range(4)),
    ("execute_code", {"code": f"import os; print('directly', {SHOWS})"}),
]


MCP_CLIENT = """
import asyncio, json, sys, time
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

async def answer(session, name, given, until):
    '''What a tool says, once the file has what it is asked for.'''
    end = time.monotonic() + 60
    while True:
        said = await session.call_tool(name, given)
        text = "\\n".join(part.model_dump(mode="json").get("text", "") for part in said.content)
        if until in text and not said.isError:
            return text
        if time.monotonic() > end:
            raise SystemExit(f"{name} never said {until!r}: {text}")
        await asyncio.sleep(0.2)

async def main(url, calls, added):
    async with streamablehttp_client(url) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        told = [await answer(session, *call) for call in calls]
        index = told[0].count('"cellType"')  # the cell that is added behind these
        await session.call_tool("add_cell", {"file_path": "a.ipynb", "content": added})
        cell = await answer(session, "get_cell_id_from_index", {"file_path": "a.ipynb", "cell_index": index}, "")
        told.append(await answer(session, "run_cell", {"file_path": "a.ipynb", "cell_id": cell}, ""))
        told.append(await answer(session, "read_cell", {"file_path": "a.ipynb", "cell_id": cell}, "directly "))
        print(json.dumps(told), flush=True)

asyncio.run(main(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]))
"""


@pytest.mark.manual
@needs("jupyter_mcp_server")
@pytest.mark.parametrize("guarded", [True, False])
def test_an_agent_receives_no_key_of_a_guarded_kernel(guarded: bool, tmp_path: Path) -> None:
    key = make_key()
    env = clean_environment(tmp_path) | {"MISTRAL_API_KEY": key.reveal()}
    cells = ("%load_ext mistral_nb" if guarded else "1", f"import os; print({SHOWS})", SHOWS, f"1 / int({SHOWS})")
    extensions = dict.fromkeys(("jupyter_server_ydoc", "jupyter_server_fileid", "jupyter_server_nbmodel"), True)
    with start_server(env, tmp_path / "served", **extensions) as server:
        assert server.save("a.ipynb", notebook(*cells)).status < 300
        words = [sys.executable, "-c", AGENT, server.url.rstrip("/"), server.token, json.dumps(CALLS)]
        told = _run(words, env, tmp_path)
    assert len(json.loads(told)) == len(CALLS)
    assert "directly" in told, "the agent could run code"
    assert (key.reveal() in told) == (not guarded)  # without the guard: the negative control
    assert (key.reveal()[:15] in told) == (not guarded)
    assert ("[MISTRAL_API_KEY redacted]" in told) == guarded


def _run(words: list[str], env: dict[str, str], folder: Path) -> str:
    """What the agent was told. By files: the agent's server outlives it, and would keep a pipe open."""
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        agent = subprocess.Popen(words, env=env, stdout=out, stderr=err, start_new_session=True)
        try:
            code = agent.wait(200)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(agent.pid, signal.SIGKILL)
    assert code == 0, (folder / "err").read_text()[-2000:]
    return (folder / "out").read_text()


@pytest.mark.manual
@needs("jupyter_ai")
@pytest.mark.parametrize("guarded", [True, False])
def test_jupyter_ais_tools_read_no_key_of_a_guarded_kernel(guarded: bool, tmp_path: Path) -> None:
    """The tools of its MCP server work on the page that a person has open; they read it, and run a cell in it."""
    key = make_key()
    env = clean_environment(tmp_path) | {"MISTRAL_API_KEY": key.reveal()}
    cells = ("%load_ext mistral_nb" if guarded else "1", f"import os; print({SHOWS})", SHOWS, f"1 / int({SHOWS})")
    port = _free_port()
    options = (f"--MCPExtensionApp.mcp_port={port}", "--ServerApp.jpserver_extensions={'mistral_nb': False}")
    calls = [
        ("read_notebook_cells", {"notebook_path": "a.ipynb"}, "ValueError"),
        ("read_notebook", {"file_path": "a.ipynb", "include_outputs": True}, "ValueError"),
    ]
    with (
        browsers.start_browser() as browser,
        browsers.start_server(env, tmp_path / "served", *options) as server,
        browsers.open_notebook(browser, server, cells, lab=True, name="a.ipynb") as page,
    ):
        for number in range(len(cells)):
            page.run(number)
            page.wait_done(number)
        url, added = f"http://127.0.0.1:{port}/mcp", f"print('directly', {SHOWS})"
        told = _run([sys.executable, "-c", MCP_CLIENT, url, json.dumps(calls), added], env, tmp_path)
    assert len(json.loads(told)) == len(calls) + 2
    assert (key.reveal() in told) == (not guarded)  # without the guard: the negative control
    assert (key.reveal()[:15] in told) == (not guarded)
    assert all(("[MISTRAL_API_KEY redacted]" in one) == guarded for one in json.loads(told) if "directly" in one)


@pytest.mark.manual
@needs("jupyter_ai_magic_commands")
@pytest.mark.parametrize("guarded", [True, False])
def test_jupyter_ais_magics_send_no_key_of_an_error_to_a_model(guarded: bool, tmp_path: Path) -> None:
    """`%ai fix` sends the last error; a prompt, what it names."""
    key = make_key()
    env = clean_environment(tmp_path) | {"MISTRAL_API_KEY": key.reveal(), "OPENAI_API_KEY": "no key of anyone"}
    env |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with EchoingModel() as model, start_kernel(env) as kernel:
        flags = f"openai/gpt-4o --api-base {model.url} --api-key-name OPENAI_API_KEY"
        kernel.run("%load_ext mistral_nb" if guarded else "1")
        assert kernel.run("%load_ext jupyter_ai_magic_commands\nimport os").status == "ok"
        assert kernel.run(f"1 / int({SHOWS})").status == "error"
        shown = ["".join(kernel.run(f"%ai fix {flags}").messages)]
        shown += ["".join(kernel.run(f"%%ai {flags}\nWhat is this? {{Err}} {{In}}").messages)]
        asked = model.take()
        assert len(asked) == 2
        assert all("invalid literal for int()" in one for one in asked)
        assert ("[MISTRAL_API_KEY redacted]" in asked[0]) == guarded
        for text in (*asked, *shown):  # without the guard: the negative control
            assert (key.reveal() in text) == (not guarded)
        kernel.run(f"value = {SHOWS}")
        kernel.run(f"%%ai {flags}\nWhat is this? {{value}}")
        assert key.reveal() in model.take()[0]  # not covered: a person's own prompt


class EchoingModel:
    """A model that says what it was asked, as OpenAI's API does, on 127.0.0.1. ``take``: what came since."""

    def __enter__(self) -> "EchoingModel":
        asked = self._asked = []  # type: ignore[var-annotated]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked.append(json.dumps(body))
                reply = {"role": "assistant", "content": f"You said: {body['messages'][-1]['content']}"}
                choice = {"index": 0, "finish_reason": "stop", "message": reply}
                answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
                data = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> list[str]:
        taken = list(self._asked)
        self._asked.clear()
        return taken


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
