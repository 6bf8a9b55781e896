"""What users of batchprogress.testing get: a server for their own tests."""

import inspect
import multiprocessing
import threading
from pathlib import Path

import pytest

import batchprogress.testing
from batchprogress import (
    AsyncClient,
    AsyncReporter,
    BatchNotFound,
    BatchState,
    Client,
    InvalidRequest,
    Reporter,
    Unavailable,
    bar,
)
from batchprogress._disabled import VARIABLE
from batchprogress.testing import Server, server
from batchprogress.testing._memory import Memory
from batchprogress.testing._memory_batch import MemoryBatch
from batchprogress.testing._refusals import Refused
from batchprogress.testing.pytest_plugin import progress_server
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client import documented

ROOT = Path(__file__).parents[3]
SECONDS_MAX = 30.0

__all__ = ["progress_server"]


def test_a_program_reports_and_its_test_reads_the_batch(progress_server: Server) -> None:
    """Client, Reporter and bar need nothing but the address."""
    client = progress_server.client
    client.create("b", 3, labels={"team": "sales"})
    with Reporter(progress_server.target, "b", strict=True) as reporter:
        reporter.succeeded("1")
        reporter.failed("2", ValueError("row 17 is empty"))
        reporter.failed("3", ValueError("row 18 is empty"))
    assert bar(progress_server.target, "b", timeout=SECONDS_MAX).failed_jobs == 2
    assert client.wait("b", timeout=SECONDS_MAX).state is BatchState.COMPLETED
    assert [one.job_id for one in client.results("b")] == ["1", "2", "3"]
    (group,) = client.failures("b")
    assert (group.failed_jobs, group.message_template) == (2, "row <*> is empty")
    assert [one.job_id for one in client.results("b", fingerprint=group.fingerprint)] == ["2", "3"]
    assert client.server_info().roles == ("worker", "reader", "operator")
    assert (list(client.repairs("b")), list(client.passes()), client.pending_jobs("b").jobs) == ([], [], ())


def test_the_fixture_serves_though_reporting_is_off(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A project may switch reporting off for all its tests but those of its reporting."""
    monkeypatch.setenv(VARIABLE, "1")
    running: Server = request.getfixturevalue("progress_server")
    running.client.create("b", 1)
    with Reporter(running.target, "b") as reporter:
        reporter.succeeded("1")
    assert running.client.get("b").succeeded_jobs == 1


def test_errors_are_those_of_the_real_server(progress_server: Server) -> None:
    """They have the reason and the fields at fault."""
    with pytest.raises(BatchNotFound):
        progress_server.client.get("b")
    with pytest.raises(InvalidRequest) as caught:
        progress_server.client.create("a b", -1)
    assert {one.field for one in caught.value.violations} == {"batch_id", "total_jobs"}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://app.example/hooks?key=secret", "NOTIFY_URL_REFUSED"),
        ("https://user@app.example/", "INVALID_FIELD"),
        ("app.example", "INVALID_FIELD"),
    ],
)
def test_a_notify_url_is_refused_unless_its_host_is_allowed(
    progress_server: Server, url: str, reason: str
) -> None:
    """As by a server without PROGRESS_NOTIFY_HOSTS; the rest of the URL may be a secret."""
    with pytest.raises(InvalidRequest) as caught:
        progress_server.client.create("b", 1, notify_url=url)
    assert (caught.value.reason, "secret" in str(caught.value)) == (reason, False)
    with server(notify_hosts=["app.example:443", "http://local.example:8080"]) as allowing:
        allowing.client.create("b", 1, notify_url="https://APP.example/hooks?key=secret")
        allowing.client.create("c", 1, notify_url="http://local.example:8080/hooks")
        with pytest.raises(InvalidRequest, match="local"):
            allowing.client.create("d", 1, notify_url="https://local.example:8080/hooks")
    with pytest.raises(ValueError, match="must be host"), server(notify_hosts=["a b"]):
        pass


async def test_event_loops_report_and_watch(progress_server: Server) -> None:
    """AsyncClient and AsyncReporter work in the process that serves."""
    async with AsyncClient(progress_server.target) as client:
        await client.create("b", 1)
        async with AsyncReporter(progress_server.target, "b") as reporter:
            reporter.skipped("1")
        assert [one.skipped_jobs async for one in client.watch("b")][-1] == 1


def _report(target: str, job_id: str) -> None:
    with Reporter(target, "b") as reporter:
        reporter.succeeded(job_id)


@pytest.mark.more("starts processes that call through another one")
def test_forked_workers_report(progress_server: Server) -> None:
    """They neither hang nor stop the server of their parent."""
    progress_server.client.create("b", 2)
    context = multiprocessing.get_context("fork")
    for job_id in ("1", "2"):
        worker = context.Process(target=_report, args=(progress_server.target, job_id))
        worker.start()
        worker.join(SECONDS_MAX)
        assert worker.exitcode == 0
    assert progress_server.client.get("b").state is BatchState.COMPLETED


def test_a_server_has_no_batch_of_another_one() -> None:
    with server() as first, server() as second:
        first.client.create("b", 1)
        with pytest.raises(BatchNotFound):
            second.client.get("b")


def test_the_end_of_the_context_ends_server_and_watches() -> None:
    """A test that leaves a watch open does not keep the next one waiting."""
    with server() as running:
        running.client.create("b", 1)
        seen, ended = threading.Event(), threading.Event()

        def watch() -> None:
            with Client(running.target, retry=False) as client:
                states = client.watch("b")
                assert next(states).total_jobs == 1
                seen.set()
                with pytest.raises(Unavailable):
                    next(states)
                ended.set()

        watching = threading.Thread(target=watch)
        watching.start()
        assert seen.wait(SECONDS_MAX)
    assert ended.wait(SECONDS_MAX)
    watching.join(SECONDS_MAX)
    with Client(running.target, retry=False) as client, pytest.raises(Unavailable):
        client.get("b")


@pytest.mark.parametrize("total_jobs", [None, 2])
def test_a_watch_of_a_deleted_or_replaced_batch_ends_with_not_found(total_jobs: int | None) -> None:
    """Here the watcher has not received the end of the batch when it is deleted."""
    memory = Memory()
    memory.create(pb.CreateBatchRequest(batch_id="b", total_jobs=1))
    states = memory.states(pb.WatchBatchRequest(batch_id="b"), 0.0, None, lambda: True)
    assert next(states) is not None
    memory.change("b", MemoryBatch.cancel)
    memory.delete("b")
    if total_jobs is not None:
        memory.create(pb.CreateBatchRequest(batch_id="b", total_jobs=total_jobs))
    with pytest.raises(Refused, match="there is no batch b"):
        next(states)


def test_the_example_works() -> None:
    values = {"server": server, "Reporter": Reporter, "client": Client("127.0.0.1:1")}
    documented.run(documented.examples_of(inspect.unwrap(server)), values, "")


def test_similar_failures_are_recognised_by_the_same_code() -> None:
    """The client cannot import the server's module, so it has a copy."""
    copy = Path(batchprogress.testing.__file__).with_name("_fingerprint.py")
    assert copy.read_bytes() == (ROOT / "batches" / "fingerprint.py").read_bytes()
