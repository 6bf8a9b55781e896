"""Fault 9: many watchers that come and go, some of them slow, while servers die."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Sequence
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
from tests.faults.workload import Plan, Workers, make_plan
from tests.support.progress import Stub, progress_process, stub_of

SERVERS = 3
BATCHES = 20
LARGE = 2
"""So many of them carry all the labels they may: the slow watchers' ones."""
WORKERS = 40
FINAL_SECONDS_MAX = 2.0
"""The rule: from the last acknowledgement to the final state at every watcher."""
AHEAD_MESSAGES_MAX = 3
"""Messages that are on their way to a slow watcher when the last one is made: one in gRPC's hands on either
side, and one in the stream's window."""
LABELS = {f"label-{number}": "x" * 200 for number in range(32)}
"""As much as a batch may carry, 7 KB a message: a stream's window is full after one."""
SLOW_OPTIONS = (*CHANNEL_OPTIONS, ("grpc.http2.lookahead_bytes", 8_192), ("grpc.http2.bdp_probe", 0))
"""A slow watcher's machine takes no more than it reads, instead of buffering for it."""
WATCH_ENDS = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
"""How a watch ends whose server dies: the next one takes over."""
WATCHERS_PER_CHANNEL = 20
"""Channels are connections: watchers share some, as those of one dashboard do."""
END_SECONDS_MAX = 60.0
"""A watcher that has not seen the end by then never will."""

LEFT_BATCH = "left"
VISITORS = 50
"""Watches that are open at a time."""
HANG_UP_SECONDS = 0.5
"""How soon the server has seen that the last watchers are gone."""
REST_BYTES = 4 * 2**20
"""What a process may grow by for reasons of its own: below what a second round would leave if each of its
10,000 streams left 500 bytes."""
UNREAD_BYTES_MAX = 64 * 2**10
"""A stream's window and the buffers of gRPC and the kernel on the server's side; 60 changes of 7 KB would be
420 KB, 400 would be 2.8 MB."""
CHANGE_SECONDS = 0.05
"""Between two changes: as often as the change feed reads, so that each is a message."""


@pytest.fixture
def ledger() -> Ledger:
    """Return a ledger without reports."""
    return Ledger()


@dataclass(frozen=True, slots=True)
class Size:
    """How many watch, how often they come again, and what goes on meanwhile."""

    watchers: int
    slow_watchers: int
    reconnects: int
    jobs_per_batch: int
    late_jobs: int
    """Those of each batch that are reported when everybody watches to the end: were states queued for a slow
    watcher instead of skipped, it would be shown as many, one a pause."""
    kills: int
    stay_seconds_max: float
    """The longest that a watcher stays before it hangs up and comes again."""
    reading_pause_seconds: float
    """What makes a watcher slow."""

    @property
    def fault_seconds(self) -> float:
        """Return how long an average watcher comes and goes."""
        return self.reconnects * self.stay_seconds_max / 2


FULL = Size(500, 50, 20, 200, 60, 10, stay_seconds_max=3.0, reading_pause_seconds=5.0)
QUICK = Size(60, 5, 3, 40, 15, 1, stay_seconds_max=1.0, reading_pause_seconds=0.5)


@dataclass(slots=True)
class Watcher:
    """Somebody who watches one batch to its end, hanging up and coming again a number of times."""

    stub: Stub
    sighting: Sighting
    stays: Sequence[float]
    """Seconds before each time it hangs up."""
    reading_pause_seconds: float = 0.0
    final: pb.Batch | None = None
    final_at: float = 0.0

    @property
    def is_slow(self) -> bool:
        """Whether it pauses after each message."""
        return self.reading_pause_seconds > 0

    async def come_and_go(self) -> None:
        """Watch and hang up, as often as it has stays."""
        for seconds in self.stays:
            try:
                async with asyncio.timeout(seconds):
                    await self.watch_on()
            except TimeoutError:
                continue

    async def watch_on(self) -> None:
        """Watch to the end, through every break of the stream."""
        while self.final is None:
            request = pb.WatchBatchRequest(
                batch_id=self.sighting.batch_id, after_revision=self.sighting.last_revision
            )
            try:
                async for message in self.stub.WatchBatch(request, wait_for_ready=True):
                    self._see(message.batch)
                    await asyncio.sleep(self.reading_pause_seconds)
            except grpc.aio.AioRpcError as error:
                if error.code() not in WATCH_ENDS:
                    raise

    def _see(self, batch: pb.Batch) -> None:
        self.sighting.see(batch.revision, batch.succeeded_jobs + batch.failed_jobs + batch.skipped_jobs)
        if batch.state != pb.BATCH_STATE_PROCESSING:
            self.final = batch
            self.final_at = asyncio.get_running_loop().time()


async def create_batches(stub: Stub, plan: Plan) -> None:
    """Create every batch of the plan, the first ones with all the labels a batch may carry."""
    for number, (batch_id, size) in enumerate(plan.sizes.items()):
        labels = LABELS if number < LARGE else {}
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id=batch_id, total_jobs=size, labels=labels))


def split(plan: Plan, late_per_batch: int) -> tuple[Plan, Plan]:
    """Split a plan in two: the second part has so many jobs of each batch, its last one among them."""
    left = dict.fromkeys(plan.sizes, late_per_batch)
    early: list[Job] = []
    late: list[Job] = []
    for job in reversed(plan.reports):
        left[job[0]] -= 1
        (late if left[job[0]] >= 0 else early).append(job)
    return Plan(plan.sizes, plan.outcomes, early[::-1]), Plan(plan.sizes, plan.outcomes, late[::-1])


async def send_evenly(workers: Workers, plan: Plan, seconds: float) -> None:
    """Send the plan spread over a time, so that batches change for as long as watchers come and go."""
    portion = len(plan.sizes)
    portions = [plan.reports[start : start + portion] for start in range(0, len(plan.reports), portion)]
    for reports in portions:
        await asyncio.sleep(seconds / len(portions))
        await workers.send_all(Plan(plan.sizes, plan.outcomes, reports))


async def kill_evenly(servers: Cluster, order: random.Random, kills: int, seconds: float) -> None:
    """Kill a random server so many times in this time, and start it again."""
    for _ in range(kills):
        await asyncio.sleep(seconds / (kills + 1))
        place = order.randrange(SERVERS)
        await servers.end(place, signal.SIGKILL)
        await servers.start(place)


@asynccontextmanager
async def stubs_of(servers: Cluster, number: int, *, slow: bool) -> AsyncIterator[list[Stub]]:
    """Connect so many watchers; a slow one alone, since what it leaves unread holds up its neighbours."""
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
    """Make the watchers, the slow ones of batches whose messages are large."""

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
    """Fail unless each saw nothing untrue, and the end in time."""
    seconds = [watcher.final_at - acknowledged_at for watcher in watchers]
    messages = sum(watcher.sighting.messages for watcher in watchers)
    quick = max(after for watcher, after in zip(watchers, seconds, strict=True) if not watcher.is_slow)
    told = f"{messages} messages; the end after {quick:.2f} s, for slow watchers after {max(seconds):.2f} s"
    print(told)  # noqa: T201  # figures
    assert [one for watcher in watchers for one in watcher.sighting.untrue] == []
    assert {(w.sighting.last_ended, w.final.state) for w in watchers if w.final} == {
        (size.jobs_per_batch, pb.BATCH_STATE_COMPLETED)
    }
    for watcher, after in zip(watchers, seconds, strict=True):
        # The pause it is in, and one after each message that was on its way before the last.
        pauses = (1 + AHEAD_MESSAGES_MAX) * watcher.reading_pause_seconds
        assert after <= FINAL_SECONDS_MAX + pauses


async def test_every_watcher_sees_the_end(
    target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """Watchers come and go while servers die: nothing untrue is seen, and the end by all, within 2 s."""
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
    """Open so many watches, some at a time, each until its first message."""
    numbers = iter(range(streams))

    async def visit() -> None:
        for _ in numbers:
            call = stub.WatchBatch(pb.WatchBatchRequest(batch_id=LEFT_BATCH))
            await call.read()
            call.cancel()

    await asyncio.gather(*(visit() for _ in range(VISITORS)))


async def test_a_watch_leaves_nothing_behind(
    target: Target, verdict: Verdict, ledger: Ledger, *, full: bool
) -> None:
    """After N watches and after 2 N the server holds as many descriptors and as much memory."""
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
    print(f"after {streams} watches and as many again: {rests}")  # noqa: T201  # figures
    assert rests[1].descriptors <= rests[0].descriptors
    assert rests[1].resident_bytes - rests[0].resident_bytes <= REST_BYTES
    await verdict("watches left", 2 * streams, ledger)


async def test_unread_watches_cost_bounded_memory(
    target: Target, verdict: Verdict, ledger: Ledger, *, full: bool
) -> None:
    """However often a batch changes, a watcher that reads nothing costs what fits on the wire."""
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
    print(f"{changes} changes: {each / 1_024:.0f} KiB a watcher")  # noqa: T201  # figures
    assert after.resident_bytes - before.resident_bytes <= REST_BYTES + watchers * UNREAD_BYTES_MAX
    await verdict("unread watches", watchers, ledger)
