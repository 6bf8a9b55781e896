"""What stops a pass, and what does not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from batches.batch import Batch
from batches.errors import BatchNotFound, DatabaseUnavailable
from reconciler.decision.not_repaired import Leave, LeaveKind
from reconciler.queue.port import QueueContradiction, QueueFault, QueueUnavailable
from reconciler.run.deadline import PassEnd
from reconciler.run.result import Draft, Looked
from reconciler.run.workers import UNAVAILABLE_IN_A_ROW_MAX, Crew
from tests.support.samples import BATCH


async def batches(number: int, fails_after: int | None = None) -> AsyncIterator[Batch]:
    """Yield so many batches, with the database going away after some of them."""
    for index in range(number):
        if index == fails_after:
            raise DatabaseUnavailable
        yield replace(BATCH, batch_id=f"batch-{index}")


async def answers() -> None:
    """Be a database that answers."""


async def is_away() -> None:
    """Be a database that does not."""
    raise DatabaseUnavailable


class Pass:
    """A pass over batches of which some are trouble."""

    def __init__(self, trouble: dict[str, Exception], ping: Callable[[], Awaitable[None]] = answers) -> None:
        """Take what goes wrong, by batch."""
        self.looked: list[Looked] = []
        self._trouble = trouble
        self._ping = ping

    async def run(self, source: AsyncIterator[Batch], workers: int = 1) -> tuple[int, str]:
        """Run it; return how many batches were not looked at, and why."""
        end = PassEnd(60)
        crew = Crew(self._repair, self._ping, end, self._heard)
        not_looked_at = await crew.work(source, workers)
        end.close()
        return not_looked_at, end.why

    @property
    def left(self) -> dict[str, LeaveKind]:
        """How batches were left."""
        return {one.before.batch_id: one.left.kind for one in self.looked if one.left is not None}

    async def _heard(self, looked: Looked) -> None:
        self.looked.append(looked)

    async def _repair(self, draft: Draft) -> Leave | None:
        if draft.before.batch_id in self._trouble:
            raise self._trouble[draft.before.batch_id]
        return None


TROUBLES = {
    "the queue is away": (QueueUnavailable("away"), LeaveKind.QUEUE_UNAVAILABLE),
    "its service has a defect": (QueueFault("INTERNAL"), LeaveKind.QUEUE_FAULT),
    "it contradicts itself": (QueueContradiction("lies"), LeaveKind.CONTRADICTION),
    "somebody holds the batch's row": (DatabaseUnavailable(), LeaveKind.DATABASE_UNAVAILABLE),
    "it is gone": (BatchNotFound("batch-1"), LeaveKind.ENDED),
    "we have a defect": (ZeroDivisionError("secret"), LeaveKind.UNEXPECTED),
}


@pytest.mark.parametrize(("error", "kind"), TROUBLES.values(), ids=TROUBLES)
async def test_one_bad_batch(error: Exception, kind: LeaveKind) -> None:
    """Whatever goes wrong with one batch, the others are looked at."""
    one = Pass({"batch-1": error})
    assert await one.run(batches(4)) == (0, "")
    assert (len(one.looked), one.left) == (4, {"batch-1": kind})


async def test_unexpected_errors_are_named_by_their_class() -> None:
    """The reason of an unexpected error is its class: its text may hold anything."""
    one = Pass({"batch-0": ZeroDivisionError("secret")})
    await one.run(batches(1))
    assert one.looked[0].left == Leave(LeaveKind.UNEXPECTED, "unexpected ZeroDivisionError, see the log")


async def test_the_queue_is_away() -> None:
    """So many batches in a row without an answer end the pass; one answer between them starts anew."""
    away = QueueUnavailable("away")
    one = Pass({f"batch-{index}": away for index in range(20) if index != 3})
    not_looked_at, why = await one.run(batches(20))
    assert why == "the job-status service does not answer"
    assert (len(one.looked), not_looked_at) == (
        4 + UNAVAILABLE_IN_A_ROW_MAX,
        20 - 4 - UNAVAILABLE_IN_A_ROW_MAX,
    )


async def test_the_database_is_away() -> None:
    """A pass whose database does not answer either when asked for nothing ends at once."""
    one = Pass({"batch-1": DatabaseUnavailable()}, ping=is_away)
    assert await one.run(batches(4)) == (2, "the database does not answer")


async def test_the_database_goes_away_between_pages() -> None:
    """A pass that cannot read the next page ends; how many batches are left is not known."""
    one = Pass({})
    assert await one.run(batches(4, fails_after=2), workers=3) == (0, "the database does not answer")
    assert len(one.looked) == 2


async def test_several_workers_take_each_batch_once() -> None:
    """However many workers there are, each batch is looked at once."""
    one = Pass({})
    await one.run(batches(100), workers=32)
    assert sorted(looked.before.batch_id for looked in one.looked) == sorted(
        f"batch-{index}" for index in range(100)
    )


async def test_who_hears_of_batches_does_not_keep_a_pass_from_ending() -> None:
    """A report that nobody takes is given up a while after the end, and no further batch is begun."""
    end = PassEnd(60, finish_seconds_max=0.01)

    async def never(_looked: Looked) -> None:
        end.cut("stopped")
        await asyncio.Event().wait()

    async def repaired(_draft: Draft) -> None:
        """Find nothing amiss."""

    async with asyncio.timeout(10):
        assert await Crew(repaired, answers, end, never).work(batches(3), 1) == 2
    end.close()
