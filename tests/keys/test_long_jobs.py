"""A key that is rotated, revoked or deleted in the middle of a job that uses httpx or httpx2."""

import asyncio
import copy
import io
import itertools
import logging
import os
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import httpx
import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError, StoreTimedOut, WrongUsage
from mistral_nb.storage.key_manager import KeyManager
from support import keys
from support.commands import shown_by
from support.http_libraries import EACH_LIBRARY
from support.job_api import FILES, JobSandbox
from support.jobs import LIMIT, Job, run_async
from support.strangers import Stranger, transport_by_number


@pytest.fixture
def sandbox() -> Iterator[JobSandbox]:
    with JobSandbox(rng=keys.RunningRandom()) as running:
        yield running


@pytest.fixture
def job(sandbox: JobSandbox, new_context: Callable[..., Context]) -> Job:
    return Job(sandbox, new_context)


def post(library, job: Job, url: str = "", **request):
    with library.Client(auth=job.auth, timeout=LIMIT) as client:
        return client.post(url or job.url, **request)


async def post_async(library, job: Job, **request):
    async with library.AsyncClient(auth=job.auth, timeout=LIMIT) as client:
        return await client.post(job.url, **request)


SENDERS = pytest.mark.parametrize(
    "send", [post, lambda *args, **more: run_async(post_async(*args, **more))], ids=["sync", "async"]
)


@SENDERS
@EACH_LIBRARY
def test_a_refused_request_is_sent_again_with_the_rotated_key(send, library, job: Job) -> None:
    with job.sandbox.at_request(1, job.rotate):
        answer = send(library, job, json={"input": ["text"]})
    assert answer.status_code == 200
    assert job.tails == [job.first.tail, job.last.tail]
    assert job.sandbox.bodies[0] == job.sandbox.bodies[1] != b""


def test_without_the_auth_the_same_request_fails(job: Job) -> None:
    """The control: a key that is set once is not replaced."""
    with job.sandbox.at_request(1, job.rotate), httpx.Client(timeout=LIMIT) as client:
        answer = client.post(job.url, headers={"Authorization": f"Bearer {job.first.reveal()}"})
    assert answer.status_code == 401


@SENDERS
def test_the_same_key_is_not_sent_twice_and_the_log_says_what_to_do(
    send, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    job.revoke_at_api()
    assert [send(httpx, job).status_code for _ in range(2)] == [401, 401]
    assert job.tails == [job.first.tail] * 2
    [warning] = [record.getMessage() for record in caplog.records if record.name == "mistral_nb"]
    assert f"prod (…{job.first.tail})" in warning
    assert "rotate prod" in warning
    assert job.first.reveal() not in warning


def test_a_second_refusal_ends_it(job: Job) -> None:
    def replace() -> None:
        job.rotate()
        job.revoke_at_api()

    with job.sandbox.at_request(1, replace):
        assert post(httpx, job).status_code == 401
    assert job.tails == [job.first.tail, job.last.tail]


@SENDERS
@pytest.mark.parametrize("command", ["logout", "revoke"])
def test_a_workspace_that_lost_its_key_says_so(send, command: str, job: Job) -> None:
    def lose() -> None:
        job.revoke_at_api()
        job.run(command, {"logout": "yes", "delete": "yes"})

    with job.sandbox.at_request(1, lose), pytest.raises(WrongUsage, match="No key is stored any more") as failed:
        send(httpx, job)
    assert "login prod" in failed.value.todo
    assert job.first.reveal() not in shown_by(failed.value)
    with pytest.raises(ValueError, match="planted") as planted:
        raise ValueError(f"planted: {job.first.reveal()}")
    assert job.first.reveal() in shown_by(planted.value), "the search would find it"
    assert job.tails == [job.first.tail]


@pytest.mark.parametrize(
    "body", [lambda: (part for part in [b"a", b"b"]), lambda: iter([b"a", b"b"]), lambda: io.BytesIO(b"ab")]
)
@EACH_LIBRARY
def test_a_body_that_is_used_up_is_not_sent_again(body, library, job: Job) -> None:
    with job.sandbox.at_request(1, job.rotate):
        assert post(library, job, content=body()).status_code == 401
    assert len(job.tails) == 1
    assert post(library, job, content=body()).status_code == 200


@EACH_LIBRARY
def test_an_uploaded_file_is_sent_again_whole(library, job: Job, tmp_path: Path) -> None:
    (tmp_path / "batch.jsonl").write_bytes(b"line\n" * 50_000)
    with job.sandbox.at_request(1, job.rotate), (tmp_path / "batch.jsonl").open("rb") as file:
        url = f"{job.sandbox.url}{FILES}"
        assert post(library, job, url, files={"file": file}, data={"purpose": "batch"}).status_code == 200
    first, second = job.sandbox.bodies
    assert first == second
    assert b"line\n" * 50_000 in second


THREADS = 8


def post_in_threads(job: Job) -> list[int | Exception]:
    """What each of eight threads gets; all requests are at the API before the key is rotated there."""
    barrier = threading.Barrier(THREADS, action=job.rotate)
    job.sandbox.when_asked = lambda number: barrier.wait(LIMIT) if number <= THREADS else None

    def send() -> int | Exception:
        try:
            return client.post(job.url).status_code
        except (httpx.HTTPError, MistralNbError) as error:
            return error

    with httpx.Client(auth=job.auth, timeout=LIMIT) as client, ThreadPoolExecutor(THREADS) as threads:
        return [sent.result(LIMIT) for sent in [threads.submit(send) for _ in range(THREADS)]]


class _CountingLock:
    """A lock that says when all threads wait for it or have had it."""

    def __init__(self) -> None:
        self.lock, self.asked, self.all_asked = threading.Lock(), itertools.count(1), threading.Event()

    def __enter__(self) -> None:
        if next(self.asked) == THREADS:
            self.all_asked.set()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_threads_read_the_new_key_once_and_none_fails(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, reads = _CountingLock(), []
    manager = job.auth._live._context.key_manager

    def read(name: str) -> Key:
        reads.append(name)
        assert lock.all_asked.wait(LIMIT)
        return KeyManager.read(manager, name)

    monkeypatch.setattr(job.auth._live, "_lock", lock)
    monkeypatch.setattr(manager, "read", read)
    assert post_in_threads(job) == [200] * THREADS
    assert job.tails == [job.first.tail] * THREADS + [job.last.tail] * THREADS
    assert reads == ["prod"]


def test_threads_that_wait_for_a_store_share_its_failure(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, reads = _CountingLock(), []

    def fail(name: str) -> Key:
        reads.append(name)
        assert lock.all_asked.wait(LIMIT)
        raise StoreTimedOut("The keyring did not answer.", "Unlock it.")

    monkeypatch.setattr(job.auth._live, "_lock", lock)
    with monkeypatch.context() as patched:
        patched.setattr(job.auth._live._context.key_manager, "read", fail)
        assert {type(got) for got in post_in_threads(job)} == {StoreTimedOut}
        assert reads == ["prod"]
    assert post(httpx, job).status_code == 200


class _SlowStore:
    """Says that it is being read, and answers once it is told to."""

    def __init__(self, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reading, self.go_on, self.answered = threading.Event(), threading.Event(), threading.Event()
        self._manager = job.auth._live._context.key_manager
        monkeypatch.setattr(self._manager, "read", self._read)

    def _read(self, name: str) -> Key:
        self.reading.set()
        assert self.go_on.wait(LIMIT), "nothing else was done meanwhile"
        self.answered.set()
        return KeyManager.read(self._manager, name)

    async def until_read(self) -> None:
        while not self.reading.is_set():
            await anyio.sleep(0.01)


def test_the_event_loop_goes_on_while_a_store_is_read(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    store = _SlowStore(job, monkeypatch)

    async def both() -> int:
        request = asyncio.create_task(post_async(httpx, job))
        await store.until_read()
        store.go_on.set()
        return (await request).status_code

    with job.sandbox.at_request(1, job.rotate):
        assert run_async(both()) == 200


def test_a_cancelled_request_does_not_wait_for_a_store(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    store = _SlowStore(job, monkeypatch)

    async def cancel() -> bool:
        async with anyio.create_task_group() as group:
            group.start_soon(post_async, httpx, job)
            await store.until_read()
            group.cancel_scope.cancel()
        is_first = not store.answered.is_set()
        store.go_on.set()
        return is_first

    with job.sandbox.at_request(1, job.rotate):
        assert run_async(cancel())


@EACH_LIBRARY
def test_a_refusal_by_another_server_is_not_answered_with_a_key(library, job: Job) -> None:
    def redirect() -> None:
        job.rotate()  # so that there is a new key to send
        job.sandbox.set_fault("redirect elsewhere", elsewhere=stranger.url)

    with Stranger(401) as stranger, job.sandbox.at_request(1, redirect):
        assert _follow(library, job).status_code == 401
    assert job.tails == [job.first.tail]
    assert len(stranger.received) == 1
    assert_no_key(job, stranger.received)


@EACH_LIBRARY
def test_the_second_request_takes_no_key_elsewhere_either(library, job: Job) -> None:
    def redirect(number: int) -> None:
        if number == 1:
            job.rotate()
        else:
            job.sandbox.set_fault("redirect elsewhere", elsewhere=stranger.url)

    job.sandbox.when_asked = redirect
    with Stranger() as stranger:
        assert _follow(library, job).text == "hi"
        assert job.tails == [job.first.tail, job.last.tail]
        assert_no_key(job, stranger.received)
        httpx.get(f"http://127.0.0.1:{stranger.server_port}", headers={"Authorization": job.last.reveal()})
        with pytest.raises(AssertionError):  # the search would find it
            assert_no_key(job, stranger.received)


def _follow(library, job: Job):
    transport = transport_by_number(library)
    with library.Client(auth=job.auth, follow_redirects=True, transport=transport, timeout=LIMIT) as client:
        return client.post(job.url)


def assert_no_key(job: Job, texts: list[bytes] | list[str]) -> None:
    joined = "\n".join(text if isinstance(text, str) else text.decode() for text in texts)
    assert texts
    assert not [key.tail for key in (job.first, job.last) if key.reveal() in joined]


@EACH_LIBRARY
def test_logs_at_debug_and_what_comes_back_show_no_key(library, job: Job, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with job.sandbox.at_request(1, job.rotate):
        answer = post(library, job)
    [refused] = answer.history
    shown = [f"{it!r} {it.request!r} {it.request.headers!r} {it.request.extensions!r}" for it in (refused, answer)]
    told = [record.getMessage() for record in caplog.records]
    assert any("send_request_headers" in line for line in told), "httpcore has logged"
    assert_no_key(job, [*shown, *told, repr(job.auth)])
    post(library, job, f"{job.url}?key={job.last.reveal()}")  # an address is logged
    with pytest.raises(AssertionError):
        assert_no_key(job, [record.getMessage() for record in caplog.records])


@pytest.mark.manual  # HTTP/2 is an extra of httpx: pip install hpack
def test_the_log_of_http2_at_debug_shows_a_key(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    """What is not protected: `hpack` logs every header that it writes."""
    import hpack

    caplog.set_level(logging.DEBUG, "hpack")
    request = job.auth(httpx.Request("GET", job.url))
    hpack.Encoder().encode(request.headers.raw)
    with pytest.raises(AssertionError):
        assert_no_key(job, caplog.messages)


@EACH_LIBRARY
def test_no_frame_of_a_failed_request_shows_a_key(library, job: Job) -> None:
    """By the reprs of locals, which is what traceback tools show."""
    job.sandbox.set_fault("hang up")
    with pytest.raises(library.RemoteProtocolError) as failed:
        post(library, job)
    assert_no_key(job, _locals(failed.value))

    def fail(header: str) -> None:
        raise ValueError

    with pytest.raises(ValueError) as planted:
        fail(job.first.reveal())
    with pytest.raises(AssertionError):  # the search would find it
        assert_no_key(job, _locals(planted.value))


def _locals(error: BaseException | None) -> list[str]:
    found = []
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            found += [repr(value) for value in frame.f_locals.values() if not isinstance(value, Job)]
        error = error.__cause__ or error.__context__
    return found


def test_it_is_copied_as_itself_and_never_pickled(job: Job) -> None:
    for it in (job.auth, job.auth._live):
        assert copy.copy(it) is it
        assert copy.deepcopy({"a": it})["a"] is it
        with pytest.raises(TypeError, match="in the task"):
            pickle.dumps(it)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_child_that_was_forked_during_a_read_has_a_lock_of_its_own(job: Job) -> None:
    live = job.auth._live
    job.rotate()
    with live._lock:
        live._process = -1  # as the child of this process sees it
        assert live() == job.last.reveal()
