"""A queue that gives bad answers to a share of its calls.

Each lie can be detected, and no two of them fit together: the counts only ever gain a success,
and a list of jobs never does. The reconciler has to believe answers that agree with each other.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from batches.result import JobOutcome
from batchprogress.v1 import job_status_pb2 as pb
from tests.support.queue_fake import Context, FakeJob, QueueFake

BAD_SHARE = 0.3

Answer: TypeAlias = "Message | bytes"


async def ignore(_batch_id: str) -> None:
    """Do nothing before a call is answered."""


class LyingQueue(QueueFake):
    """A queue that gives bad answers until it is stopped.

    Args:
        order: Decides which answers are bad, and how.

    """

    def __init__(self, order: random.Random) -> None:
        super().__init__()
        self.asked = 0
        """The number of calls so far."""
        self.lied = 0
        """The number of calls that got a bad answer."""
        self.peers: set[str] = set()
        """The connections that calls have come from."""
        self.on_asked: Callable[[str], Awaitable[None]] = ignore
        """Awaited with the batch_id of each call before it is answered."""
        self._order = order
        self._lies = True
        self._called = asyncio.Condition()

    def tell_the_truth(self) -> None:
        """Give only true answers from now on, and await on_asked no more."""
        self._lies = False
        self.on_asked = ignore

    async def until(self, reached: Callable[[], bool], *, or_end: asyncio.Future[Any]) -> None:
        """Wait until a call makes the condition true, or until the callers have ended."""
        waiting = asyncio.create_task(self._wait_for(reached))
        or_end.add_done_callback(lambda _: waiting.cancel())
        await asyncio.wait([waiting])

    async def _wait_for(self, reached: Callable[[], bool]) -> None:
        async with self._called:
            await self._called.wait_for(reached)

    async def get_batch_status(self, request: pb.GetBatchStatusRequest, context: Context) -> Answer:
        """Answer with counts, possibly wrong ones."""
        await self._note(request.batch_id, context)
        batch = self.batches.get(request.batch_id)
        if not self._is_bad():
            return await super().get_batch_status(request, context)
        if batch is None:
            return await self._fail(context)
        lie = self._order.choice(("fails", "forgets", "cut short", "does not add up", "one more success"))
        counts = batch.to_message()
        match lie:
            case "fails" | "forgets" | "cut short":
                return await self._no_answer(lie, counts, context)
            # Counts without a list, or of jobs that still run, are compared with nothing else.
            case "one more success" if batch.lists_jobs and not counts.pending:
                counts.succeeded += 1
        counts.total += 1
        return counts

    async def list_job_statuses(self, request: pb.ListJobStatusesRequest, context: Context) -> Answer:
        """Answer with a page of jobs, possibly a wrong one."""
        await self._note(request.batch_id, context)
        batch = self.batches.get(request.batch_id)
        if batch is None or not self._is_bad():
            return await super().list_job_statuses(request, context)
        lie = self._order.choice(("fails", "forgets", "cut short", "twice", "too few", "too many", "flipped"))
        page = batch.page(request.page_token, request.page_size)
        if lie in {"fails", "forgets", "cut short"}:
            return await self._no_answer(lie, page, context)
        return replace(batch, listed=lying_list(batch.jobs, lie)).page(request.page_token, request.page_size)

    async def _note(self, batch_id: str, context: Context) -> None:
        self.asked += 1
        self.peers.add(context.peer())
        async with self._called:
            self._called.notify_all()
        await self.on_asked(batch_id)

    def _is_bad(self) -> bool:
        is_bad = self._lies and self._order.random() < BAD_SHARE
        self.lied += is_bad
        return is_bad

    async def _no_answer(self, lie: str, answer: Message, context: Context) -> bytes:
        if lie == "cut short":
            return answer.SerializeToString()[:-1]
        if lie == "forgets":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such batch")
        return await self._fail(context)

    async def _fail(self, context: Context) -> bytes:
        if self._order.random() < 0.5:  # a caller cannot tell unavailable from slow
            await asyncio.Event().wait()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        raise AssertionError("abort raises")


def lying_list(jobs: list[FakeJob], lie: str) -> list[FakeJob]:
    """Return a list of jobs with the given lie."""
    first = jobs[0]
    match lie:
        case "twice":
            return [*jobs, first]
        case "too few":
            return jobs[1:]
        case "too many":
            return [*jobs, FakeJob("invented", JobOutcome.FAILED)]
    other = JobOutcome.SKIPPED if first.outcome is JobOutcome.FAILED else JobOutcome.FAILED
    return [replace(first, outcome=other), *jobs[1:]]
