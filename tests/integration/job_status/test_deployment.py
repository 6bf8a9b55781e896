"""Health, reflection and drain of the job-status server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from pydantic import SecretStr

from rpc.serving.health import Health
from services.job_status.__main__ import serve
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
    """A queue that answers when the test lets it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.closed = False

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count when the test lets it."""
        assert batch_id
        self.asked.set()
        await self.may_answer.wait()
        return BatchCounts(1, 1, 0, 0, 0, finished=True, cancelled=False)

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """Not used here."""
        raise NotImplementedError

    async def check(self) -> None:
        """Succeed."""

    async def close(self) -> None:
        """Remember the call."""
        self.closed = True


def settings_of(*, drain_seconds: float) -> JobStatusSettings:
    """Return the settings of a server whose source the test makes."""
    url = SecretStr("sqlite+aiosqlite:///unused.db")
    return JobStatusSettings(listen=LISTEN, database_url=url, drain_seconds=drain_seconds)


@asynccontextmanager
async def _health(client: Client, service: str) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Watch the health of a service; yield a function that waits for a status."""
    stub: Any = health_pb2_grpc.HealthStub(client.channel)  # its stubs have no aio
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=service))

    async def becomes(expected: int) -> None:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while (await watch.read()).status != expected:
                pass

    yield becomes
    watch.cancel()


@pytest.mark.parametrize("service", [SERVICE, ""])
async def test_server_is_ready_while_its_queue_answers(service: str, queue_url: str) -> None:
    await JobTableQueue(queue_url).create()
    async with serving("job_table", queue_url) as client, _health(client, service) as becomes:
        await becomes(SERVING)


@pytest.mark.parametrize("service", [SERVICE, ""])
async def test_server_is_not_ready_but_alive_while_its_queue_is_away(service: str, queue_url: str) -> None:
    async with serving("job_table", queue_url) as client:
        async with _health(client, service) as becomes:
            await becomes(NOT_SERVING)
        async with _health(client, "liveness") as becomes:
            await becomes(SERVING)


async def test_drain_answers_running_calls_and_refuses_new_ones() -> None:
    """The server becomes not ready, and closes its source last."""
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


async def test_call_that_outlasts_the_drain_is_cut() -> None:
    source = SlowSource()
    settings = settings_of(drain_seconds=0)
    async with job_status_server(settings, source) as server, connected(server) as client:
        call = asyncio.create_task(client.counts("batch"))
        await source.asked.wait()
        await server.stop()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    assert source.closed


async def test_program_ends_when_a_background_task_dies(
    queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(_: Health) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Health, "run", die)
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await serve(JobStatusSettings(listen=LISTEN, database_url=SecretStr(queue_url)))


async def _services(client: Client) -> set[str]:
    channel: Any = client.channel  # the stubs have no aio
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async for answer in stub.ServerReflectionInfo(iter([request])):
        return {service.name for service in answer.list_services_response.service}
    return set()


async def test_reflection_lists_the_services_if_enabled(queue_url: str) -> None:
    async with serving("laravel", queue_url, reflection=True) as client:
        assert await _services(client) == {SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME}


async def test_reflection_is_off_by_default(queue_url: str) -> None:
    async with serving("laravel", queue_url) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _services(client)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
