"""What stops a pass, and what does not."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from batches.batch import Batch
from batches.errors import BatchNotFound, DatabaseUnavailable
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import ReasonKind
from reconciler.queue.port import (
    QueueAccessDenied,
    QueueContradiction,
    QueueFault,
    QueueTimeout,
    QueueUnavailable,
    ServiceHealth,
)
from reconciler.run.availability import (
    DENIED_IN_A_ROW_MAX,
    UNANSWERED_IN_A_ROW_MAX,
    UNANSWERED_WITHOUT_HEALTH_MAX,
    Availability,
)
from reconciler.run.deadline import Deadline, StopReason
from reconciler.run.result import BatchInProgress, BatchResult
from reconciler.run.workers import Ping, WorkerPool
from tests.support.samples import BATCH


async def batches(number: int, fails_after: int | None = None) -> AsyncIterator[Batch]:
    """Yield some batches; after `fails_after` of them the database does not answer."""
    for index in range(number):
        if index == fails_after:
            raise DatabaseUnavailable
        yield replace(BATCH, batch_id=f"batch-{index}")


async def answers() -> None:
    """Be a database that answers."""


async def healthy() -> ServiceHealth:
    """Be a service that is healthy."""
    return ServiceHealth.SERVING


async def does_not_answer() -> None:
    """Be a database that does not answer."""
    raise DatabaseUnavailable


class Pass:
    """A pass over batches.

    Args:
        errors: The error that the repair of a batch raises, by batch_id.
        ping: A database that answers or not.
        health: What the health check of the queue's service answers.

    """

    def __init__(
        self,
        errors: dict[str, Exception],
        ping: Ping = answers,
        health: ServiceHealth = ServiceHealth.NOT_SERVING,
    ) -> None:
        self.results: list[BatchResult] = []
        self._errors = errors
        self._ping = ping
        self._health = health

    async def run(self, source: AsyncIterator[Batch], workers: int = 1) -> tuple[int, StopReason | None]:
        """Run the pass; return how many batches were not checked, and why it stopped."""
        deadline = Deadline(60)
        pool = WorkerPool(self._repair, self._ping, Availability(self._check_health), deadline)
        not_checked = await pool.check(source, workers, self._add)
        deadline.close()
        return not_checked, deadline.stop_reason

    @property
    def not_repaired(self) -> dict[str, NotRepairedReason]:
        """Why batches were not repaired, by batch_id."""
        return {
            one.before.batch_id: one.not_repaired.reason
            for one in self.results
            if one.not_repaired is not None
        }

    async def _check_health(self) -> ServiceHealth:
        return self._health

    async def _add(self, result: BatchResult) -> None:
        self.results.append(result)

    async def _repair(self, batch: BatchInProgress) -> NotRepaired | None:
        if batch.before.batch_id in self._errors:
            raise self._errors[batch.before.batch_id]
        return None


ERRORS = {
    "the queue does not answer": (QueueUnavailable("away"), NotRepairedReason.QUEUE_UNAVAILABLE),
    "the queue is too slow": (QueueTimeout("slow"), NotRepairedReason.TIMED_OUT),
    "its service denies access": (QueueAccessDenied("denied"), NotRepairedReason.ACCESS_DENIED),
    "its service has a defect": (QueueFault("INTERNAL"), NotRepairedReason.QUEUE_FAULT),
    "it contradicts itself": (QueueContradiction("lies"), NotRepairedReason.CONTRADICTION),
    "the batch's row is locked": (DatabaseUnavailable(), NotRepairedReason.DATABASE_UNAVAILABLE),
    "the batch is gone": (BatchNotFound("batch-1"), NotRepairedReason.ENDED),
    "the reconciler has a defect": (ZeroDivisionError("secret"), NotRepairedReason.UNEXPECTED),
}


@pytest.mark.parametrize(("error", "reason"), ERRORS.values(), ids=ERRORS)
async def test_an_error_with_one_batch_does_not_stop_the_pass(
    error: Exception, reason: NotRepairedReason
) -> None:
    """The other batches are checked."""
    one = Pass({"batch-1": error})
    assert await one.run(batches(4)) == (0, None)
    assert (len(one.results), one.not_repaired) == (4, {"batch-1": reason})


async def test_an_unexpected_error_is_named_by_its_class() -> None:
    """Its text may hold anything."""
    one = Pass({"batch-0": ZeroDivisionError("secret")})
    await one.run(batches(1))
    assert one.results[0].not_repaired == NotRepaired.because(
        NotRepairedReason.UNEXPECTED, ReasonKind.UNEXPECTED, "ZeroDivisionError"
    )


async def test_a_queue_that_stays_unavailable_stops_the_pass() -> None:
    """An answer in between starts the count again."""
    away = QueueUnavailable("away")
    one = Pass({f"batch-{index}": away for index in range(20) if index != 3})
    not_checked, why = await one.run(batches(20))
    assert why is StopReason.QUEUE_UNAVAILABLE
    assert (len(one.results), not_checked) == (
        4 + UNANSWERED_IN_A_ROW_MAX,
        20 - 4 - UNANSWERED_IN_A_ROW_MAX,
    )


UNANSWERED = {
    "it is healthy": (QueueTimeout("slow"), ServiceHealth.SERVING, 60, None),
    "it says that it is not": (
        QueueTimeout("slow"),
        ServiceHealth.NOT_SERVING,
        UNANSWERED_IN_A_ROW_MAX,
        StopReason.QUEUE_UNAVAILABLE,
    ),
    "it has no health check": (
        QueueTimeout("slow"),
        ServiceHealth.UNKNOWN,
        UNANSWERED_WITHOUT_HEALTH_MAX,
        StopReason.QUEUE_UNAVAILABLE,
    ),
    "it denies access": (
        QueueAccessDenied("denied"),
        ServiceHealth.SERVING,
        DENIED_IN_A_ROW_MAX,
        StopReason.ACCESS_DENIED,
    ),
}


@pytest.mark.parametrize(("error", "health", "checked", "why"), UNANSWERED.values(), ids=UNANSWERED)
async def test_a_service_is_away_only_if_it_answers_nobody(
    error: Exception, health: ServiceHealth, checked: int, why: StopReason | None
) -> None:
    """Its health decides; without a health check, a long row of batches without an answer does."""
    one = Pass({f"batch-{index}": error for index in range(60)}, health=health)
    assert await one.run(batches(60)) == (60 - checked, why)


AWAY, SLOW = QueueUnavailable("away"), QueueTimeout("slow")
AT_THE_END = {
    "it is healthy": (AWAY, ServiceHealth.SERVING, None),
    "it says that it is not": (SLOW, ServiceHealth.NOT_SERVING, StopReason.QUEUE_UNAVAILABLE),
    "it refuses, without a health check": (AWAY, ServiceHealth.UNKNOWN, StopReason.QUEUE_UNAVAILABLE),
    "it is slow, without a health check": (SLOW, ServiceHealth.UNKNOWN, None),
    "it denies access": (QueueAccessDenied("denied"), ServiceHealth.SERVING, StopReason.ACCESS_DENIED),
}


@pytest.mark.parametrize(("error", "health", "why"), AT_THE_END.values(), ids=AT_THE_END)
async def test_a_service_that_answered_about_no_batch_is_judged_at_the_end(
    error: Exception, health: ServiceHealth, why: StopReason | None
) -> None:
    """There are too few batches to stop the pass; a service that is only slow answers its health check."""
    one = Pass({"batch-0": error}, health=health)
    assert await one.run(batches(1)) == (0, why)
    answered = Pass({"batch-1": error}, health=health)
    assert await answered.run(batches(2)) == (0, None)


async def test_a_database_that_answers_no_ping_stops_the_pass_at_once() -> None:
    """No other batch could be repaired either."""
    one = Pass({"batch-1": DatabaseUnavailable()}, ping=does_not_answer)
    assert await one.run(batches(4)) == (2, StopReason.DATABASE_UNAVAILABLE)


async def test_a_page_of_batches_that_cannot_be_read_stops_the_pass() -> None:
    """The number of remaining batches is then unknown."""
    one = Pass({})
    assert await one.run(batches(4, fails_after=2), workers=3) == (0, StopReason.DATABASE_UNAVAILABLE)
    assert len(one.results) == 2


async def test_several_workers_check_each_batch_once() -> None:
    """This holds for any number of workers."""
    one = Pass({})
    await one.run(batches(100), workers=32)
    assert sorted(result.before.batch_id for result in one.results) == sorted(
        f"batch-{index}" for index in range(100)
    )


async def test_a_report_that_nobody_reads_does_not_keep_the_pass_from_ending() -> None:
    """It is given up a while after the stop, and no further batch is started."""
    deadline = Deadline(60, finish_seconds_max=0.01)

    async def never_read(_result: BatchResult) -> None:
        deadline.stop(StopReason.SIGNAL)
        await asyncio.Event().wait()

    async def nothing_missing(_batch: BatchInProgress) -> None:
        """Find nothing to repair."""

    async with asyncio.timeout(10):
        availability = Availability(healthy)
        pool = WorkerPool(nothing_missing, answers, availability, deadline)
        assert await pool.check(batches(3), 1, never_read) == 2
    deadline.close()
