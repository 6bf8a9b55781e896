"""Gateways that are away, restarted or frozen while jobs of real Laravel applications run."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.laravel.ports import free_port
from tests.laravel.scene import ONE_VERSION, Scene
from tests.support.eventually import SECONDS_MAX, eventually
from tests.support.gateway import gateway

pytestmark = [pytest.mark.xdist_group("laravel"), ONE_VERSION]


async def test_batch_that_was_dispatched_without_a_gateway_is_announced_by_its_jobs(scene: Scene) -> None:
    port = free_port()
    with scene.gateway(f"http://127.0.0.1:{port}"):
        batch_id = await scene.dispatch(["succeed"] * 9 + ["mark"])
        async with scene.app.worker():
            await eventually(scene.app.marked.exists)
            async with gateway(f"127.0.0.1:{scene.progress.port}", listen=f"127.0.0.1:{port}"):
                await eventually(lambda: scene.is_known(batch_id))
                await scene.reported(batch_id, succeeded=10)
                batch = await scene.ended(batch_id)
    assert (batch.state, batch.total_jobs, batch.display_name) == (pb.BATCH_STATE_COMPLETED, 10, "sync")


async def test_worker_reports_to_a_gateway_that_was_restarted(scene: Scene) -> None:
    port = free_port()
    with scene.gateway(f"http://127.0.0.1:{port}"):
        async with scene.app.worker():
            for _ in range(2):
                async with gateway(f"127.0.0.1:{scene.progress.port}", listen=f"127.0.0.1:{port}"):
                    batch_id = await scene.dispatch(["succeed"] * 10)
                    await scene.reported(batch_id, succeeded=10)


async def test_jobs_do_not_wait_for_a_gateway_that_never_answers(scene: Scene) -> None:
    scene.app.environment["BATCHPROGRESS_TIMEOUT"] = "0.2"
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        with scene.gateway(f"http://127.0.0.1:{frozen.getsockname()[1]}"):
            batch_id = await scene.dispatch(["succeed"] * 50)
            await scene.app.work()
        frozen.settimeout(0)
        assert connections(frozen) < 25  # after a failure, most jobs do not try
    row = await scene.row(batch_id)
    assert (row.total_jobs, row.pending_jobs, row.failed_jobs) == (50, 0, 0)


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "404 Not Found"], ids=["200", "401", "404"])
async def test_page_of_a_proxy_is_no_answer(scene: Scene, status: str) -> None:
    port = free_port()
    batch_id = await scene.dispatch(["succeed"] * 3)
    with scene.gateway(f"http://127.0.0.1:{port}"):
        async with page(port, status) as asked, scene.app.worker():
            async with asyncio.timeout(SECONDS_MAX):
                await asked.wait()
            async with gateway(f"127.0.0.1:{scene.progress.port}", listen=f"127.0.0.1:{port}"):
                await scene.reported(batch_id, succeeded=3)
                await scene.ended(batch_id)


@asynccontextmanager
async def page(port: int, status: str) -> AsyncIterator[asyncio.Event]:
    """Answer the first request on a port with a page, and listen no more; yields the event of it."""
    asked = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 4\r\nconnection: close\r\n\r\npage".encode())
        await writer.drain()
        writer.close()
        server.close()
        asked.set()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    try:
        yield asked
    finally:
        server.close()


def connections(server: socket.socket) -> int:
    """Accept all waiting connections; return their number."""
    number = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return number
        number += 1
