"""Fault 9: many watchers that come and go, some of them slow, while servers are killed."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
import pytest

from batches.result import JobOutcome
from batchprogress.v1 import progress_pb2 as pb
from tests.faults.cluster import CHANNEL_OPTIONS, Cluster, cluster
from tests.faults.conftest import Target, Verdict
from tests.faults.footprint import Footprint
from tests.faults.ledger import Job, Ledger, Sighting
from tests.faults.watchers import Watcher
from tests.faults.workload import Plan, Workers, make_plan
from tests.support.progress import Stub, progress_process, stub_of

SERVERS = 3
BATCHES = 20
LARGE = 2
"""The number of batches with all labels that a batch may have; slow watchers watch these."""
WORKERS = 40
FINAL_SECONDS_MAX = 2.0
"""The promise: from the last acknowledgement until every watcher has the final state."""
AHEAD_MESSAGES_MAX = 3
"""Messages in transit to a slow watcher before the last one: one in gRPC on either side, and one in the
window of the stream."""
LABELS = {f"label-{number}": "x" * 200 for number in range(32)}
"""As many as a batch may have, 7 KB per message, so that one message fills the window of a stream."""
SLOW_OPTIONS = (*CHANNEL_OPTIONS, ("grpc.http2.lookahead_bytes", 8_192), ("grpc.http2.bdp_probe", 0))
"""The machine of a slow watcher buffers nothing beyond what it reads."""
WATCHERS_PER_CHANNEL = 20
"""Watchers share channels, as those of one dashboard do."""
END_SECONDS_MAX = 60.0
"""A watcher must have seen the end by then."""

LEFT_BATCH = "left"
VISITORS = 50
"""Watches that are open at the same time."""
HANG_UP_SECONDS = 0.5
"""How soon the server must have noticed that the last watchers are gone."""
REST_BYTES = 4 * 2**20
"""The growth of a process without a leak; less than if each of 10,000 streams left 500 bytes."""
UNREAD_BYTES_MAX = 64 * 2**10
"""The window of a stream and the buffers of gRPC and kernel; 60 changes of 7 KB would be 420 KB, 400 changes
2.8 MB."""
CHANGE_SECONDS = 0.05
"""Between two changes, as often as the change feed reads, so that each is a message."""


@pytest.fixture
def ledger() -> Ledger:
    """Return an empty ledger."""
    return Ledger()


@dataclass(frozen=True, slots=True)
class Size:
    """The number of watchers, how often they reconnect, and the load meanwhile."""

    watchers: int
    slow_watchers: int
    reconnects: int
    jobs_per_batch: int
    late_jobs: int
    """Jobs of each batch that are reported while everyone watches to the end. If states were queued for slow
    watchers instead of skipped, they would get this many, one per pause."""
    kills: int
    stay_seconds_max: float
    """The longest time after which a watcher reconnects."""
    reading_pause_seconds: float
    """The pause of a slow watcher after each message."""

    @property
    def fault_seconds(self) -> float:
        """Return the time in which an average watcher reconnects."""
        return self.reconnects * self.stay_seconds_max / 2


FULL = Size(500, 50, 20, 200, 60, 10, stay_seconds_max=3.0, reading_pause_seconds=5.0)
QUICK = Size(60, 5, 3, 40, 15, 1, stay_seconds_max=1.0, reading_pause_seconds=0.5)


async def create_batches(stub: Stub, plan: Plan) -> None:
    """Create all batches of the plan, the first ones with as many labels as a batch may have."""
    for number, (batch_id, size) in enumerate(plan.sizes.items()):
        labels = LABELS if number < LARGE else {}
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id=batch_id, total_jobs=size, labels=labels))


def split(plan: Plan, late_per_batch: int) -> tuple[Plan, Plan]:
    """Split a plan in two; the second part has this many jobs of each batch, its last one included."""
    left = dict.fromkeys(plan.sizes, late_per_batch)
    early: list[Job] = []
    late: list[Job] = []
    for job in reversed(plan.reports):
        left[job[0]] -= 1
        (late if left[job[0]] >= 0 else early).append(job)
    return Plan(plan.sizes, plan.outcomes, early[::-1]), Plan(plan.sizes, plan.outcomes, late[::-1])


async def send_evenly(workers: Workers, plan: Plan, seconds: float) -> None:
    """Send the plan spread over a time, so that batches change while watchers reconnect."""
    portion = len(plan.sizes)
    portions = [plan.reports[start : start + portion] for start in range(0, len(plan.reports), portion)]
    for reports in portions:
        await asyncio.sleep(seconds / len(portions))
        await workers.send_all(Plan(plan.sizes, plan.outcomes, reports))


async def kill_evenly(servers: Cluster, order: random.Random, kills: int, seconds: float) -> None:
    """Kill and restart random servers within this time."""
    for _ in range(kills):
        await asyncio.sleep(seconds / (kills + 1))
        place = order.randrange(SERVERS)
        await servers.end(place, signal.SIGKILL)
        await servers.start(place)


@asynccontextmanager
async def stubs_of(servers: Cluster, number: int, *, slow: bool) -> AsyncIterator[list[Stub]]:
    """Open channels for watchers; a slow one gets its own, since what it does not read delays others."""
    options, sharing = (SLOW_OPTIONS, 1) if slow else (CHANNEL_OPTIONS, WATCHERS_PER_CHANNEL)
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(servers.target, options=options))
            for _ in range(-(-number // sharing))
        ]
        yield [stub_of(channels[watcher // sharing]) for watcher in range(number)]


@asynccontextmanager
async def watchers_of(
    servers: Cluster, order: random.Random, size: Size, ledger: Ledger
) -> AsyncIterator[list[Watcher]]:
    """Make the watchers; slow ones watch batches with large messages."""

    def stays() -> list[float]:
        return [order.uniform(0, size.stay_seconds_max) for _ in range(size.reconnects)]

    async with (
        stubs_of(servers, size.watchers - size.slow_watchers, slow=False) as quick_stubs,
        stubs_of(servers, size.slow_watchers, slow=True) as slow_stubs,
    ):
        quick = [
            Watcher(stub, Sighting(ledger, f"batch-{number % BATCHES}"), stays())
            for number, stub in enumerate(quick_stubs)
        ]
        slow = [
            Watcher(stub, Sighting(ledger, f"batch-{number % LARGE}"), stays(), size.reading_pause_seconds)
            for number, stub in enumerate(slow_stubs)
        ]
        yield [*quick, *slow]


def assert_end_seen(watchers: list[Watcher], size: Size, acknowledged_at: float) -> None:
    """Fail unless each watcher saw only true states, and the end in time."""
    seconds = [watcher.final_at - acknowledged_at for watcher in watchers]
    messages = sum(watcher.sighting.messages for watcher in watchers)
    quick = max(after for watcher, after in zip(watchers, seconds, strict=True) if not watcher.is_slow)
    told = f"{messages} messages; the end after {quick:.2f} s, for slow watchers after {max(seconds):.2f} s"
    print(told)
    assert [one for watcher in watchers for one in watcher.sighting.untrue] == []
    assert {(w.sighting.last_ended, w.final.state) for w in watchers if w.final} == {
        (size.jobs_per_batch, pb.BATCH_STATE_COMPLETED)
    }
    for watcher, after in zip(watchers, seconds, strict=True):
        # The present pause, and one after each message that was in transit before the last.
        pauses = (1 + AHEAD_MESSAGES_MAX) * watcher.reading_pause_seconds
        assert after <= FINAL_SECONDS_MAX + pauses


async def test_every_watcher_sees_the_end(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """Watchers reconnect while servers die; all see only true states, and the end within 2 s."""
    size = FULL if full else QUICK
    ledger, loop = Ledger(), asyncio.get_running_loop()
    plan = make_plan(order, {f"batch-{number}": size.jobs_per_batch for number in range(BATCHES)})
    early, late = split(plan, size.late_jobs)
    async with (
        cluster(target.url, SERVERS) as servers,
        servers.channels(2) as channels,
        watchers_of(servers, order, size, ledger) as watchers,
    ):
        await create_batches(stub_of(channels[0]), plan)
        workers = Workers(ledger, channels, WORKERS)
        await asyncio.gather(
            send_evenly(workers, early, size.fault_seconds),
            kill_evenly(servers, order, size.kills, size.fault_seconds),
            *(watcher.come_and_go() for watcher in watchers),
        )
        watching = [asyncio.create_task(watcher.watch_on()) for watcher in watchers]
        await send_evenly(workers, late, size.late_jobs * CHANGE_SECONDS)
        acknowledged_at = loop.time()
        async with asyncio.timeout(END_SECONDS_MAX):
            await asyncio.gather(*watching)
    assert_end_seen(watchers, size, acknowledged_at)
    await verdict("watchers", size.watchers * size.reconnects, ledger)


async def come_and_hang_up(stub: Stub, streams: int) -> None:
    """Open watches, some concurrently, each until its first message."""
    numbers = iter(range(streams))

    async def visit() -> None:
        for _ in numbers:
            call = stub.WatchBatch(pb.WatchBatchRequest(batch_id=LEFT_BATCH))
            await call.read()
            call.cancel()

    await asyncio.gather(*(visit() for _ in range(VISITORS)))


@pytest.mark.more("opens 2,000 watches")
async def test_a_watch_leaves_nothing_behind(
    target: Target, verdict: Verdict, ledger: Ledger, *, full: bool
) -> None:
    """The server has as many descriptors and as much memory after 2 N watches as after N."""
    streams = 10_000 if full else 1_000
    async with (
        progress_process(target.url) as server,
        grpc.aio.insecure_channel(server.target) as channel,
    ):
        stub = stub_of(channel)
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id=LEFT_BATCH, total_jobs=1))
        rests = []
        for _ in range(2):
            await come_and_hang_up(stub, streams)
            await asyncio.sleep(HANG_UP_SECONDS)
            rests.append(Footprint.of(server.pid))
    print(f"after {streams} watches and as many again: {rests}")
    assert rests[1].descriptors <= rests[0].descriptors
    assert rests[1].resident_bytes - rests[0].resident_bytes <= REST_BYTES
    await verdict("watches left", 2 * streams, ledger)


@pytest.mark.more("waits until buffers are full")
async def test_unread_watches_cost_bounded_memory(
    target: Target, verdict: Verdict, ledger: Ledger, *, full: bool
) -> None:
    """A watcher that does not read costs no more memory after many changes than after few."""
    watchers, changes = (500, 400) if full else (100, 60)
    async with (
        progress_process(target.url) as server,
        grpc.aio.insecure_channel(server.target) as channel,
        AsyncExitStack() as stack,
    ):
        stub = stub_of(channel)
        await create_batches(stub, Plan({LEFT_BATCH: changes + 1}, {}, []))
        unread = [
            await stack.enter_async_context(grpc.aio.insecure_channel(server.target, options=SLOW_OPTIONS))
            for _ in range(watchers)
        ]
        calls = [stub_of(one).WatchBatch(pb.WatchBatchRequest(batch_id=LEFT_BATCH)) for one in unread]
        for call in calls:
            await call.read()
        before = Footprint.of(server.pid)
        workers = Workers(ledger, [channel], 1)
        for number in range(changes):
            await workers.send(stub, (LEFT_BATCH, f"job-{number}"), JobOutcome.SUCCEEDED)
            await asyncio.sleep(CHANGE_SECONDS)
        after = Footprint.of(server.pid)
    each = (after.resident_bytes - before.resident_bytes) / watchers
    print(f"{changes} changes: {each / 1_024:.0f} KiB a watcher")
    assert after.resident_bytes - before.resident_bytes <= REST_BYTES + watchers * UNREAD_BYTES_MAX
    await verdict("unread watches", watchers, ledger)
