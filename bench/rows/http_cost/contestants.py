"""The gateway, a bare HTTP handler, and a gRPC client that is measured itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict

from bench.load.posters import PostPlan
from bench.load.processes import START_SECONDS_MAX, Serving, end, launch
from bench.load.reporters import Plan
from bench.load.timed import Outcome
from bench.load.workload import Workload
from bench.measure.contestants import Contestant, Driver
from database_servers.ports import free_port

POLL_SECONDS = 0.1
"""Between tries to connect to a process that starts."""


class _Uncounted(Contestant):
    async def prepare(self, batch_ids: Sequence[str]) -> None:
        """Do nothing: the server has no batches."""

    async def verify(self, outcomes: Sequence[Outcome]) -> None:
        """Do nothing: the load generator fails if a call is not answered."""


class OverHttp(_Uncounted):
    """A process that answers posts.

    Args:
        name: how the report calls it.
        serving: the process.

    """

    def __init__(self, name: str, serving: Serving) -> None:
        super().__init__(name, [serving.pid], [])
        self._port = int(serving.target.rpartition(":")[2])

    def drivers(self, workload: Workload, batch_ids: Sequence[str]) -> list[Driver]:
        """Return the process that posts."""
        return [Driver("bench.load.posters", asdict(PostPlan(self._port, batch_ids[0], workload.workers)))]


class GrpcClient(_Uncounted):
    """A process that makes the same calls by gRPC, on one connection as the gateway does.

    Args:
        name: how the report calls it.
        target: the server.

    """

    drives_itself = True

    def __init__(self, name: str, target: str) -> None:
        super().__init__(name, [], [])
        self._target = target

    def drivers(self, workload: Workload, batch_ids: Sequence[str]) -> list[Driver]:
        """Return the client itself."""
        plan = Plan(
            targets=[self._target],
            batch_ids=list(batch_ids),
            name="client",
            workers=workload.workers,
            connections=1,
            results_per_call=1,
            copies=1,
            prepared_calls=workload.prepared_calls,
        )
        return [Driver("bench.load.reporters", asdict(plan))]


@asynccontextmanager
async def gateway_process(progress_target: str) -> AsyncIterator[Serving]:
    """Run our gateway in front of a server while the context is open."""
    port = free_port()
    environment = {"GATEWAY_LISTEN": f"127.0.0.1:{port}", "GATEWAY_PROGRESS_TARGET": progress_target}
    process = await launch("services.gateway", environment=environment)
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            await _is_listening(port)
        yield Serving(process.pid, f"127.0.0.1:{port}")
    finally:
        await end(process)


async def _is_listening(port: int) -> None:
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(POLL_SECONDS)
