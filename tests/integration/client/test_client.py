"""Client and AsyncClient against a real server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from batches.look import Look, PendingJob, QueuePending
from batches.passes import PassKind, PassNumbers
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress import (
    AsyncClient,
    AsyncReporter,
    BatchCancelled,
    BatchCompleted,
    BatchConflict,
    BatchEnded,
    BatchNotFound,
    BatchProcessing,
    BatchSealed,
    BatchState,
    CallFailed,
    Client,
    InvalidRequest,
    JobOutcome,
    Reporter,
    RequestConflict,
    WaitTimeout,
)
from batchprogress.v1 import progress_pb2 as pb
from process.version import VERSION
from tests.integration.client.either import Either, opened
from tests.support.progress import Served

SECONDS_MAX = 60.0


@pytest_asyncio.fixture(params=[Client, AsyncClient])
async def client(request: pytest.FixtureRequest, target: str) -> AsyncIterator[Either]:
    """A client of either kind."""
    async with opened(request.param, target) as either:
        yield either


async def test_a_batch_is_read_as_it_was_created(client: Either) -> None:
    """Every field arrives as a plain Python value, and the message is kept."""
    batch = await client.call("create", "b", 3, sealed=False, display_name="B", labels={"team": "a"})
    assert (batch.batch_id, batch.display_name, batch.labels) == ("b", "B", {"team": "a"})
    assert (batch.state, batch.sealed, batch.has_ended) == (BatchState.PROCESSING, False, False)
    assert (batch.total_jobs, batch.pending_jobs, batch.ended_jobs, batch.revision) == (3, 3, 0, 1)
    assert abs(batch.create_time - datetime.now(UTC)) < timedelta(minutes=5)
    assert (batch.last_result_time, batch.complete_time, batch.estimated_complete_time) == (None, None, None)
    assert batch.message.batch_id == "b"
    assert await client.call("get", "b") == batch


async def test_a_batch_without_an_id_gets_one(client: Either) -> None:
    """Each call with None as the id creates another batch."""
    first, second = await client.call("create", None, 1), await client.call("create", None, 1)
    assert first.batch_id != second.batch_id


async def test_an_ended_batch_is_returned_refused_or_replaced(
    client: Either, progress: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """Five failures of the second night are never five successes of the first in silence."""
    for number in range(5):
        assert (await client.call("create", "b", 5, if_ended="error")).succeeded_jobs == number
        await progress.report("b", f"j{number}")
    assert caplog.messages == []
    assert (await client.call("create", "b", 5)).succeeded_jobs == 5
    assert "batch 'b' was not created: it exists and was completed at" in caplog.text
    with pytest.raises(BatchEnded, match=r"was completed at .* give each run an id of its own") as raised:
        await client.call("create", "b", 5, if_ended="error")
    assert (raised.value.reason, raised.value.batch_id) == ("BATCH_ENDED", "b")
    assert (await client.call("create", "b", 5, if_ended="replace")).succeeded_jobs == 0
    for number in range(5):
        await progress.report("b", f"j{number}", pb.JOB_OUTCOME_FAILED)
    assert (await client.call("get", "b")).failed_jobs == 5


async def test_jobs_are_added_once_for_each_request_id(client: Either) -> None:
    """The same addition again adds nothing, one without a request_id adds each time; seal ends it."""
    await client.call("create", "b", 0, sealed=False)
    for _ in range(2):
        await client.call("add_jobs", "b", 10, "page-1")
        await client.call("add_jobs", "b", 1)
    batch = await client.call("seal", "b")
    assert (batch.total_jobs, batch.sealed) == (12, True)


async def test_cancel_ends_a_batch(client: Either) -> None:
    """The answer is the cancelled batch."""
    await client.call("create", "b", 1)
    batch = await client.call("cancel", "b")
    assert (batch.state, batch.has_ended) == (BatchState.CANCELLED, True)
    assert batch.complete_time is not None


async def test_lists_are_read_page_by_page(client: Either) -> None:
    """Every item comes once and in order, whatever the size of a page; filters hold on each page."""
    for number in range(5):
        await client.call("create", f"b{number}", 1, labels={"team": "a" if number else "b"})
    await client.call("cancel", "b3")
    listed = await client.every("list", page_size=2)
    assert [batch.batch_id for batch in listed] == ["b4", "b3", "b2", "b1", "b0"]
    filtered = await client.every("list", page_size=2, labels={"team": "a"}, state=BatchState.PROCESSING)
    assert [batch.batch_id for batch in filtered] == ["b4", "b2", "b1"]


async def test_a_page_is_read_when_it_is_reached(target: str, progress: Served) -> None:
    """The first page asks the server once, and its token continues after it."""
    for number in range(3):
        await progress.create(f"b{number}", 1)
    async with opened(AsyncClient, target) as either:
        assert isinstance(either.client, AsyncClient)
        page = await anext(either.client.list(page_size=2).pages())
        assert [batch.batch_id for batch in page.items] == ["b2", "b1"]
        rest = await either.every("list", page_size=2, page_token=page.next_page_token)
        assert [batch.batch_id for batch in rest] == ["b0"]


async def test_results_and_failures(client: Either, progress: Served) -> None:
    """Results come in the order of their ids, by outcome if asked; failures come in groups."""
    await progress.create("b", 3)
    failed = pb.JOB_OUTCOME_FAILED
    await progress.report("b", "j2", failed, error_type="E", error_message="row 17 is bad", attempt=2)
    await progress.report("b", "j1", display_name="sync_row(17)")
    results = await client.every("results", "b", page_size=1)
    assert [(one.job_id, one.outcome, one.display_name) for one in results] == [
        ("j1", JobOutcome.SUCCEEDED, "sync_row(17)"),
        ("j2", JobOutcome.FAILED, ""),
    ]
    (result,) = await client.every("results", "b", outcome=JobOutcome.FAILED)
    assert (result.attempt, result.error_type, result.error_message) == (2, "E", "row 17 is bad")
    assert (result.reconciled, result.record_time.tzinfo) == (False, UTC)
    (group,) = await client.every("failures", "b", page_size=1)
    assert await client.every("results", "b", fingerprint=group.fingerprint) == [result]
    assert await client.every("results", "b", fingerprint="0123456789abcdef") == []
    assert (group.failed_jobs, group.error_type, group.sample_job_id) == (1, "E", "j2")
    assert group.message_template == "row <*> is bad"
    assert await client.every("repairs", "b") == []


async def test_what_the_server_refuses_raises_its_own_error(client: Either) -> None:
    """Each reason has a class; the error names the batch, the reason and what to do."""
    await client.call("create", "b", 1)
    await client.call("create", "grows", 1, sealed=False)
    await client.call("add_jobs", "grows", 1, "r")
    await client.call("create", "done", 0)
    await client.call("create", "gone", 1, sealed=False)
    await client.call("cancel", "gone")
    for error_type, name, arguments, reason in (
        (BatchNotFound, "get", ("nope",), "BATCH_NOT_FOUND"),
        (BatchConflict, "create", ("b", 2), "BATCH_CONFLICT"),
        (BatchSealed, "add_jobs", ("b", 1), "BATCH_SEALED"),
        (BatchCancelled, "add_jobs", ("gone", 1), "BATCH_CANCELLED"),
        (BatchCompleted, "cancel", ("done",), "BATCH_COMPLETED"),
        (BatchProcessing, "delete", ("b",), "BATCH_PROCESSING"),
        (RequestConflict, "add_jobs", ("grows", 2, "r"), "REQUEST_CONFLICT"),
        (InvalidRequest, "create", ("b", -1), "INVALID_FIELD"),
    ):
        with pytest.raises(CallFailed) as raised:
            await client.call(name, *arguments)
        error = raised.value
        assert (type(error), error.reason, error.batch_id) == (error_type, reason, arguments[0])
        assert repr(arguments[0]) in str(error)
    with pytest.raises(InvalidRequest, match="total_jobs must be") as invalid:
        await client.call("create", "b", -1)
    assert [violation.field for violation in invalid.value.violations] == ["total_jobs"]
    for name in ("results", "repairs", "watch"):
        with pytest.raises(LookupError, match="'nope'"):
            await client.every(name, "nope")


async def test_deleted_batch_does_not_exist(client: Either) -> None:
    """The call may be repeated, and the id used again."""
    await client.call("create", "b", 2)
    await client.call("cancel", "b")
    for _ in range(2):
        assert await client.call("delete", "b") is None
    with pytest.raises(BatchNotFound):
        await client.call("get", "b")
    assert (await client.call("create", "b", 5)).total_jobs == 5


async def test_passes_of_the_reconciler(client: Either, tmp_path: Path) -> None:
    """The newest is first; one that runs has no end."""
    assert await client.every("passes") == []
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/t.db", connections_max=1)
    store = BatchStore(database)
    numbers = PassNumbers(
        batches_looked_at=2, batches_repaired=1, batches_left={"still_pending": 1}, errors=1
    )
    await store.end_pass(await store.begin_pass(PassKind(manual=True)), numbers)
    await store.begin_pass()
    await database.close()
    running, ended = await client.every("passes", page_size=1)
    assert (running.end_time, running.manual, running.cut_short) == (None, False, "")
    assert (ended.manual, ended.batches_looked_at, ended.batches_repaired) == (True, 2, 1)
    assert (ended.batches_left, ended.errors) == ({"still_pending": 1}, 1)
    info = await client.call("server_info")
    assert info.last_pass_time == ended.end_time
    assert (info.version, info.caller, info.batch_prefix) == (VERSION, "", "")
    assert info.roles == ("worker", "reader", "operator")
    assert info.database.startswith("SQLite 3.")


async def test_pending_jobs_are_those_that_the_reconciler_found(client: Either, tmp_path: Path) -> None:
    """Without a look, there are neither jobs nor a time."""
    await client.call("create", "b", 3)
    assert (await client.call("pending_jobs", "b")).look_time is None
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/t.db", connections_max=1)
    found = QueuePending(1, lists_jobs=True, first_jobs=(PendingJob("17", "sync_row", 2),))
    await BatchStore(database).record_look(Look("b", "still_pending", "1 job is still pending", found))
    await database.close()
    pending = await client.call("pending_jobs", "b")
    assert [(job.job_id, job.display_name, job.attempt) for job in pending.jobs] == [("17", "sync_row", 2)]
    assert pending.reason == "1 job is still pending"
    assert abs(pending.look_time - datetime.now(UTC)) < timedelta(minutes=5)
    with pytest.raises(BatchNotFound):
        await client.call("pending_jobs", "nope")


async def test_history_is_read_as_points(client: Either, progress: Served) -> None:
    batch = await client.call("create", "b", 2)
    await progress.report("b", "j", pb.JOB_OUTCOME_FAILED)
    first, last = await client.call("history", "b")
    assert (first.time, first.total_jobs, first.ended_jobs) == (batch.create_time, 2, 0)
    assert (last.ended_jobs, last.failed_jobs, last.succeeded_jobs) == (1, 1, 0)
    with pytest.raises(BatchNotFound):
        await client.call("history", "nope")


async def test_a_rate_is_read_with_the_time_that_it_holds(client: Either, progress: Served) -> None:
    await client.call("create", "b", 3)
    assert (await client.call("get", "b")).pace_holds_for is None
    await progress.report("b", "j")
    batch = await client.call("get", "b")
    assert batch.jobs_per_second > 0
    assert timedelta(0) < batch.pace_holds_for <= timedelta(hours=1)


async def test_wait_returns_the_ended_batch(client: Either, progress: Served) -> None:
    """Neither a restart nor a state in between ends the wait."""
    await progress.create("b", 1)
    waiting = asyncio.create_task(client.call("wait", "b", SECONDS_MAX))
    await progress.report("b", "j")
    assert (await waiting).state is BatchState.COMPLETED


async def test_wait_raises_with_the_last_state(client: Either, progress: Served) -> None:
    """WaitTimeout is a TimeoutError and holds the batch."""
    await progress.create("b", 2)
    await progress.report("b", "j")
    with pytest.raises(TimeoutError, match="1 of 2 jobs have a result") as raised:
        await client.call("wait", "b", 0.5)
    assert isinstance(raised.value, WaitTimeout)
    assert raised.value.batch is not None
    assert raised.value.batch.succeeded_jobs == 1


async def test_a_reporter_reports_to_the_same_server(client: Either) -> None:
    """It has the batch, the address and the token of its client."""
    await client.call("create", "b", 1)
    reporter = client.client.reporter("b", strict=True)
    reporter.succeeded("j")
    if isinstance(reporter, AsyncReporter):
        await reporter.close()
    else:
        assert isinstance(reporter, Reporter)
        await asyncio.to_thread(reporter.close)
    assert (await client.call("get", "b")).state is BatchState.COMPLETED


async def test_a_closed_client_opens_again(client: Either) -> None:
    """A call after close opens another connection."""
    await client.call("create", "b", 1)
    await client.call("close")
    assert (await client.call("get", "b")).total_jobs == 1
