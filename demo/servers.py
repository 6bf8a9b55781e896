"""The servers of the story: started on free ports, watched until they are healthy, stopped in order."""

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import Mapping
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from demo.processes import Processes, StoryError

NOTIFIER = "NOTIFIER_"
"""The prefix of the notifier's settings."""
READY_SECONDS_MAX = 60.0
"""A server is ready within two seconds; a busy machine may take much longer."""
STARTED = b'"serving"'
"""What a program logs when it has started."""
DRAIN_SECONDS = "5"
"""For calls that are pending when the story is interrupted; each takes milliseconds."""


class Server:
    """A server process.

    Args:
        processes: Stops the process.
        process: A process that was just started, with its log on a pipe.
        module: Its module, for messages.

    """

    def __init__(self, processes: Processes, process: Process, module: str) -> None:
        self._processes = processes
        self._process = process
        self._module = module
        self._port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        # Read to the end, since a server blocks when its pipe is full.
        self._reading = asyncio.create_task(self._read_log())

    async def ready(self) -> str:
        """Wait until the server is healthy, and return its address.

        Raises:
            StoryError: the server ended or is not ready in time.

        """
        address = await self.address()
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                await _serving(address)
        except (TimeoutError, grpc.aio.AioRpcError):
            raise self._not_ready() from None
        return address

    async def address(self) -> str:
        """Wait until the server listens, and return its address.

        Raises:
            StoryError: the server ended or is not ready in time.

        """
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                return f"127.0.0.1:{await self._port}"
        except TimeoutError:
            raise self._not_ready() from None

    async def stop(self) -> None:
        """Stop the server with SIGTERM, as Kubernetes does.

        Raises:
            StoryError: its exit code is not 0.

        """
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
        """Read the port from the log: the server chose a free one, so no other process can take it."""
        if not self._port.done() and STARTED in line:
            self._port.set_result(json.loads(line)["port"])


async def start_server(processes: Processes, module: str, prefix: str, settings: Mapping[str, str]) -> Server:
    """Start a server on a free port; its settings have this prefix."""
    listen = "ADMIN_LISTEN" if prefix == NOTIFIER else "LISTEN"  # a notifier has no other port
    own = {f"{prefix}{listen}": "127.0.0.1:0", f"{prefix}DRAIN_SECONDS": DRAIN_SECONDS}
    return Server(processes, await processes.start(module, {**own, **settings}), module)


async def _serving(address: str) -> None:
    """Wait until a server reports SERVING through grpc.health.v1."""
    async with grpc.aio.insecure_channel(address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        async for answer in health.Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True):
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
