"""The server around the calls: health, reflection, drain."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from pydantic import SecretStr

from services.job_status.permissions import SERVICE
from services.job_status.settings import JobStatusSettings
from services.job_status.source import BatchCounts, JobPage
from services.job_status.wiring import job_status_server
from tests.integration.job_status.queues import JobTableQueue
from tests.integration.job_status.servers import LISTEN, Client, connected, serving

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ANSWER_SECONDS_MAX = 10.0
"""How long a test waits for a signal before it fails."""


class SlowSource:
    """A queue that answers when it is told to."""

    def __init__(self) -> None:
        """Begin with no question asked."""
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.closed = False

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count when told to."""
        assert batch_id
        self.asked.set()
        await self.may_answer.wait()
        return BatchCounts(1, 1, 0, 0, 0, finished=True, cancelled=False)

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """Not asked for here."""
        raise NotImplementedError

    async def check(self) -> None:
        """Be there."""

    async def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


def settings_of(*, drain_seconds: float) -> JobStatusSettings:
    """Return the settings of a server whose source is given."""
    url = SecretStr("sqlite+aiosqlite:///unused.db")
    return JobStatusSettings(listen=LISTEN, database_url=url, drain_seconds=drain_seconds)


@asynccontextmanager
async def _health(client: Client, service: str) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Watch the health of a service; gives a call that waits until it is the one expected."""
    stub: Any = health_pb2_grpc.HealthStub(client.channel)  # its stubs know no aio
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=service))

    async def becomes(expected: int) -> None:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while (await watch.read()).status != expected:
                pass

    yield becomes
    watch.cancel()


@pytest.mark.parametrize("service", [SERVICE, ""])
async def test_ready(service: str, queue_url: str) -> None:
    """The server is ready while its queue can be read."""
    await JobTableQueue(queue_url).create()
    async with serving("job_table", queue_url) as client, _health(client, service) as becomes:
        await becomes(SERVING)


@pytest.mark.parametrize("service", [SERVICE, ""])
async def test_not_ready(service: str, queue_url: str) -> None:
    """The server is not ready while its queue is away, and alive all the same."""
    async with serving("job_table", queue_url) as client:
        async with _health(client, service) as becomes:
            await becomes(NOT_SERVING)
        async with _health(client, "liveness") as becomes:
            await becomes(SERVING)


async def test_drain() -> None:
    """At the stop the server is not ready and takes no call; it answers those under way, then ends."""
    source = SlowSource()
    settings = settings_of(drain_seconds=ANSWER_SECONDS_MAX)
    async with job_status_server(settings, source) as server, connected(server) as client:
        call = asyncio.create_task(client.counts("batch"))
        await source.asked.wait()
        async with _health(client, SERVICE) as becomes:
            await becomes(SERVING)
            stop = asyncio.create_task(server.stop())
            await becomes(NOT_SERVING)
            await client.channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
            with pytest.raises(grpc.aio.AioRpcError):
                await client.counts("late")
        assert not source.closed
        source.may_answer.set()
        assert (await call).succeeded == 1
        await stop
    assert source.closed


async def test_drain_ends() -> None:
    """A call that takes longer than the drain is cut."""
    source = SlowSource()
    settings = settings_of(drain_seconds=0)
    async with job_status_server(settings, source) as server, connected(server) as client:
        call = asyncio.create_task(client.counts("batch"))
        await source.asked.wait()
        await server.stop()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    assert source.closed


async def _services(client: Client) -> set[str]:
    channel: Any = client.channel  # the stubs know no aio
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async for answer in stub.ServerReflectionInfo(iter([request])):
        return {service.name for service in answer.list_services_response.service}
    return set()


async def test_reflection(queue_url: str) -> None:
    """Reflection lists what the port serves, if it is set."""
    async with serving("laravel", queue_url, reflection=True) as client:
        assert await _services(client) == {SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME}


async def test_no_reflection(queue_url: str) -> None:
    """Reflection is off by default."""
    async with serving("laravel", queue_url) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _services(client)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
