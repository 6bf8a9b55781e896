"""Batches: what enqueuing does before it enqueues."""

import asyncio
import signal

import pytest

from batchprogress import Batches, BatchNotChanged
from tests.faults.cluster import Cluster
from tests.support.progress import Served


async def test_a_batch_is_created_grows_and_is_sealed(progress: Served, target: str) -> None:
    """Each step may be repeated with the same arguments."""
    batches = Batches(target, strict=True)
    for _ in range(2):
        assert await asyncio.to_thread(
            batches.create, "b", 1, sealed=False, display_name="B", labels={"team": "x"}
        )
    for part in ("1", "2", "2"):
        assert await asyncio.to_thread(batches.add_jobs, "b", 2, part)
    assert await asyncio.to_thread(batches.seal, "b")
    batch = await progress.get("b")
    assert (batch.total_jobs, batch.sealed, batch.display_name, dict(batch.labels)) == (
        5,
        True,
        "B",
        {"team": "x"},
    )


async def test_what_the_server_refuses_fails_nobody_unless_strict(progress: Served, target: str) -> None:
    """A conflict is told by the return value and the log, or raised with the server's reason."""
    await progress.create("b", 3)
    assert not await asyncio.to_thread(Batches(target).create, "b", 4)
    with pytest.raises(BatchNotChanged) as raised:
        await asyncio.to_thread(Batches(target, strict=True).create, "b", 4)
    assert raised.value.reason == "BATCH_CONFLICT"


async def test_a_server_that_is_restarted_is_waited_for(
    servers: Cluster, progress: Served, target: str
) -> None:
    """For a while; one that stays away is told."""
    await servers.end(0, signal.SIGKILL)
    assert not await asyncio.to_thread(Batches(target, answer_seconds_max=0.1).create, "b", 1)
    creating = asyncio.create_task(asyncio.to_thread(Batches(target, answer_seconds_max=60).create, "b", 1))
    await servers.start(0)
    assert await creating
    assert (await progress.get("b")).total_jobs == 1
