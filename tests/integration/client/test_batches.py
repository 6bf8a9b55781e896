"""The class Batches of version 0.1, which uses the integrations' client."""

import asyncio
import signal

import pytest

from batchprogress.batches import Batches
from batchprogress.errors import BatchConflict
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


async def test_a_refusal_is_logged_and_raised_only_if_strict(
    progress: Served, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A conflict is returned as False and logged; strict raises it with the server's reason."""
    await progress.create("b", 3)
    assert not await asyncio.to_thread(Batches(target).create, "b", 4)
    assert "batch b was not changed" in caplog.text
    with pytest.raises(BatchConflict) as raised:
        await asyncio.to_thread(Batches(target, strict=True).create, "b", 4)
    assert raised.value.reason == "BATCH_CONFLICT"


async def test_a_token_that_cannot_be_read_fails_no_job(
    target: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The error of the user's own token function is logged."""

    def token() -> str:
        raise OSError("no such file")

    assert not await asyncio.to_thread(Batches(target, token=token, answer_seconds_max=0.1).create, "b", 1)
    assert "no such file" in caplog.text


async def test_a_call_waits_for_a_restart_of_the_server(
    servers: Cluster, progress: Served, target: str
) -> None:
    """The call returns False if the server stays away."""
    await servers.end(0, signal.SIGKILL)
    assert not await asyncio.to_thread(Batches(target, answer_seconds_max=0.1).create, "b", 1)
    creating = asyncio.create_task(asyncio.to_thread(Batches(target, answer_seconds_max=60).create, "b", 1))
    await servers.start(0)
    assert await creating
    assert (await progress.get("b")).total_jobs == 1
