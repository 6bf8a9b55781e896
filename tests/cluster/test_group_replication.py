"""Group Replication: exact on every node, one upgrade at a time, and a switch-over refuses no report."""

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial

import pytest
from sqlalchemy import make_url

from batches.migrations import migrate
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from tests.cluster.group import Group, group_of
from tests.cluster.switch import Switch
from tests.faults.conftest import FULL
from tests.faults.ledger import Ledger
from tests.faults.workload import Plan, Workers, create_batches, make_plan
from tests.support.eventually import eventually
from tests.support.progress import Served, served

UPGRADE_ROUNDS = 15 if FULL else 3
"""With GET_LOCK in place of the lease, the group was broken by the fifth round at the latest."""
WORKERS_AT_ONE_NODE, WORKERS_AT_OTHERS = 1_037 if FULL else 100, 8
"""Uneven, since a large group loses against small ones."""
SIZES = {"hot": 4_000 if FULL else 400, **{f"batch-{number}": 20 for number in range(10)}}
LARGE_CALL = 10_000 if FULL else 1_000
"""10,000 are the most results of a call."""
LARGE_CALL_SECONDS_MAX = 120.0
"""A call that loses for ever is recognised after this time."""
WORKERS = 50


@pytest.fixture(scope="module")
def multi_primary() -> Iterator[Group]:
    """Return a group of which each node takes writes."""
    with group_of(multi_primary=True) as group:
        yield group


@pytest.fixture(scope="module")
def single_primary() -> Iterator[Group]:
    """Return a group with one node that takes writes."""
    with group_of(multi_primary=False) as group:
        yield group


@pytest.fixture
def order() -> random.Random:
    """Return a source of chance whose seed is printed."""
    seed = secrets.randbits(32)
    print(f"seed: {seed}")
    return random.Random(seed)


@pytest.fixture
async def urls(multi_primary: Group) -> list[str]:
    """Return the URLs of a new database with tables on each node."""
    urls = await multi_primary.new_database()
    await _upgrade(urls[0])
    return urls


@pytest.fixture
async def servers(urls: list[str]) -> AsyncIterator[list[Served]]:
    """Serve on each node."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(served(url)) for url in urls]


async def _upgrade(url: str) -> None:
    database = Database(url, connections_max=2)
    try:
        await migrate.upgrade(database)
        await migrate.require_usable(database)
    finally:
        await database.close()


async def _rows(url: str) -> Counter[str]:
    """Return the results by batch, after checking that every counter is right."""
    database = Database(url, connections_max=2)
    rows: Counter[str] = Counter()
    try:
        async for page in BatchStore(database).check():
            assert page.differences == []
        for batch_id in SIZES:
            batch = await BatchStore(database).get_batch(batch_id)
            rows[batch_id] = batch.tally.succeeded + batch.tally.failed + batch.tally.skipped
    finally:
        await database.close()
    return rows


async def test_upgrades_at_once_on_each_node_leave_the_group_whole(multi_primary: Group) -> None:
    """DDL is not certified: two upgrades at once end the group."""
    for _ in range(UPGRADE_ROUNDS):
        await asyncio.gather(*map(_upgrade, await multi_primary.new_database()))
        assert await multi_primary.all_online()


async def test_a_batch_is_found_through_another_node_at_once(servers: list[Served]) -> None:
    """Its first report would be NOT_FOUND, and dropped."""
    for number in range(100):
        await servers[0].create(f"b{number}", 1)
        await servers[1].report(f"b{number}", "j")


async def test_uneven_writers_are_exact_on_every_node(
    servers: list[Served], urls: list[str], order: random.Random
) -> None:
    """No report is refused, and each node has the same results."""
    plan, ledger = make_plan(order, SIZES, copies_max=2), Ledger()
    await create_batches(servers[0].stub, plan)
    half = len(plan.reports) // 2
    parts = (plan.reports[:half], plan.reports[half : half + half // 2], plan.reports[half + half // 2 :])
    crowd = (WORKERS_AT_ONE_NODE, WORKERS_AT_OTHERS, WORKERS_AT_OTHERS)
    await asyncio.gather(
        *(
            Workers(ledger, [server.channel], workers).send_all(Plan(plan.sizes, plan.outcomes, part))
            for server, workers, part in zip(servers, crowd, parts, strict=True)
        )
    )
    assert ledger.refused == {}
    assert ledger.acknowledged == plan.outcomes.keys()
    assert max(ledger.recorded.values()) == 1
    for url in urls:
        assert await _rows(url) == SIZES


async def test_a_large_call_passes_beside_small_ones_elsewhere(servers: list[Served]) -> None:
    """They write the same batch, so a large group loses certification against theirs."""
    await servers[0].create("b", LARGE_CALL + 10**6)
    done = asyncio.Event()

    async def report(server: Served, worker: str) -> None:
        number = 0
        while not done.is_set():
            await server.report("b", f"{worker}-{number}")
            number += 1

    small = [
        asyncio.create_task(report(server, f"{port}-{worker}"))
        for port, server in enumerate(servers[1:])
        for worker in range(WORKERS_AT_OTHERS // 2)
    ]
    request = pb.ReportJobResultsRequest(
        results=[
            pb.ReportJobResultRequest(
                batch_id="b", job_id=f"large-{number}", outcome=pb.JOB_OUTCOME_SUCCEEDED
            )
            for number in range(LARGE_CALL)
        ]
    )
    try:
        answer = await servers[0].stub.ReportJobResults(request, timeout=LARGE_CALL_SECONDS_MAX)
    finally:
        done.set()
        await asyncio.gather(*small)
    assert {one.disposition for one in answer.results} == {pb.DISPOSITION_RECORDED}


async def test_a_planned_switch_over_refuses_no_report(single_primary: Group, order: random.Random) -> None:
    """The server's connections to the old primary stay open, and it answers reads."""
    [url, *_] = await single_primary.new_database()
    primary = await single_primary.primary()
    await _upgrade(primary.url(str(make_url(url).database)))
    switch = Switch(primary.host, primary.port)
    plan, ledger = make_plan(order, SIZES, copies_max=2), Ledger()
    async with switch.listening() as port:
        proxied = make_url(url).set(port=port).render_as_string(hide_password=False)
        async with served(proxied) as server:
            await create_batches(server.stub, plan)
            working = asyncio.create_task(Workers(ledger, [server.channel], WORKERS).send_all(plan))
            for node in single_primary.nodes[1:]:
                await ledger.more_answers(100)
                await single_primary.make_primary(node)
                switch.port = node.port
            await working
    assert ledger.refused == {}
    assert ledger.acknowledged == plan.outcomes.keys()
    for node in single_primary.nodes:
        await eventually(partial(_has_all, node.url(str(make_url(url).database))))


async def _has_all(url: str) -> bool:
    return await _rows(url) == SIZES
