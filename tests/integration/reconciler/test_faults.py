"""Queues that lie, stall and fail: nothing is written that may be wrong."""

import asyncio
from collections.abc import Callable

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse

from batches.batch import BatchState
from batches.result import JobResult, ResultSource
from batchprogress.v1 import job_status_pb2
from reconciler.decision.not_repaired import NotRepairedReason
from reconciler.output.wording import sentence
from reconciler.queue.client import TRIES_MAX
from reconciler.run.availability import UNANSWERED_IN_A_ROW_MAX
from reconciler.run.deadline import StopReason
from reconciler.run.result import RunReport
from tests.integration.reconciler.scenes import Scene, jobs
from tests.integration.store.steps import ago
from tests.support.queue_fake import (
    FakeBatch,
    FakeJob,
    QueueFake,
    failing,
    failing_at_random,
    served,
)

NOT_SERVING = HealthCheckResponse.NOT_SERVING
AWAY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)


def job_message(**fields: object) -> bytes:
    """Return a page of one job."""
    job = job_status_pb2.JobStatus(**fields)  # type: ignore[arg-type]
    return job_status_pb2.ListJobStatusesResponse(job_statuses=[job]).SerializeToString()


LIARS: dict[str, Callable[[], FakeBatch]] = {
    "counts that do not add up": lambda: FakeBatch(jobs(10), counts={"succeeded": 9}),
    "a negative count": lambda: FakeBatch(jobs(10), counts={"succeeded": 11, "failed": -1}),
    "a job twice": lambda: FakeBatch(jobs(10), listed=[*jobs(9), jobs(1)[0]]),
    "a list that is too long": lambda: FakeBatch(jobs(10), listed=jobs(11)),
    "a list that is too short": lambda: FakeBatch(jobs(10), listed=jobs(9)),
    "other outcomes than counted": lambda: FakeBatch(jobs(10), listed=jobs(10, failed=1)),
    "other jobs than those reported": lambda: FakeBatch([FakeJob(f"other-{n}") for n in range(10)]),
    "bytes that are not counts": lambda: FakeBatch(jobs(10), raw_status=b"\x0a\xff\xff"),
    "bytes that are not a page": lambda: FakeBatch(jobs(10), raw_page=b"\x0a\xff\xff"),
    "text that is not UTF-8": lambda: FakeBatch(jobs(10), raw_page=b"\x0a\x03\x0a\x01\xff"),
    "an unknown outcome": lambda: FakeBatch(jobs(10), raw_page=job_message(job_id="a", outcome=9)),
    "a job without an id": lambda: FakeBatch(jobs(10), raw_page=job_message(outcome=1)),
    "an id that is too long": lambda: FakeBatch(jobs(10), raw_page=job_message(job_id="a" * 129)),
    "an id with a space": lambda: FakeBatch(jobs(10), raw_page=job_message(job_id="a b")),
    "a negative attempt": lambda: FakeBatch(jobs(10), raw_page=job_message(job_id="a", attempt=-1)),
    "the same page forever": lambda: FakeBatch(jobs(10), same_token=True, listed=[]),
    "a page longer than requested": lambda: FakeBatch(
        jobs(5_200), raw_page=FakeBatch(jobs(5_000), lists_jobs=True).page("", 5_000).SerializeToString()
    ),
}


@pytest.mark.parametrize("liar", LIARS.values(), ids=LIARS)
async def test_a_batch_whose_queue_contradicts_itself_is_not_written(
    scene: Scene, liar: Callable[[], FakeBatch]
) -> None:
    """The contradiction is an error; the other batches are repaired."""
    await scene.batch("before", FakeBatch(jobs(2)))
    await scene.batch("lied-about", liar(), jobs(3))
    await scene.batch("after", FakeBatch(jobs(2)))
    untouched = await scene.store.get_batch("lied-about")
    report = await scene.run()
    assert (report.summary.completed, report.summary.errors) == (2, 1)
    assert report.summary.left == {NotRepairedReason.CONTRADICTION: 1}
    assert (await scene.store.get_batch("lied-about")).revision == untouched.revision
    assert not report.summary.is_clean


async def test_a_job_with_an_unspecified_outcome_is_pending(scene: Scene) -> None:
    """An unset outcome and an explicit 0 are the same; an attempt of 0 is the first."""
    raw_page = job_message(job_id="job-00000", outcome=0, attempt=0)
    await scene.batch("odd", FakeBatch(jobs(1, pending=1), raw_page=raw_page))
    assert (await scene.run()).summary.left == {NotRepairedReason.STILL_PENDING: 1}


async def run_without_changes(scene: Scene) -> RunReport:
    """Run a pass that must not change a row."""
    before = await scene.tables()
    report = await scene.run()
    assert await scene.tables() == before
    return report


async def test_a_pass_without_the_job_status_service_stops_after_a_few_batches(scene: Scene) -> None:
    """Nothing is written."""
    for number in range(20):
        await scene.batch(f"batch-{number}", FakeBatch(jobs(2)))
    async with served(QueueFake()) as target:
        pass
    scene.target = target  # nobody listens there any more
    scene.settings = {"concurrency": 1}
    report = await run_without_changes(scene)
    assert report.summary.cut_short == StopReason.QUEUE_UNAVAILABLE
    assert report.summary.looked_at == report.summary.errors == UNANSWERED_IN_A_ROW_MAX
    assert report.summary.not_looked_at == 20 - UNANSWERED_IN_A_ROW_MAX


@pytest.mark.parametrize("code", [*AWAY, grpc.StatusCode.PERMISSION_DENIED], ids=lambda code: code.name)
async def test_a_status_that_holds_for_every_batch_stops_the_pass(
    scene: Scene, code: grpc.StatusCode
) -> None:
    """Instead of hammering the service."""
    for number in range(10):
        await scene.batch(f"batch-{number}", FakeBatch(jobs(2)))
    scene.queue.failure, scene.queue.health = failing(code), NOT_SERVING
    report = await run_without_changes(scene)
    assert report.summary.cut_short
    assert report.summary.not_looked_at > 0


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.INTERNAL, NotRepairedReason.QUEUE_FAULT),
        (grpc.StatusCode.UNKNOWN, NotRepairedReason.QUEUE_FAULT),
        (grpc.StatusCode.UNIMPLEMENTED, NotRepairedReason.QUEUE_FAULT),
        (grpc.StatusCode.FAILED_PRECONDITION, NotRepairedReason.CONTRADICTION),
        (grpc.StatusCode.UNAVAILABLE, NotRepairedReason.QUEUE_UNAVAILABLE),
        (grpc.StatusCode.NOT_FOUND, NotRepairedReason.UNKNOWN_TO_QUEUE),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_an_error_with_one_batch_does_not_stop_the_others(
    scene: Scene, code: grpc.StatusCode, reason: NotRepairedReason
) -> None:
    """It is reported without the text of the queue's service, which may hold secrets."""
    for batch_id in ("before", "bad", "after"):
        await scene.batch(batch_id, FakeBatch(jobs(2)))
    scene.queue.failure = failing(code, "bad")
    report = await scene.run()
    assert (report.summary.completed, report.summary.left) == (2, {reason: 1})
    (bad,) = report.log.not_repaired[reason]
    assert bad.not_repaired is not None
    assert "secret" not in sentence(bad.not_repaired.details)
    assert report.summary.is_clean == (reason is NotRepairedReason.UNKNOWN_TO_QUEUE)


async def test_many_errors_of_a_service_that_answers_do_not_stop_the_pass(scene: Scene) -> None:
    """The batches behind them are repaired."""
    bad = [f"bad-{number}" for number in range(2 * UNANSWERED_IN_A_ROW_MAX)]
    for batch_id in (*bad, "good"):
        await scene.batch(batch_id, FakeBatch(jobs(2)))
    scene.queue.failure = failing(grpc.StatusCode.INTERNAL, *bad)
    report = await scene.run()
    assert (report.summary.completed, report.summary.errors, report.summary.cut_short) == (1, len(bad), "")


async def test_passes_over_an_unreliable_queue_end_all_batches_exactly(scene: Scene) -> None:
    """A third of its answers are errors."""
    for number in range(12):
        await scene.batch(f"batch-{number}", FakeBatch(jobs(20, failed=2)), jobs(20, failed=2)[number:])
    scene.queue.failure = failing_at_random(AWAY, share=0.3, seed=1_037)
    for _ in range(5):
        report = await scene.run()
        if report.summary.is_clean:
            break
    for number in range(12):
        batch = await scene.store.get_batch(f"batch-{number}")
        assert (batch.state, batch.tally.failed, batch.tally.ended) == (BatchState.COMPLETED, 2, 20)
    assert await scene.differences() == []


async def test_a_call_that_is_refused_is_retried_and_then_given_up(scene: Scene) -> None:
    """The other batches are repaired."""
    await scene.batch("refused", FakeBatch(jobs(2)))
    await scene.batch("good", FakeBatch(jobs(2)))
    scene.queue.failure = failing(grpc.StatusCode.UNAVAILABLE, "refused")
    report = await scene.run()
    assert (report.summary.completed, report.summary.left) == (1, {NotRepairedReason.QUEUE_UNAVAILABLE: 1})
    assert scene.queue.calls.count(("GetBatchStatus", "refused")) == TRIES_MAX


async def test_a_batch_that_gets_a_report_meanwhile_is_checked_again(scene: Scene) -> None:
    """It ends with every result counted once."""
    await scene.batch("moving", FakeBatch(jobs(10, failed=1)), jobs(10)[5:])

    async def report_one(batch_id: str, _token: str) -> None:
        scene.queue.before_page = None
        await scene.report(batch_id, jobs(10)[2:3])

    scene.queue.before_page = report_one
    report = await scene.run()
    batch = await scene.store.get_batch("moving")
    assert (batch.state, batch.tally.ended, batch.reconciled_jobs) == (BatchState.COMPLETED, 10, 4)
    assert (report.summary.results_recorded, report.summary.is_clean) == (4, True)


async def test_a_report_between_the_decision_and_the_write_prevents_the_write(scene: Scene) -> None:
    """The batch is checked again, and the write that did not happen is not reported."""
    await scene.batch("moving", FakeBatch(jobs(10), lists_jobs=False), jobs(10)[5:])
    stall = scene.queue.stall("moving")
    run = asyncio.create_task(scene.run())
    await stall.reached.wait()
    await scene.report("moving", jobs(10)[2:3])
    stall.over.set()
    report = await run
    batch = await scene.store.get_batch("moving")
    assert (batch.state, batch.tally.ended, batch.unattributed.ended) == (BatchState.COMPLETED, 10, 4)
    assert (report.summary.results_counted, report.summary.is_clean) == (4, True)


async def test_a_batch_that_the_queue_forgets_meanwhile_is_unknown_to_it(scene: Scene) -> None:
    """A forgotten batch is not an error."""
    await scene.batch("pruned", FakeBatch(jobs(6_000)))

    async def forget(batch_id: str, _token: str) -> None:
        scene.queue.batches.pop(batch_id, None)

    scene.queue.before_page = forget
    report = await scene.run()
    assert report.summary.left == {NotRepairedReason.UNKNOWN_TO_QUEUE: 1}
    assert report.summary.is_clean


async def test_a_batch_that_keeps_getting_reports_is_not_repaired(scene: Scene) -> None:
    """It is not stuck, and that is not an error."""
    await scene.batch("moving", FakeBatch(jobs(10)))
    unreported = iter(jobs(10))

    async def report_one(batch_id: str, _token: str) -> None:
        await scene.report(batch_id, [next(unreported)])

    scene.queue.before_page = report_one
    report = await scene.run()
    assert report.summary.left == {NotRepairedReason.CHANGED_MEANWHILE: 1}
    assert (report.summary.changed_meanwhile, report.summary.is_clean) == (1, True)


async def test_a_list_that_disagrees_with_outdated_counts_is_read_again(scene: Scene) -> None:
    """It is a contradiction only if the counts have not changed."""
    in_queue = FakeBatch(jobs(10), listed=jobs(11))
    await scene.batch("growing", in_queue, jobs(5), sealed=False)

    async def add_a_job(_batch_id: str, _token: str) -> None:
        in_queue.jobs = jobs(11)

    scene.queue.before_page = add_a_job
    await scene.run()
    batch = await scene.store.get_batch("growing")
    assert (batch.state, batch.total_jobs) == (BatchState.COMPLETED, 11)


async def test_a_list_that_changes_between_portions_is_an_error(scene: Scene) -> None:
    """Recorded results stay, and the next pass continues; a dry run reports the same.

    The list is whole again when it is read a third time, which neither may do.
    """
    many = jobs(12_000)
    in_queue = FakeBatch(many)
    await scene.batch("large", in_queue)
    pages_seen: list[str] = []

    async def drop_the_last(_batch_id: str, token: str) -> None:
        pages_seen.append(token)
        in_queue.listed = many[:-1] if pages_seen.count(token) == 2 else many

    scene.queue.before_page = drop_the_last
    dry = await scene.run(dry_run=True)
    pages_seen.clear()
    report = await scene.run()
    assert dry.summary.results_recorded == report.summary.results_recorded
    assert dry.summary.left == report.summary.left == {NotRepairedReason.CONTRADICTION: 1}
    assert 0 < (await scene.store.get_batch("large")).tally.ended < 12_000
    scene.queue.before_page, in_queue.listed = None, None
    assert (await scene.run()).summary.completed == 1
    assert (await scene.store.get_batch("large")).tally.ended == 12_000
    assert await scene.differences() == []


async def test_a_batch_that_ends_and_is_deleted_meanwhile_is_not_an_error(scene: Scene) -> None:
    """There is nothing to repair."""
    await scene.batch("gone", FakeBatch(jobs(2)))

    async def end_and_delete(batch_id: str, _token: str) -> None:
        scene.queue.before_page = None
        await scene.store.record_results(
            [JobResult(batch_id, job.job_id, job.outcome) for job in jobs(2)],  # type: ignore[arg-type]
            ResultSource.WORKER,
        )
        await scene.store.purge_ended(ago(0))

    scene.queue.before_page = end_and_delete
    report = await scene.run()
    assert report.summary.left == {NotRepairedReason.ENDED: 1}
    assert report.summary.is_clean
