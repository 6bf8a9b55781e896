"""A semi-synchronous pair behind haproxy: a fail-over loses nothing, and a switch-over disturbs nobody."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from sqlalchemy import make_url

from batches.result import JobOutcome
from batchprogress import AsyncReporter
from database_servers import ENGINES
from database_servers.haproxy import database_proxy
from tests.cluster.bars import planned
from tests.cluster.conftest import Judge, in_full_size
from tests.cluster.database_cluster import upgrade
from tests.cluster.load import HOT, Load, load_on
from tests.cluster.replication import Pair, pair_of
from tests.faults.conftest import FULL
from tests.faults.ledger import Job
from tests.support.eventually import eventually

WORKERS = (519, 518) if FULL else (40, 40)
UNDER_LOAD_REPORTS = 1_000 if FULL else 200
CLIENT_PAUSE_SECONDS = 0.01
FLUSH_SECONDS_MAX = 30.0
DETECTION_SECONDS = 5.0 if FULL else 1.0
"""How long a person or a tool takes to notice that the node is dead."""


@pytest.fixture(scope="module", params=ENGINES if FULL else ENGINES[:1])
def database_cluster(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Return a pair of each engine."""
    with pair_of(request.param, semi_synchronous=True) as pair:
        yield pair


@pytest.fixture
async def urls(database_cluster: Pair) -> list[str]:
    """Return the URL of a new database with tables on the node that will take writes at the end."""
    pair = database_cluster
    await pair.make_whole()
    name = await pair.new_database()
    await upgrade(pair.source.url(name))
    return [pair.url(pair.replica, name)]


@pytest.fixture
async def load(database_cluster: Pair, urls: list[str], order: random.Random) -> AsyncIterator[Load]:
    """Serve behind haproxy."""
    with database_proxy(database_cluster.nodes) as proxy:
        await eventually(lambda: proxy.writers() == [database_cluster.source])
        url = make_url(urls[0]).set(port=proxy.port).render_as_string(hide_password=False)
        async with load_on([url, url], order) as load:
            yield load


async def switch_over(pair: Pair) -> None:
    """Exchange the roles of the nodes."""
    await pair.switch_over()


async def kill(pair: Pair) -> None:
    """Kill the node that takes writes; the other one takes over, and the killed one comes back a reader."""
    await asyncio.to_thread(pair.source.kill)
    await asyncio.sleep(DETECTION_SECONDS)
    await pair.fail_over()
    await asyncio.to_thread(pair.replica.start)


async def freeze(pair: Pair) -> None:
    """Freeze the node that takes writes; when it comes back, it believes that it still does.

    It is killed then: a commit that waits for the replica holds up `SET GLOBAL super_read_only`, too.
    """
    await asyncio.to_thread(pair.source.pause)
    await asyncio.sleep(DETECTION_SECONDS)
    await pair.fail_over()
    await asyncio.to_thread(pair.replica.resume)
    await asyncio.sleep(DETECTION_SECONDS)
    await asyncio.to_thread(pair.replica.kill)
    await asyncio.to_thread(pair.replica.start)


@pytest.mark.parametrize(
    ("scenario", "fault"),
    [
        ("a planned switch-over behind haproxy", switch_over),
        ("the writer is killed behind haproxy", kill),
        pytest.param(
            "the writer is frozen behind haproxy, and comes back",
            freeze,
            marks=in_full_size,
        ),
    ],
    ids=["switched", "killed", "frozen"],
)
async def test_another_writer_loses_nothing_acknowledged(
    database_cluster: Pair,
    load: Load,
    judge: Judge,
    scenario: str,
    fault: Callable[[Pair], Awaitable[None]],
) -> None:
    """A worker with our client gets no error, and every server acknowledges again soon."""
    over = asyncio.Event()

    async def happen() -> None:
        reporting = asyncio.create_task(report_with_our_client(load, over))
        await load.ledger.more_answers(UNDER_LOAD_REPORTS)
        await fault(database_cluster)
        await load.more_answers_of_each()
        over.set()
        await reporting

    await load.run(WORKERS, happen())
    await judge(scenario, load, *(planned(load) if fault is switch_over else ()))


async def report_with_our_client(load: Load, over: asyncio.Event) -> None:
    """Report a job every few milliseconds, as a worker does; each of them must be recorded."""
    jobs: list[Job] = []
    async with AsyncReporter(f"127.0.0.1:{load.servers[0].port}", HOT) as reporter:
        while not over.is_set():
            jobs.append((HOT, f"client-{len(jobs)}"))
            load.ledger.attempt(jobs[-1], JobOutcome.SUCCEEDED)
            reporter.succeeded(jobs[-1][1])
            await asyncio.sleep(CLIENT_PAUSE_SECONDS)
        assert await reporter.flush(FLUSH_SECONDS_MAX)
        assert (reporter.counts.recorded, reporter.counts.dropped) == (len(jobs), {})
    for job in jobs:
        load.ledger.acknowledge(job, first=True)
