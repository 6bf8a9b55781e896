"""Watchers of health get each change at once, are limited in number, and do not delay each other."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rpc.serving import health as health_module
from rpc.serving import health_servicer
from rpc.serving.health import LIVENESS, Health
from rpc.serving.server import ServerOptions, create_server, listen
from tests.support import http2_frames
from tests.support.answers import answered

SECONDS_MAX = 20.0
SERVICE = "a.Service"
Response = health_pb2.HealthCheckResponse


class Store:
    """The store behind the server, as health sees it."""

    is_away = False

    async def answers(self) -> None:
        """Answer, or fail like a store that cannot be reached."""
        if self.is_away:
            raise ConnectionError


@dataclass(frozen=True, slots=True)
class Scene:
    """A server that has only health, and a client."""

    server: grpc.aio.Server
    health: Health
    store: Store
    port: int
    stub: Any
    """Untyped: the published types lack its methods."""

    async def status(self, name: str) -> int:
        """Return the current status."""
        return int((await self.stub.Check(health_pb2.HealthCheckRequest(service=name))).status)

    async def becomes(self, name: str, expected: int) -> None:
        """Wait for a status."""
        async with asyncio.timeout(SECONDS_MAX):
            while await self.status(name) != expected:  # noqa: ASYNC110  # Check has no event
                await asyncio.sleep(0.01)

    def watch(self, name: str) -> Any:
        """Open a watch."""
        return self.stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=SECONDS_MAX)


@pytest_asyncio.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """Serve health, with checks in quick succession."""
    monkeypatch.setattr(health_module, "CHECK_PERIOD_SECONDS", 0.01)
    options, store = ServerOptions("127.0.0.1:0"), Store()
    server = create_server(options, {})
    health = Health((SERVICE,), store.answers)
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
    port = listen(server, options)
    await server.start()
    running = asyncio.create_task(health.run())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Scene(server, health, store, port, health_pb2_grpc.HealthStub(channel))
    running.cancel()
    await asyncio.wait([running])
    await server.stop(None)


async def test_watcher_gets_the_state_at_once_and_each_change(scene: Scene) -> None:
    await scene.becomes(SERVICE, Response.SERVING)
    watch = scene.watch(SERVICE)
    assert (await watch.read()).status == Response.SERVING
    for away, expected in ((True, Response.NOT_SERVING), (False, Response.SERVING)):
        scene.store.is_away = away
        assert (await watch.read()).status == expected


async def test_unknown_name_is_not_found(scene: Scene) -> None:
    """Check answers NOT_FOUND; a watch sends SERVICE_UNKNOWN and stays open."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scene.status("another.Service")
    assert answered(caught.value).code is grpc.StatusCode.NOT_FOUND
    watch = scene.watch("another.Service")
    assert (await watch.read()).status == Response.SERVICE_UNKNOWN
    following = asyncio.ensure_future(watch.read())
    for away, expected in ((True, Response.NOT_SERVING), (False, Response.SERVING)):
        scene.store.is_away = away  # other watchers get these changes
        await scene.becomes(SERVICE, expected)
    assert not following.done()
    scene.health.drain()
    assert await following is grpc.aio.EOF


async def test_watcher_that_does_not_read_delays_nobody(scene: Scene) -> None:
    """While the window of one watcher is closed, Check and all other watchers get each change."""
    await scene.becomes(SERVICE, Response.SERVING)
    request = health_pb2.HealthCheckRequest(service=SERVICE).SerializeToString()
    _, writer = await asyncio.open_connection("127.0.0.1", scene.port)
    writer.write(
        http2_frames.greeting(window_bytes=0)
        + http2_frames.call_headers("/grpc.health.v1.Health/Watch")
        + http2_frames.whole_message(request)
    )
    async with asyncio.timeout(SECONDS_MAX):
        while not scene.health.servicer.watchers:  # noqa: ASYNC110  # the raw connection has no event
            await asyncio.sleep(0.01)
    other = scene.watch(SERVICE)
    assert (await other.read()).status == Response.SERVING
    for away, expected in ((True, Response.NOT_SERVING), (False, Response.SERVING)) * 3:
        scene.store.is_away = away
        assert (await other.read()).status == expected
        assert await scene.status(SERVICE) == expected
    scene.health.drain()
    assert await scene.status(SERVICE) == Response.NOT_SERVING
    writer.transport.abort()


async def test_drain_ends_every_watch(scene: Scene) -> None:
    """A watcher gets NOT_SERVING, then its watch ends, so that it does not delay the stop."""
    await scene.becomes(SERVICE, Response.SERVING)
    watches = {name: scene.watch(name) for name in (SERVICE, "", LIVENESS)}
    for watch in watches.values():
        assert (await watch.read()).status == Response.SERVING
    scene.health.drain()
    async with asyncio.timeout(SECONDS_MAX):
        await scene.server.stop(grace=10 * SECONDS_MAX)
    for name in (SERVICE, ""):
        assert (await watches[name].read()).status == Response.NOT_SERVING
    assert [await watch.read() for watch in watches.values()] == [grpc.aio.EOF] * 3


async def test_number_of_watchers_is_limited(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A further watcher is refused with a retry delay; Check still answers, and a closed watch makes room."""
    monkeypatch.setattr(health_servicer, "WATCHERS_MAX", 2)
    watches = [scene.watch(LIVENESS) for _ in range(2)]
    for watch in watches:
        await watch.read()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scene.watch(LIVENESS).read()
    refusal = answered(caught.value)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHES")
    assert refusal.retry_seconds is not None
    assert await scene.status(LIVENESS) == Response.SERVING
    watches[0].cancel()
    async with asyncio.timeout(SECONDS_MAX):
        while scene.health.servicer.watchers == 2:  # noqa: ASYNC110  # the server notices by itself
            await asyncio.sleep(0.01)
    assert (await scene.watch(LIVENESS).read()).status == Response.SERVING
