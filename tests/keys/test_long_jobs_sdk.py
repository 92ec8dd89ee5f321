"""A key that is rotated or revoked in the middle of a job that uses the real SDK, mistralai."""

import logging
import random
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mistralai.client import Mistral, basesdk
from mistralai.client.errors import SDKError

from mistral_nb.api_key import MARKER
from mistral_nb.command_context import Context
from mistral_nb.errors import WrongUsage
from support import keys
from support.commands import shown_by
from support.job_api import WORDS, JobSandbox
from support.jobs import LIMIT, Job, run_async
from support.kernels import start_kernel

pytestmark = pytest.mark.slow
MESSAGES = [{"role": "user", "content": "Count to three."}]
CHAT = {"model": "small", "messages": MESSAGES}
EMBEDDINGS = {"model": "small", "inputs": ["text"]}
library = basesdk.httpx  # httpx2, or httpx before mistralai 3


@pytest.fixture
def sandbox() -> Iterator[JobSandbox]:
    with JobSandbox(rng=keys.RunningRandom()) as running:
        yield running


@pytest.fixture
def job(sandbox: JobSandbox, new_context: Callable[..., Context]) -> Job:
    return Job(sandbox, new_context)


@pytest.fixture
def client(job: Job) -> Iterator[Mistral]:
    with library.Client(auth=job.auth, follow_redirects=True) as sender:
        yield Mistral(client=sender, server_url=job.sandbox.url)


def joined(events) -> str:
    return "".join(event.data.choices[0].delta.content for event in events)


def test_calls_go_on_with_the_rotated_key(job: Job, client: Mistral) -> None:
    with job.sandbox.at_request(2, job.rotate):
        for _ in range(2):
            assert client.embeddings.create(**EMBEDDINGS).data[0].embedding == [0.5]
    assert client.chat.complete(**CHAT).choices[0].message.content == "".join(WORDS)
    assert job.tails == [job.first.tail] * 2 + [job.last.tail] * 2


def test_api_key_alone_takes_the_new_key_at_the_next_call_only(job: Job) -> None:
    with Mistral(api_key=job.auth._live, server_url=job.sandbox.url) as client:
        with job.sandbox.at_request(1, job.rotate), pytest.raises(SDKError):
            client.embeddings.create(**EMBEDDINGS)
        client.embeddings.create(**EMBEDDINGS)
    assert job.tails == [job.first.tail, job.last.tail]


def test_asynchronous_calls_go_on_with_the_rotated_key(job: Job) -> None:
    async def call() -> tuple[list[float], str]:
        async with library.AsyncClient(auth=job.auth, follow_redirects=True) as sender:
            client = Mistral(async_client=sender, server_url=job.sandbox.url)
            vector = (await client.embeddings.create_async(**EMBEDDINGS)).data[0].embedding
            async with await client.chat.stream_async(**CHAT) as events:
                return vector, joined([event async for event in events])

    job.sandbox.when_asked = lambda number: job.rotate() if number in (1, 3) else None
    assert run_async(call()) == ([0.5], "".join(WORDS))
    assert len(job.tails) == 4, "each of the two calls was sent twice"
    assert job.tails[-1] == job.last.tail


def test_a_stream_that_is_refused_at_its_start_begins_again(job: Job, client: Mistral) -> None:
    with job.sandbox.at_request(1, job.rotate), client.chat.stream(**CHAT) as events:
        assert joined(events) == "".join(WORDS)
    assert job.tails == [job.first.tail, job.last.tail]


def test_a_rotation_during_a_stream_leaves_it_alone(job: Job, client: Mistral) -> None:
    job.sandbox.in_stream = job.rotate
    with client.chat.stream(**CHAT) as events:
        assert joined(events) == "".join(WORDS)
    client.embeddings.create(**EMBEDDINGS)
    assert job.tails == [job.first.tail, job.last.tail]


def test_a_key_that_is_revoked_without_a_new_one_ends_the_job(job: Job, client: Mistral) -> None:
    job.revoke_at_api()
    with pytest.raises(SDKError) as refused:
        client.embeddings.create(**EMBEDDINGS)
    assert refused.value.status_code == 401
    job.run("revoke")
    with pytest.raises(WrongUsage, match="No key is stored any more") as gone:
        client.embeddings.create(**EMBEDDINGS)
    for error in (refused.value, gone.value):
        assert job.first.reveal() not in f"{error} {error!r} {shown_by(error)}"
    assert job.tails == [job.first.tail]


def test_a_file_goes_up_whole_at_the_second_attempt(job: Job, client: Mistral) -> None:
    content = b"line\n" * 50_000
    with job.sandbox.at_request(1, job.rotate):
        client.files.upload(file={"file_name": "batch.jsonl", "content": content}, purpose="batch")
    assert [content in body for body in job.sandbox.bodies] == [True, True]


def test_every_request_of_four_threads_succeeds_while_a_terminal_rotates(
    job: Job, client: Mistral, environ: dict[str, str], record_property: Callable[[str, object], None]
) -> None:
    """At least a hundred requests; the rotation begins at one of them."""
    begin, is_rotated = threading.Event(), threading.Event()
    number = random.SystemRandom().randrange(1, 50)
    record_property("rotation at request", number)
    job.sandbox.when_asked = lambda now: begin.set() if now == number else None

    def work() -> int:
        done = 0
        while done < 25 or not is_rotated.is_set():
            client.embeddings.create(**EMBEDDINGS)
            done += 1
        client.embeddings.create(**EMBEDDINGS)
        return done

    with ThreadPoolExecutor(4) as threads:
        working = [threads.submit(work) for _ in range(4)]
        try:
            assert begin.wait(LIMIT)
            job.rotate_in_terminal(environ)
        finally:
            is_rotated.set()
        assert sum(work.result(LIMIT) for work in working) >= 100
    assert set(job.tails) == {job.first.tail, job.last.tail}


def test_the_log_of_the_sdk_at_debug_shows_no_key(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log = logging.getLogger("sdk")
    with library.Client(auth=job.auth) as sender, job.sandbox.at_request(1, job.rotate):
        given = {"api_key": job.auth._live, "client": sender, "server_url": job.sandbox.url, "debug_logger": log}
        Mistral(**given).embeddings.create(**EMBEDDINGS)
    assert "authorization" in caplog.text.lower(), "it has logged headers"
    assert not [key.tail for key in (job.first, job.last) if key.reveal() in caplog.text]
    log.debug(job.last.reveal())
    assert job.last.reveal() in caplog.text, "the search would find it"


def test_the_example_of_the_documentation(job: Job, environ, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    page = (Path(__file__).parents[2] / "docs" / "workers.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^## Long jobs.*?^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    example = example.replace("httpx2", library.__name__).replace(
        "Mistral(", f"Mistral(server_url={job.sandbox.url!r},"
    )
    exec(example, variables := {})
    with variables["client"] as client, job.sandbox.at_request(1, job.rotate):
        assert client.embeddings.create(**EMBEDDINGS).data
    assert job.tails == [job.first.tail, job.last.tail]


CELL = """
%load_ext mistral_nb
import {library} as library, mistral_nb
from mistralai.client import Mistral
sender = library.AsyncClient(auth=mistral_nb.auth("prod"))
client = Mistral(async_client=sender, server_url={url!r})
(await client.embeddings.create_async(model="small", inputs=["text"])).data[0].embedding
"""
SHOW = "key = sender.auth._live(); print(key, len(key))"


def test_a_notebook_that_awaits_gets_the_new_key_and_guards_it(job: Job, environ: dict[str, str]) -> None:
    cell = CELL.format(library=library.__name__, url=job.sandbox.url)
    with start_kernel(environ) as kernel, job.sandbox.at_request(1, lambda: job.rotate_in_terminal(environ)):
        ran = kernel.run(cell)
        assert ran.status == "ok", ran.error
        assert ran.results[-1]["text/plain"] == "[0.5]"
        assert kernel.run(SHOW).text == f"{MARKER} 32\n"
        assert not any(key.reveal() in message for message in kernel.messages for key in (job.first, job.last))
        kernel.run("%unload_ext mistral_nb")
        assert kernel.run(SHOW).text == f"{job.last.reveal()} 32\n", "without the guard it is shown"
    assert job.tails == [job.first.tail, job.last.tail]
