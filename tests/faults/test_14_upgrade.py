"""Fault 14: an upgrade under load, first of the schema, then of one server after the other."""

import asyncio
import random
import signal
from pathlib import Path

import pytest

from batches.migrations.migrate import head_version
from tests.faults.cluster import Cluster, cluster
from tests.faults.conftest import Target, Verdict
from tests.faults.ledger import Ledger
from tests.faults.workload import Workers, create_batches, make_plan, send_until
from tests.support.next_version import NextVersion, make_next_version, run_upgrade
from tests.support.progress import ROOT, start, stub_of

EXIT_BAD_CONFIGURATION = 78
REFUSAL_SECONDS_MAX = 30
SERVERS = 2
WORKERS = 200
CHANNELS = 4


async def change_version(servers: Cluster, url: str, following: NextVersion, ledger: Ledger) -> list[str]:
    """Upgrade the schema and both servers, then downgrade one; return the output of the migrations."""
    said = [await following.upgrade(url)]
    for place, checkout in ((0, following.checkout), (1, following.checkout), (0, ROOT)):
        # Old and new servers now run on the new schema.
        await ledger.more_reports(100)
        assert await servers.end(place, signal.SIGTERM) == 0
        await servers.start(place, checkout)
    said.append(await run_upgrade(ROOT, url))
    await ledger.more_reports(100)
    return said


@pytest.mark.more("runs servers of two versions")
async def test_an_upgrade_fails_no_worker(
    target: Target, order: random.Random, verdict: Verdict, tmp_path: Path, *, full: bool
) -> None:
    """Servers of this version and of the next one record on the next schema, also after a downgrade."""
    plan = make_plan(order, {f"batch-{one}": 50 for one in range(200 if full else 20)})
    following = make_next_version(tmp_path, is_additive=True)
    ledger = Ledger()
    async with cluster(target.url, SERVERS) as servers, servers.channels(CHANNELS) as channels:
        await create_batches(stub_of(channels[0]), plan)
        changing = asyncio.create_task(change_version(servers, target.url, following, ledger))
        await send_until(changing, Workers(ledger, channels, WORKERS), plan)
        forth, back = await changing
    before = head_version()
    assert forth.strip() == f"schema {following.version}: upgraded from {before}"
    assert back.startswith(f"schema {following.version}: not changed; it is newer than schema {before}")
    assert ledger.acknowledged == plan.outcomes.keys()
    await verdict("upgrade and back", 1, ledger)


async def test_server_refuses_a_schema_that_needs_a_later_version(target: Target, tmp_path: Path) -> None:
    """The server exits with 78 and says what to do."""
    following = make_next_version(tmp_path, is_additive=False)
    await following.upgrade(target.url)
    process = await start(target.url, listen="127.0.0.1:0")
    async with asyncio.timeout(REFUSAL_SECONDS_MAX):
        _, said = await process.communicate()
    assert process.returncode == EXIT_BAD_CONFIGURATION
    assert (
        f"it has schema {following.version}, on which this version (schema {head_version()}) cannot"
        " run: run the newer version that upgraded it"
    ) in said.decode()
