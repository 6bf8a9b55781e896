"""Runs a group of tasks on a real Celery worker and measures its cost and the lag of its progress."""

import asyncio
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

from celery import Celery
from celery.canvas import group as group_of
from celery.result import GroupResult

from batchprogress import AsyncClient, Reporter
from batchprogress.integrations.celery import CeleryProgress
from bench.load.operating_system import cpu_seconds
from bench.load.processes import end, launch
from bench.measure.contestants import Inexact, OurServer
from bench.measure.measure import percentile
from bench.rows.celery.app import NOOP, make_app

POOL_PROCESSES = 2
START_SECONDS_MAX = 60.0
"""A Celery worker starts in about three seconds."""
STOP_SECONDS_MAX = 30.0
GROUP_SECONDS_MAX = 300.0
"""Thousands of tasks take about ten seconds."""
ASK_SECONDS = 0.5
"""Between two calls of `completed_count()`, as often as progress has to be seen."""
PING_SECONDS = 0.2
QUEUE = "celery"
"""Celery's default. The worker consumes it only after everything is published and watched: publishing takes
as long as the tasks, and is not measured."""
QUEUE_OF_NO_TASKS = "nothing"

_groups = count(1)


@dataclass(frozen=True, slots=True)
class Seen:
    """The number of tasks seen to be done at one moment of the monotonic clock."""

    moment: float
    done: int


@dataclass(frozen=True, slots=True)
class GroupRun:
    """The figures of one group."""

    tasks: int
    publish_seconds: float
    seconds: float
    """The time from the run of the first task to that of the last."""
    worker_us_per_task: float
    """CPU time of all processes of the Celery worker."""
    lag_p50_ms: float
    """The time from the end of a task until it is seen to be done."""
    lag_p99_ms: float
    looks: int

    def __str__(self) -> str:
        """Return the figures in one line, printed while the benchmark runs."""
        return (
            f"{self.tasks:,} tasks in {self.seconds:6.2f} s  worker {self.worker_us_per_task:6.0f} µs a task"
            f"  seen p50 {self.lag_p50_ms:6,.0f} ms, p99 {self.lag_p99_ms:6,.0f} ms later"
        )


async def run_alone(redis_url: str, tasks: int) -> GroupRun:
    """Run a group and poll its completed_count()."""
    app = make_app(redis_url)
    jobs = group_of(app.signature(NOOP) for _ in range(tasks))
    return await _measure(app, {"BENCH_CELERY_REDIS_URL": redis_url}, tasks, jobs.apply_async, _ask)


async def run_reporting(redis_url: str, tasks: int, ours: OurServer) -> GroupRun:
    """Run a group whose tasks report to our server, and watch its batch."""
    app, batch_id = make_app(redis_url), f"celery-{next(_groups)}"
    target = ours.targets[0]
    with Reporter(target) as reporter:
        progress = CeleryProgress(app, reporter)
        jobs = group_of(app.signature(NOOP) for _ in range(tasks))

        def publish() -> GroupResult:
            result: GroupResult = progress.run(batch_id, jobs)
            return result

        async def look(_: GroupResult, tasks: int) -> list[Seen]:
            async with AsyncClient(target) as client:
                states = client.watch(batch_id)
                seen = [Seen(time.monotonic(), batch.succeeded_jobs) async for batch in states]
            if seen[-1].done != tasks:
                raise Inexact(f"Celery: {seen[-1].done} of {tasks} tasks were counted")
            return seen

        environment = {"BENCH_CELERY_REDIS_URL": redis_url, "BENCH_CELERY_PROGRESS_TARGET": target}
        return await _measure(app, environment, tasks, publish, look)


Look = Callable[[GroupResult, int], Coroutine[None, None, list[Seen]]]


async def _measure(
    app: Celery, environment: dict[str, str], tasks: int, publish: Callable[[], GroupResult], look: Look
) -> GroupRun:
    async with _worker(app, environment) as pids, asyncio.timeout(GROUP_SECONDS_MAX):
        began = time.monotonic()
        result = await asyncio.to_thread(publish)
        published = time.monotonic()
        before = cpu_seconds(pids)
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(look(result, tasks))
            await asyncio.to_thread(app.control.add_consumer, QUEUE, reply=True)
        seen = looking.result()
        ran = sorted(await asyncio.to_thread(result.join))
        worker_seconds = cpu_seconds(pids) - before
    lags = sorted(_lags_ms(ran, seen))
    return GroupRun(
        tasks=tasks,
        publish_seconds=published - began,
        seconds=ran[-1] - ran[0],
        worker_us_per_task=worker_seconds / tasks * 1e6,
        lag_p50_ms=percentile(lags, 50),
        lag_p99_ms=percentile(lags, 99),
        looks=len(seen),
    )


async def _ask(result: GroupResult, tasks: int) -> list[Seen]:
    seen: list[Seen] = []
    while not seen or seen[-1].done < tasks:
        await asyncio.sleep(ASK_SECONDS)
        done = await asyncio.to_thread(result.completed_count)
        seen.append(Seen(time.monotonic(), done))
    return seen


def _lags_ms(ran: Sequence[float], seen: Sequence[Seen]) -> Iterator[float]:
    """Yield the lag of each task, in the order in which they ended."""
    dones = [one.done for one in seen]
    for number, moment in enumerate(ran, start=1):
        yield max(0.0, seen[bisect_left(dones, number)].moment - moment) * 1_000


@asynccontextmanager
async def _worker(app: Celery, environment: dict[str, str]) -> AsyncIterator[list[int]]:
    """Run a Celery worker that does not consume QUEUE yet; yield its process ids."""
    pool = ("--pool", "prefork", "--concurrency", str(POOL_PROCESSES))
    quiet = ("--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--queues", QUEUE_OF_NO_TASKS)
    command = ("celery", "-A", "bench.rows.celery.app", "worker", *pool, *quiet)
    process = await launch(*command, environment=environment)
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            yield [process.pid, *await _pool_of(app)]
        process.terminate()
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await process.communicate()
    finally:
        await end(process)


async def _pool_of(app: Celery) -> Iterable[int]:
    """Wait for the worker, and return the ids of its pool processes."""
    while True:
        answers = await asyncio.to_thread(app.control.inspect(timeout=PING_SECONDS).stats)
        if answers:
            (stats,) = answers.values()
            return [int(pid) for pid in stats["pool"]["processes"]]
