"""The readiness and liveness of a server, from its start to its end."""

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from process.children.board import SILENT_SECONDS_MAX, Board
from process.children.child import Child
from rpc.serving import health as health_module
from rpc.serving.health import LIVENESS, Health

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
NO_CONTEXT: Any = None
SECONDS_MAX = 10.0


async def test_draining_server_is_alive_but_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain removes a server from its Service but never gets it killed, even if the store answers."""
    monkeypatch.setattr(health_module, "CHECK_PERIOD_SECONDS", 0)
    checks = asyncio.Semaphore(0)

    async def check() -> None:
        checks.release()

    health = Health(("a.Service",), check)
    running = asyncio.create_task(health.run())
    await checks.acquire()
    health.drain()
    for _ in range(3):  # the result of the first of them is set when the third begins
        await checks.acquire()
    assert await _status(health, "a.Service") == await _status(health, "") == NOT_SERVING
    assert await _status(health, LIVENESS) == SERVING
    assert not health.is_ready
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_check_that_does_not_return_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen store gets a single check, and the server is not ready until it answers."""
    monkeypatch.setattr(health_module, "CHECK_PERIOD_SECONDS", 0)
    monkeypatch.setattr(health_module, "CHECK_SECONDS_MAX", 0.001)
    checks, answers, rounds = 0, asyncio.Event(), asyncio.Semaphore(0)

    async def check() -> None:
        nonlocal checks
        checks += 1
        await answers.wait()

    class CountedHealth(Health):
        def _set_ready(self, *, ready: bool) -> None:
            rounds.release()
            super()._set_ready(ready=ready)

    health = CountedHealth(("a.Service",), check)
    running = asyncio.create_task(health.run())
    async with asyncio.timeout(SECONDS_MAX):
        for _ in range(3):
            await rounds.acquire()
        assert (checks, health.is_ready) == (1, False)
        answers.set()
        while not health.is_ready:  # noqa: ASYNC110  # readiness has no event
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_list_tells_the_state_of_each_name() -> None:
    health = Health(("a.Service",), asyncio.Event().wait)
    listed = await health.servicer.List(None, NO_CONTEXT)
    states = {name: response.status for name, response in listed.statuses.items()}
    assert states == {"": NOT_SERVING, "a.Service": NOT_SERVING, LIVENESS: SERVING}


async def _status(health: Health, service: str) -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    return (await health.servicer.Check(request, NO_CONTEXT)).status


async def test_admin_port_answers_about_all_processes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A sibling that is not ready or silent is seen there; clients of this process see only this one."""
    monkeypatch.setattr(health_module, "CHECK_PERIOD_SECONDS", 0)
    ours, theirs = socket.socketpair()
    board = Board(2)
    now = time.monotonic()

    async def check() -> None:
        await asyncio.sleep(0)

    health = Health(("a.Service",), check, Child(1, 0, tmp_path, board, theirs))
    running = asyncio.create_task(health.run())
    silent = now - SILENT_SECONDS_MAX - 1
    async with asyncio.timeout(SECONDS_MAX):
        for ready, spoke_at, expected in (
            (True, now, (SERVING, SERVING)),
            (False, now, (NOT_SERVING, SERVING)),
            (True, silent, (NOT_SERVING, NOT_SERVING)),
        ):
            board.tell(2, ready=ready, now=spoke_at)
            while await _admin_statuses(health) != expected:  # noqa: ASYNC110  # health has no event
                await asyncio.sleep(0)
            assert await _status(health, "a.Service") == await _status(health, LIVENESS) == SERVING
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    ours.close()
    theirs.close()


@pytest.mark.parametrize(("sibling_is_ready", "expected"), [(True, SERVING), (False, NOT_SERVING)])
async def test_probe_that_meets_a_starting_process_is_answered_about_the_others(
    tmp_path: Path, *, sibling_is_ready: bool, expected: int
) -> None:
    """Its own clients learn that it is not ready before its first check."""
    ours, theirs = socket.socketpair()
    board = Board(2)
    board.tell(1, ready=sibling_is_ready, now=time.monotonic())
    health = Health(("a.Service",), asyncio.Event().wait, Child(2, 0, tmp_path, board, theirs))
    assert await _admin_statuses(health) == (expected, SERVING)
    assert await _status(health, "a.Service") == NOT_SERVING
    ours.close()
    theirs.close()


async def test_first_process_is_not_ready_before_its_first_check(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    health = Health(("a.Service",), asyncio.Event().wait, Child(1, 0, tmp_path, Board(2), theirs))
    assert await _admin_statuses(health) == (NOT_SERVING, SERVING)
    ours.close()
    theirs.close()


async def _admin_statuses(health: Health) -> tuple[int, ...]:
    requests = [health_pb2.HealthCheckRequest(service=service) for service in ("", LIVENESS)]
    answers = [await health.admin_servicer.Check(request, NO_CONTEXT) for request in requests]
    return tuple(answer.status for answer in answers)
