"""The running server: opened, then drained."""

import asyncio

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from batchprogress.v1 import job_status_pb2, job_status_pb2_grpc
from rpc.health import Health
from rpc.server import ServerOptions, add_reflection, create_server, listen
from services.job_status.servicer import JobStatusServicer
from services.job_status.source import JobStatusSource
from services.job_status.status import translate

SERVICE = job_status_pb2.DESCRIPTOR.services_by_name["JobStatusService"].full_name


class Deployment:
    """JobStatusService, health and (if wanted) reflection on one port, over one source."""

    def __init__(
        self,
        source: JobStatusSource,
        options: ServerOptions,
        *,
        drain_seconds: float,
        reflection: bool = False,
    ) -> None:
        """Take the source, which is closed at the end. To be made inside the event loop that serves."""
        self._source = source
        self._options = options
        self._drain_seconds = drain_seconds
        self._health = Health(SERVICE, source.check)
        self._server = self._create_server(reflection=reflection)
        self._watching_health: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Serve from now on; return the port. Exit 78 if it cannot be opened."""
        port = listen(self._server, self._options)
        self._watching_health = asyncio.create_task(self._health.run())
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Say not-serving, refuse new calls, let running ones end, then close the source."""
        await self._health.drain()
        await self._server.stop(self._drain_seconds)
        if self._watching_health is not None:
            self._watching_health.cancel()
            await asyncio.wait([self._watching_health])
        await self._source.close()

    def _create_server(self, *, reflection: bool) -> grpc.aio.Server:
        server = create_server(self._options, translate)
        job_status_pb2_grpc.add_JobStatusServiceServicer_to_server(JobStatusServicer(self._source), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, server)
        if reflection:
            add_reflection(server, (SERVICE, health.SERVICE_NAME))
        return server
