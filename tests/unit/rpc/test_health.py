"""What health says of a server from its start to its end."""

import asyncio
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from rpc.serving import health as health_module
from rpc.serving.health import LIVENESS, Health

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
NO_CONTEXT: Any = None


async def test_a_draining_server_is_alive_but_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draining takes a server out of its Service and never gets it killed, however the store answers."""
    monkeypatch.setattr(health_module, "CHECK_PERIOD_SECONDS", 0)
    checks = asyncio.Semaphore(0)

    async def check() -> None:
        checks.release()

    health = Health("a.Service", check)
    running = asyncio.create_task(health.run())
    await checks.acquire()
    health.drain()
    for _ in range(3):  # what the first of them told has been set when the third begins
        await checks.acquire()
    assert await _status(health, "a.Service") == await _status(health, "") == NOT_SERVING
    assert await _status(health, LIVENESS) == SERVING
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _status(health: Health, service: str) -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    return (await health.servicer.Check(request, NO_CONTEXT)).status
