"""Batches about which the job-status service does not answer, and a service that answers nobody."""

import asyncio

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse

from reconciler.decision.not_repaired import NotRepairedReason
from reconciler.output.wording import sentence
from reconciler.run.deadline import StopReason
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.eventually import eventually
from tests.support.queue_fake import FakeBatch, failing

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
CALL_SECONDS_MAX = 1.0
"""Longer than a true answer takes on a busy machine; slow batches cost this much each."""
SLOW, GOOD = 8, 12
UNANSWERED = {
    "a service whose health check answers": SERVING,
    "a service without a health check": None,
}


async def slow_and_good(scene: Scene) -> None:
    """Create batches whose listing is too slow for a call, before others."""
    for number in range(SLOW):
        await scene.batch(f"slow-{number}", FakeBatch(jobs(2)))
    for number in range(GOOD):
        await scene.batch(f"good-{number}", FakeBatch(jobs(2)))
    scene.settings = {"job_status_seconds_max": CALL_SECONDS_MAX, "concurrency": SLOW}


@pytest.mark.parametrize("health", UNANSWERED.values(), ids=UNANSWERED)
async def test_batches_that_time_out_do_not_stop_the_pass(scene: Scene, health: int | None) -> None:
    """Each costs its own deadline and is told as that; the batches behind them are repaired."""
    await slow_and_good(scene)
    scene.queue.health = health
    for number in range(SLOW):
        scene.queue.stall(f"slow-{number}")
    report = await scene.run()
    assert report.summary.left == {"timed_out": SLOW}
    assert (report.summary.completed, report.summary.cut_short) == (GOOD, "")
    slow = report.log.not_repaired[NotRepairedReason.TIMED_OUT][0].not_repaired
    assert slow is not None
    assert sentence(slow.details) == "the job-status service did not answer within 1 s"
    assert len([one for one in scene.queue.calls if one[1] == "slow-0"]) <= 1  # a busy server may miss it


async def test_batches_whose_listing_fails_do_not_stop_the_pass(scene: Scene) -> None:
    """A source may call itself unavailable because one batch is too large for its own time limit."""
    await slow_and_good(scene)
    scene.settings = {}
    scene.queue.health = SERVING
    scene.queue.failure = lambda method, batch_id: (
        grpc.StatusCode.UNAVAILABLE if method == "ListJobStatuses" and batch_id.startswith("slow") else None
    )
    report = await scene.run()
    assert report.summary.left == {NotRepairedReason.QUEUE_UNAVAILABLE: SLOW}
    assert (report.summary.completed, report.summary.cut_short) == (GOOD, "")


async def test_a_service_that_answers_neither_batches_nor_health_checks_is_away(scene: Scene) -> None:
    """The pass stops instead of waiting for every batch."""
    await slow_and_good(scene)
    scene.queue.health = NOT_SERVING
    scene.queue.failure = failing(grpc.StatusCode.UNAVAILABLE)
    summary = (await scene.run()).summary
    assert summary.cut_short == StopReason.QUEUE_UNAVAILABLE
    assert summary.looked_at + summary.not_looked_at == SLOW + GOOD
    assert summary.not_looked_at > 0


async def test_a_service_that_answered_about_no_batch_is_away_at_the_end(scene: Scene) -> None:
    """There are too few batches to stop the pass, but nothing was repaired, and a retry may help."""
    await scene.batch("batch", FakeBatch(jobs(2)))
    scene.queue.failure = failing(grpc.StatusCode.UNAVAILABLE)
    summary = (await scene.run()).summary
    assert (summary.cut_short, summary.not_looked_at) == (StopReason.QUEUE_UNAVAILABLE, 0)


async def test_a_token_that_is_refused_stops_the_pass(scene: Scene) -> None:
    """No other batch could fare better, even if the service is healthy."""
    await slow_and_good(scene)
    scene.queue.health = SERVING
    scene.queue.failure = failing(grpc.StatusCode.PERMISSION_DENIED)
    summary = (await scene.run()).summary
    assert summary.cut_short == StopReason.ACCESS_DENIED
    assert summary.not_looked_at > 0


@pytest.mark.more("lets a list take longer than a call may take")
async def test_every_page_of_a_list_has_its_own_deadline(scene: Scene) -> None:
    """A list that takes several times as long is read to its end."""
    await scene.batch("large", FakeBatch(jobs(2), empty_pages=8))
    scene.settings = {"job_status_seconds_max": CALL_SECONDS_MAX}

    async def take_a_while(_batch_id: str, _token: str) -> None:
        await asyncio.sleep(0.3)

    scene.queue.before_page = take_a_while
    assert (await scene.run()).summary.completed == 1


async def test_the_counts_of_a_large_batch_are_waited_for(scene: Scene) -> None:
    """They take longer than those of a small batch, whose deadline has passed."""
    pending = FakeBatch(jobs(1, pending=1), finished=False, lists_jobs=False)
    await scene.batch("small", pending)
    await scene.batch("large", pending, total_jobs=1_000_000)
    stalls = [scene.queue.stall(batch_id) for batch_id in ("small", "large")]
    scene.settings = {"job_status_seconds_max": CALL_SECONDS_MAX}
    run = asyncio.create_task(scene.run())
    small = (await scene.store.get_batch("small")).batch_key
    await eventually(lambda: has_look(scene, small))
    for stall in stalls:
        stall.over.set()
    assert (await run).summary.left == {"timed_out": 1, "still_pending": 1}


async def has_look(scene: Scene, batch_key: int) -> bool:
    """Return whether a pass has looked at a batch."""
    return (await scene.store.read_findings([batch_key]))[batch_key].look is not None
