"""The servers of the story: started on free ports, ready by their own word, stopped in order."""

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import Mapping
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from demo.processes import Processes, StoryError
from demo.progress import open_channel

READY_SECONDS_MAX = 60.0
"""A server is ready in one or two seconds, on a machine that is busy with other work in many more."""
DRAIN_SECONDS = "5"
"""For calls that are under way when the story is interrupted; each takes milliseconds."""


class Server:
    """A server process that said where it listens."""

    def __init__(self, processes: Processes, process: Process, module: str) -> None:
        """Take a process that was just started."""
        self._processes = processes
        self._process = process
        self._module = module
        self._port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        # To the end: a server whose pipe is full stands still.
        self._reading = asyncio.create_task(self._read_log())

    async def ready(self) -> str:
        """Return its address once its health says that it serves.

        Raises:
            StoryError: it ended, or it is not ready in time.

        """
        address = await self.address()
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                await _serving(address)
        except (TimeoutError, grpc.aio.AioRpcError):
            raise self._not_ready() from None
        return address

    async def address(self) -> str:
        """Return its address once it listens; raises as `ready`."""
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                return f"127.0.0.1:{await self._port}"
        except TimeoutError:
            raise self._not_ready() from None

    async def stop(self) -> None:
        """Ask it to end, as Kubernetes does; StoryError if it does not end well."""
        exit_code = await self._processes.stop(self._process)
        await self._reading
        if exit_code:
            raise StoryError(f"{self._module} ended with exit code {exit_code} instead of 0")

    def _not_ready(self) -> StoryError:
        return StoryError(f"{self._module} is not ready after {READY_SECONDS_MAX:.0f} s")

    async def _read_log(self) -> None:
        lines = self._process.stderr
        assert lines is not None  # noqa: S101  # it was started with a pipe
        async for line in lines:
            self._processes.log(line.decode())
            self._find_port(line)
        if not self._port.done():
            self._port.set_exception(StoryError(f"{self._module} ended before it served"))

    def _find_port(self, line: bytes) -> None:
        """It took a free port (port 0) and logs which: no other process can have taken it meanwhile."""
        if not self._port.done() and b'"serving"' in line:
            self._port.set_result(json.loads(line)["port"])


async def start_server(processes: Processes, module: str, prefix: str, settings: Mapping[str, str]) -> Server:
    """Start a server whose settings have a prefix, on a free port."""
    own = {f"{prefix}LISTEN": "127.0.0.1:0", f"{prefix}DRAIN_SECONDS": DRAIN_SECONDS}
    return Server(processes, await processes.start(module, {**own, **settings}), module)


async def _serving(address: str) -> None:
    """Return once the server at the address tells through grpc.health.v1 that it serves."""
    async with open_channel(address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        async for answer in health.Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True):
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
