"""Queues that lie, stall, die and gibber: nothing is written that is not known to be true."""

from collections.abc import Callable

import grpc
import pytest

from batches.batch import BatchState
from batches.result import JobResult, ResultSource
from batchprogress.v1 import job_status_pb2
from reconciler.decision.not_repaired import LeaveKind
from reconciler.run.sweep import PassReport
from reconciler.run.workers import UNAVAILABLE_IN_A_ROW_MAX
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import (
    FakeBatch,
    FakeJob,
    QueueFake,
    failing,
    failing_at_random,
    served,
)

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
    "bytes that are no counts": lambda: FakeBatch(jobs(10), raw_status=b"\x0a\xff\xff"),
    "bytes that are no page": lambda: FakeBatch(jobs(10), raw_page=b"\x0a\xff\xff"),
    "text that is no UTF-8": lambda: FakeBatch(jobs(10), raw_page=b"\x0a\x03\x0a\x01\xff"),
    "an outcome that there is not": lambda: FakeBatch(jobs(10), raw_page=job_message(job_id="a", outcome=9)),
    "a job without an id": lambda: FakeBatch(jobs(10), raw_page=job_message(outcome=1)),
    "an id that is too long": lambda: FakeBatch(jobs(10), raw_page=job_message(job_id="a" * 129)),
    "an id that is no identifier": lambda: FakeBatch(jobs(10), raw_page=job_message(job_id="a b")),
    "a negative attempt": lambda: FakeBatch(jobs(10), raw_page=job_message(job_id="a", attempt=-1)),
    "the same page for ever": lambda: FakeBatch(jobs(10), same_token=True, listed=[]),
    "a page longer than asked for": lambda: FakeBatch(
        jobs(5_200), raw_page=FakeBatch(jobs(5_000), lists_jobs=True).page("", 5_000).SerializeToString()
    ),
}


@pytest.mark.parametrize("liar", LIARS.values(), ids=LIARS)
async def test_lies(scene: Scene, liar: Callable[[], FakeBatch]) -> None:
    """A queue that contradicts itself is an error; nothing of the batch is written, the others go on."""
    await scene.batch("before", FakeBatch(jobs(2)))
    await scene.batch("lied-about", liar(), jobs(3))
    await scene.batch("after", FakeBatch(jobs(2)))
    untouched = await scene.store.get_batch("lied-about")
    report = await scene.run()
    assert (report.result.completed, report.result.errors) == (2, 1)
    assert report.result.left == {LeaveKind.CONTRADICTION: 1}
    assert (await scene.store.get_batch("lied-about")).revision == untouched.revision
    assert not report.result.is_clean


async def test_an_explicit_unspecified_outcome_is_pending(scene: Scene) -> None:
    """A job whose outcome is not set, or set to nothing, counts as pending, and its attempt as the first."""
    raw_page = job_message(job_id="job-00000", outcome=0, attempt=0)
    await scene.batch("odd", FakeBatch(jobs(1, pending=1), raw_page=raw_page))
    assert (await scene.run()).result.left == {LeaveKind.STILL_PENDING: 1}


async def dump_and_run(scene: Scene) -> PassReport:
    """Run a pass that must not change a row."""
    before = await scene.tables()
    report = await scene.run()
    assert await scene.tables() == before
    return report


async def test_away(scene: Scene) -> None:
    """While the job-status service is away nothing is written, and the pass gives up after a few batches."""
    for number in range(20):
        await scene.batch(f"batch-{number}", FakeBatch(jobs(2)))
    async with served(QueueFake()) as target:
        pass
    scene.target = target  # nobody listens there any more
    scene.settings = {"concurrency": 1}
    report = await dump_and_run(scene)
    assert report.result.cut_short == "the job-status service does not answer"
    assert report.result.looked_at == report.result.errors == UNAVAILABLE_IN_A_ROW_MAX
    assert report.result.not_looked_at == 20 - UNAVAILABLE_IN_A_ROW_MAX


@pytest.mark.parametrize("code", [*AWAY, grpc.StatusCode.PERMISSION_DENIED], ids=lambda code: code.name)
async def test_answers_that_mean_away(scene: Scene, code: grpc.StatusCode) -> None:
    """A status that holds for every batch ends the pass instead of hammering the service."""
    for number in range(10):
        await scene.batch(f"batch-{number}", FakeBatch(jobs(2)))
    scene.queue.failure = failing(code)
    report = await dump_and_run(scene)
    assert report.result.cut_short
    assert report.result.not_looked_at > 0


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INTERNAL, LeaveKind.QUEUE_FAULT),
        (grpc.StatusCode.UNKNOWN, LeaveKind.QUEUE_FAULT),
        (grpc.StatusCode.UNIMPLEMENTED, LeaveKind.QUEUE_FAULT),
        (grpc.StatusCode.FAILED_PRECONDITION, LeaveKind.CONTRADICTION),
        (grpc.StatusCode.UNAVAILABLE, LeaveKind.QUEUE_UNAVAILABLE),
        (grpc.StatusCode.NOT_FOUND, LeaveKind.UNKNOWN_TO_QUEUE),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_one_bad_batch(scene: Scene, code: grpc.StatusCode, kind: LeaveKind) -> None:
    """What goes wrong with one batch is told of it, without a word of the queue's, and the others go on."""
    for batch_id in ("before", "bad", "after"):
        await scene.batch(batch_id, FakeBatch(jobs(2)))
    scene.queue.failure = failing(code, "bad")
    report = await scene.run()
    assert (report.result.completed, report.result.left) == (2, {kind: 1})
    (bad,) = report.record.left[kind]
    assert bad.left is not None
    assert "secret" not in bad.left.reason
    assert report.result.is_clean == (kind is LeaveKind.UNKNOWN_TO_QUEUE)


async def test_many_bad_batches_do_not_stop_the_pass(scene: Scene) -> None:
    """A service that answers, with however many errors, is not away: the batches behind them are reached."""
    bad = [f"bad-{number}" for number in range(2 * UNAVAILABLE_IN_A_ROW_MAX)]
    for batch_id in (*bad, "good"):
        await scene.batch(batch_id, FakeBatch(jobs(2)))
    scene.queue.failure = failing(grpc.StatusCode.INTERNAL, *bad)
    report = await scene.run()
    assert (report.result.completed, report.result.errors, report.result.cut_short) == (1, len(bad), "")


async def test_a_third_of_all_answers_are_errors(scene: Scene) -> None:
    """Passes over a queue that fails every third time end all batches, exactly."""
    for number in range(12):
        await scene.batch(f"batch-{number}", FakeBatch(jobs(20, failed=2)), jobs(20, failed=2)[number:])
    scene.queue.failure = failing_at_random(AWAY, share=0.3, seed=1_037)
    for _ in range(5):
        report = await scene.run()
        if report.result.is_clean:
            break
    for number in range(12):
        batch = await scene.store.get_batch(f"batch-{number}")
        assert (batch.state, batch.tally.failed, batch.tally.ended) == (BatchState.COMPLETED, 2, 20)
    assert await scene.differences() == []


async def test_a_service_that_stalls(scene: Scene) -> None:
    """A call that is not answered in its time is tried again, then given up; the other batches go on."""
    await scene.batch("stalled", FakeBatch(jobs(2)))
    await scene.batch("good", FakeBatch(jobs(2)))
    stall = scene.queue.stall("stalled")
    scene.settings = {"job_status_seconds_max": 0.1}
    report = await scene.run()
    stall.over.set()
    assert (report.result.completed, report.result.left) == (1, {LeaveKind.QUEUE_UNAVAILABLE: 1})
    assert scene.queue.calls.count(("GetBatchStatus", "stalled")) > 1


async def test_reports_that_come_meanwhile(scene: Scene) -> None:
    """A batch that gets a report while it is looked at is looked at again, and ends right."""
    await scene.batch("moving", FakeBatch(jobs(10, failed=1)), jobs(10)[5:])

    async def report_one(batch_id: str, _token: str) -> None:
        scene.queue.before_page = None
        await scene.report(batch_id, jobs(10)[2:3])

    scene.queue.before_page = report_one
    report = await scene.run()
    batch = await scene.store.get_batch("moving")
    assert (batch.state, batch.tally.ended, batch.reconciled_jobs) == (BatchState.COMPLETED, 10, 4)
    assert (report.result.results_recorded, report.result.is_clean) == (4, True)


async def test_forgotten_by_the_queue_meanwhile(scene: Scene) -> None:
    """A batch that the queue forgets between two calls is unknown to it, and that is no error."""
    await scene.batch("pruned", FakeBatch(jobs(6_000)))

    async def forget(batch_id: str, _token: str) -> None:
        scene.queue.batches.pop(batch_id, None)

    scene.queue.before_page = forget
    report = await scene.run()
    assert report.result.left == {LeaveKind.UNKNOWN_TO_QUEUE: 1}
    assert report.result.is_clean


async def test_a_batch_that_always_moves(scene: Scene) -> None:
    """A batch that gets a report each time it is looked at is left; it is not stuck, and that is no error."""
    await scene.batch("moving", FakeBatch(jobs(10)))
    unreported = iter(jobs(10))

    async def report_one(batch_id: str, _token: str) -> None:
        await scene.report(batch_id, [next(unreported)])

    scene.queue.before_page = report_one
    report = await scene.run()
    assert report.result.left == {LeaveKind.CHANGED_MEANWHILE: 1}
    assert (report.result.changed_meanwhile, report.result.is_clean) == (1, True)


async def test_a_queue_that_moves_meanwhile(scene: Scene) -> None:
    """A list that disagrees with counts read before is no contradiction if the counts have moved since."""
    in_queue = FakeBatch(jobs(10), listed=jobs(11))
    await scene.batch("growing", in_queue, jobs(5), sealed=False)

    async def add_a_job(_batch_id: str, _token: str) -> None:
        in_queue.jobs = jobs(11)

    scene.queue.before_page = add_a_job
    await scene.run()
    batch = await scene.store.get_batch("growing")
    assert (batch.state, batch.total_jobs) == (BatchState.COMPLETED, 11)


async def test_a_list_that_changes_between_portions(scene: Scene) -> None:
    """A list that changes between portions is an error; what was recorded stays, the next pass goes on."""
    many = jobs(12_000)
    in_queue = FakeBatch(many)
    await scene.batch("large", in_queue)
    pages_seen: list[str] = []

    async def drop_the_last(_batch_id: str, token: str) -> None:
        pages_seen.append(token)
        in_queue.listed = many if pages_seen.count(token) == 1 else many[:-1]

    scene.queue.before_page = drop_the_last
    dry = await scene.run(dry_run=True)
    pages_seen.clear()
    report = await scene.run()
    assert dry.result.results_recorded == report.result.results_recorded
    assert report.result.left == {LeaveKind.CONTRADICTION: 1}
    assert 0 < (await scene.store.get_batch("large")).tally.ended < 12_000
    scene.queue.before_page, in_queue.listed = None, None
    assert (await scene.run()).result.completed == 1
    assert (await scene.store.get_batch("large")).tally.ended == 12_000
    assert await scene.differences() == []


async def test_deleted_meanwhile(scene: Scene) -> None:
    """A batch that ends and is deleted while it is looked at is left, and that is no error."""
    await scene.batch("gone", FakeBatch(jobs(2)))

    async def end_and_delete(batch_id: str, _token: str) -> None:
        scene.queue.before_page = None
        await scene.store.record_results(
            [JobResult(batch_id, job.job_id, job.outcome) for job in jobs(2)],  # type: ignore[arg-type]
            ResultSource.WORKER,
        )
        await scene.store.purge_ended(0)

    scene.queue.before_page = end_and_delete
    report = await scene.run()
    assert report.result.left == {LeaveKind.ENDED: 1}
    assert report.result.is_clean
