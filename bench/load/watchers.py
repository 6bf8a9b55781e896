"""python -m bench.load.watchers: a timed process of watchers of one batch.

Messages are counted as bytes, since parsing them would cost more than the server spends on sending
them. Only the last one of each watch is parsed: it must show the end of the batch.
"""

import asyncio
import gc
import time
from bisect import bisect_left
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, cast

import grpc

from batchprogress.v1 import progress_pb2 as pb
from bench.load.reporters import SERVICE, connect
from bench.load.timed import Window, outlast, read_plan, wait_for_window, write_outcome

OPENED_AT_ONCE = 250
"""Watches that wait for their first message at the same time; real watches do not all start at once."""


@dataclass(frozen=True, slots=True)
class WatchPlan:
    """The watches to open."""

    target: str
    batch_id: str
    watchers: int
    connections: int
    total_jobs: int


@dataclass(frozen=True, slots=True)
class WatchOutcome:
    """The messages that the watchers received."""

    messages: int
    """Received in the window."""
    message_bytes: int
    """The size of the last message."""
    finals: list[float]
    """When each watcher received the end of the batch, on the monotonic clock."""


@dataclass(slots=True)
class _Watcher:
    """One watch."""

    call: Any
    arrivals: list[float] = field(default_factory=list)
    last: bytes = b""

    async def read(self) -> bool:
        """Read one message; return False if the watch has ended."""
        message = await self.call.read()
        if message is grpc.aio.EOF:
            return False
        self.last = message
        self.arrivals.append(time.monotonic())
        return True

    async def read_all(self) -> None:
        while await self.read():
            pass


def main() -> None:
    """Watch to the end of the batch, and print the outcome."""
    gc.disable()  # all objects are kept until the end anyway
    write_outcome(asyncio.run(_run(WatchPlan(**read_plan()))))


async def _run(plan: WatchPlan) -> WatchOutcome:
    async with AsyncExitStack() as stack:
        channels = [await connect(stack, plan.target) for _ in range(plan.connections)]
        watchers: list[_Watcher] = []
        for first in range(0, plan.watchers, OPENED_AT_ONCE):
            numbers = range(first, min(first + OPENED_AT_ONCE, plan.watchers))
            some = [_watch(channels[number % len(channels)], plan.batch_id) for number in numbers]
            await asyncio.gather(*(watcher.read() for watcher in some))
            watchers += some
        window = await wait_for_window()
        await asyncio.gather(*(watcher.read_all() for watcher in watchers))
        await outlast(window)
        return _outcome(plan, window, watchers)


def _watch(channel: grpc.aio.Channel, batch_id: str) -> _Watcher:
    # Without serializers bytes pass as they are; the type stubs do not know.
    method = cast("Any", channel.unary_stream)(f"/{SERVICE}/WatchBatch")
    return _Watcher(method(pb.WatchBatchRequest(batch_id=batch_id).SerializeToString()))


def _outcome(plan: WatchPlan, window: Window, watchers: list[_Watcher]) -> WatchOutcome:
    for watcher in watchers:
        batch = pb.WatchBatchResponse.FromString(watcher.last).batch
        if batch.state != pb.BATCH_STATE_COMPLETED or batch.succeeded_jobs != plan.total_jobs:
            raise RuntimeError(f"a watch ended with {batch.succeeded_jobs:,} of {plan.total_jobs:,} jobs")
    return WatchOutcome(
        messages=sum(
            bisect_left(watcher.arrivals, window.end) - bisect_left(watcher.arrivals, window.begin)
            for watcher in watchers
        ),
        message_bytes=len(watchers[0].last),
        finals=[watcher.arrivals[-1] for watcher in watchers],
    )


if __name__ == "__main__":
    main()
