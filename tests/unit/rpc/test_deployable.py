"""How a deployable starts, notices a dead task, and drains."""

import asyncio
from collections.abc import Sequence

import grpc
import pytest

from rpc.callers.limits import UNLIMITED
from rpc.callers.principal import Role
from rpc.serving.deployable import BackgroundTask, Deployable, Service
from rpc.telemetry.telemetry import Telemetry
from services.progress.settings import ProgressSettings

SECONDS_MAX = 10.0
ROLES: dict[str, Role] = {}


class Work:
    """A background task that runs until it is closed, cancelled or broken."""

    def __init__(self, name: str, events: list[str]) -> None:
        self.name = name
        self.events = events
        self.closed = asyncio.Event()
        self.broken = False

    async def run(self) -> None:
        """Wait for the end."""
        try:
            await self.closed.wait()
        except asyncio.CancelledError:
            self.events.append(f"{self.name} cancelled")
            raise
        if self.broken:
            raise ZeroDivisionError
        self.events.append(f"{self.name} finished")

    def close(self) -> None:
        """Let it finish."""
        self.events.append(f"{self.name} closed")
        self.closed.set()


def deployable(events: list[str], tasks: Sequence[BackgroundTask]) -> Deployable:
    """Return a deployable without methods, whose store always answers."""

    async def check() -> None:
        pass

    settings = ProgressSettings(listen="127.0.0.1:0", drain_seconds=0)
    service = Service(
        name="a.Service",
        required_roles=ROLES,
        errors={},
        add_to_server=lambda _: events.append("added"),
        check=check,
        tasks=tasks,
        end_streams=lambda: events.append("streams ended"),
    )
    return Deployable(settings, service, Telemetry(settings, "a.Service", ROLES), UNLIMITED)


async def test_drain_ends_streams_then_tasks_in_their_order() -> None:
    """A task with a close function finishes; others are cancelled after it."""
    events: list[str] = []
    first, second = Work("first", events), Work("second", events)
    server = deployable(events, [BackgroundTask(first.run, first.close), BackgroundTask(second.run)])
    async with (
        asyncio.timeout(SECONDS_MAX),
        server.running(),
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        await channel.channel_ready()
    assert events == ["added", "streams ended", "first closed", "first finished", "second cancelled"]
    for port in (server.port, server.admin.port, server.admin.metrics_port):
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_wait_raises_the_error_of_a_dead_task() -> None:
    """The other tasks are ended all the same."""
    events: list[str] = []
    broken, other = Work("broken", events), Work("other", events)
    broken.broken = True
    server = deployable(events, [BackgroundTask(broken.run), BackgroundTask(other.run)])
    async with asyncio.timeout(SECONDS_MAX):
        async with server.running():
            broken.closed.set()
            with pytest.raises(ZeroDivisionError):
                await server.wait(asyncio.Event())
    assert events == ["added", "streams ended", "other cancelled"]


async def test_wait_returns_when_the_process_is_asked_to_stop() -> None:
    server, stop = deployable([], []), asyncio.Event()
    async with asyncio.timeout(SECONDS_MAX), server.running():
        stop.set()
        await server.wait(stop)
