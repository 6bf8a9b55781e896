"""Pages, changes for watchers and refusals at the edge of the progress server; on SQLite."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import grpc
import pytest
import pytest_asyncio

from batches.errors import DatabaseUnavailable
from batches.repair import RepairPlan
from batches.result import JobOutcome, JobResult
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from services.progress import change_feed, requests
from services.progress.errors import BacklogFull
from services.progress.group_commit import GroupCommit
from tests.support.answers import answered
from tests.support.progress import Served, served

SECONDS_MAX = 20.0


@pytest_asyncio.fixture
async def server(sqlite_url: str) -> AsyncIterator[Served]:
    """Serve over a new database file."""
    async with served(sqlite_url) as server:
        yield server


async def repair(url: str, batch_id: str, revision: int, job_id: str) -> None:
    """Record a job as the reconciler does."""
    database = Database(url, connections_max=1)
    results = (JobResult(batch_id, job_id, JobOutcome.SUCCEEDED),)
    plan = RepairPlan(batch_id, revision, f"repair of {job_id}", results)
    assert await BatchStore(database).write_repair(plan) is not None
    await database.close()


async def test_repairs_are_listed_newest_first_in_pages(server: Served, sqlite_url: str) -> None:
    """ListRepairs returns every repair of the batch exactly once."""
    await server.create("b", 9)
    for revision, job_id in enumerate(("j1", "j2", "j3"), start=1):
        await repair(sqlite_url, "b", revision, job_id)
    reasons, token = [], ""
    for _ in range(3):
        page = await server.stub.ListRepairs(
            pb.ListRepairsRequest(batch_id="b", page_size=1, page_token=token)
        )
        reasons += [one.reason for one in page.repairs]
        token = page.next_page_token
    assert (reasons, token) == (["repair of j3", "repair of j2", "repair of j1"], "")


@pytest.mark.parametrize(
    "other",
    [
        pb.ListJobResultsRequest(batch_id="b2"),
        pb.ListJobResultsRequest(batch_id="b1", outcome=pb.JOB_OUTCOME_SUCCEEDED),
    ],
    ids=["another batch", "another outcome"],
)
async def test_page_token_of_results_is_valid_only_for_its_listing(
    server: Served, other: pb.ListJobResultsRequest
) -> None:
    for batch_id in ("b1", "b2"):
        await server.create(batch_id, 2)
        for job_id in ("j1", "j2"):
            await server.report(batch_id, job_id)
    page = await server.stub.ListJobResults(pb.ListJobResultsRequest(batch_id="b1", page_size=1))
    other.page_token = page.next_page_token
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await server.stub.ListJobResults(other)
    assert answered(caught.value).fields == ("page_token",)


CHANGES: dict[str, Any] = {
    "AddJobs": pb.AddJobsRequest(batch_id="b", additional_jobs=1, request_id="r"),
    "SealBatch": pb.SealBatchRequest(batch_id="b"),
    "CancelBatch": pb.CancelBatchRequest(batch_id="b"),
    "ReportJobResult": pb.ReportJobResultRequest(batch_id="b", job_id="j", outcome=pb.JOB_OUTCOME_SUCCEEDED),
}


@pytest.mark.parametrize("method", CHANGES)
async def test_watcher_sees_a_change_of_its_own_server_before_the_next_tick(
    sqlite_url: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_feed, "TICK_SECONDS", 3_600.0)
    async with asyncio.timeout(SECONDS_MAX), served(sqlite_url) as server:
        await server.create("b", 3, sealed=False)
        watch = server.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"))
        first = await watch.read()
        assert isinstance(first, pb.WatchBatchResponse)
        await getattr(server.stub, method)(CHANGES[method])
        following = await watch.read()
        assert isinstance(following, pb.WatchBatchResponse)
        assert following.batch.revision == first.batch.revision + 1
        watch.cancel()


async def test_watch_fails_at_its_begin_if_the_database_is_away(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for the database to come back."""

    async def away(*_: object) -> NoReturn:
        raise DatabaseUnavailable

    await server.create("b", 1)
    monkeypatch.setattr(Database, "read", away)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await server.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"), timeout=SECONDS_MAX).read()
    assert answered(caught.value).reason == "DATABASE_UNAVAILABLE"


def report(batch_id: str, jobs: int) -> pb.ReportJobResultsRequest:
    """Return a request with a number of results."""
    return pb.ReportJobResultsRequest(
        results=[
            pb.ReportJobResultRequest(batch_id=batch_id, job_id=f"j{job}", outcome=pb.JOB_OUTCOME_SUCCEEDED)
            for job in range(jobs)
        ]
    )


async def test_full_backlog_refuses_a_call_before_its_results_are_read(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a full server would spend its time on calls that it refuses."""
    parsed: list[pb.ReportJobResultRequest] = []

    def full(_: GroupCommit, size: int, request_bytes: int, *_others: object) -> NoReturn:
        assert (size, request_bytes) == (2, report("b", 2).ByteSize())
        raise BacklogFull

    monkeypatch.setattr(GroupCommit, "admit", full)
    monkeypatch.setattr(requests, "to_result", parsed.append)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await server.stub.ReportJobResults(report("b", 2))
    answer = answered(caught.value)
    assert (answer.reason, answer.retry_seconds, parsed) == ("BACKLOG_FULL", 0.5, [])


async def test_accepted_results_are_recorded_by_the_last_flush(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This includes the results of a call that the end of the drain cancels."""
    entered, may_commit = asyncio.Event(), asyncio.Event()
    record, close = BatchStore.record_results, GroupCommit.close

    async def held(store: BatchStore, *arguments: Any, **options: Any) -> Any:
        entered.set()
        await may_commit.wait()
        return await record(store, *arguments, **options)

    def closed(commit: GroupCommit) -> None:
        close(commit)
        may_commit.set()

    monkeypatch.setattr(BatchStore, "record_results", held)
    monkeypatch.setattr(GroupCommit, "close", closed)
    async with asyncio.timeout(SECONDS_MAX):
        async with served(sqlite_url, drain_seconds=0) as server:
            await server.create("b", 1)
            call = asyncio.ensure_future(server.report("b", "j"))
            await entered.wait()
        await asyncio.gather(call, return_exceptions=True)
        async with served(sqlite_url) as server:
            assert (await server.get("b")).succeeded_jobs == 1
