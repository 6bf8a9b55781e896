"""Creating batches without failing the program that enqueues the jobs."""

import asyncio
from pathlib import Path

import pytest

from batchprogress import BatchConflict, BatchEnded
from batchprogress._grpc.connection import Connection
from batchprogress.integrations.best_effort import BestEffortClient
from tests.support.progress import served


async def test_a_failed_call_is_logged_and_raised_only_if_strict(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The return value says whether the batch is as the caller wants it."""
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db") as progress:
        connection = Connection(f"127.0.0.1:{progress.port}")
        client = BestEffortClient(connection, strict=False)
        assert await asyncio.to_thread(client.create, "b", 1, sealed=False)
        assert await asyncio.to_thread(client.add_jobs, "b", 2, "part")
        assert await asyncio.to_thread(client.seal, "b")
        assert caplog.messages == []
        assert not await asyncio.to_thread(client.create, "b", 4)
        assert "batch b was not changed" in caplog.text
        with pytest.raises(BatchConflict):
            await asyncio.to_thread(BestEffortClient(connection, strict=True).create, "b", 4)
        assert (await progress.get("b")).total_jobs == 3


async def test_an_ended_batch_is_an_error_even_if_not_strict(tmp_path: Path) -> None:
    """The jobs of the second night would be taken for those of the first."""
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db") as progress:
        client = BestEffortClient(Connection(f"127.0.0.1:{progress.port}"), strict=False)
        await progress.create("b", 1)
        assert await asyncio.to_thread(client.create, "b", 1, if_ended="error")
        await progress.report("b", "j")
        with pytest.raises(BatchEnded, match="was completed at"):
            await asyncio.to_thread(client.create, "b", 1, if_ended="error")


async def test_a_token_function_that_raises_fails_no_job(caplog: pytest.LogCaptureFixture) -> None:
    """It is the caller's code, and its exception is logged too."""

    def token() -> str:
        raise OSError("no token")

    client = BestEffortClient(Connection("127.0.0.1:1", None, token), strict=False, timeout=0.1)
    assert not await asyncio.to_thread(client.seal, "b")
    assert "no token" in caplog.text


def test_a_wrong_argument_is_raised() -> None:
    """It is the mistake of the program that calls, not of the server or the road to it."""
    client = BestEffortClient(Connection("127.0.0.1:1"), strict=False)
    with pytest.raises(TypeError):
        client.create("b", "three")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ValueError):  # noqa: PT011  # protobuf's own words
        client.add_jobs("b", 2**80, "part")
