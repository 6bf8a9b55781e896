"""The running server: opened, then drained."""

import asyncio

import grpc
from grpc_health.v1 import health_pb2_grpc

from batchprogress.v1 import job_status_pb2_grpc
from rpc.callers.limits import Limits
from rpc.serving.admin import AdminPorts
from rpc.serving.guard import Guard
from rpc.serving.health import Health
from rpc.serving.server import ServerOptions, add_reflection, create_server, listen
from rpc.telemetry.telemetry import Observing
from services.job_status.permissions import NEEDED, SERVICE
from services.job_status.servicer import JobStatusServicer
from services.job_status.settings import JobStatusSettings
from services.job_status.source import JobStatusSource
from services.job_status.status import translate


class Deployment:
    """JobStatusService on its port and the admin ports beside it, over one source."""

    def __init__(self, source: JobStatusSource, settings: JobStatusSettings) -> None:
        """Take the source, which is closed at the end. To be made inside the event loop that serves.

        Exit 78 if a certificate or a file of tokens cannot be used, or an admin port cannot be opened.
        """
        self._source = source
        self._drain_seconds = settings.drain_seconds
        self._guard = Guard(settings, NEEDED, Limits(settings.caller_calls_per_second_max))
        self._guard.warn(settings.listen)
        self._observing = Observing(settings, SERVICE, NEEDED)
        self._options = ServerOptions(
            settings.listen, settings.connection_age_seconds_max, certificate=self._guard.certificate
        )
        self._health = Health(SERVICE, source.check)
        self._server = self._create_server(reflection=settings.reflection)
        self.admin = AdminPorts(settings, self._health, self._guard, self._observing.registry)
        self._watching_health: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Serve from now on; return the port. Exit 78 if it cannot be opened."""
        port = listen(self._server, self._options)
        await self.admin.start()
        self._watching_health = asyncio.create_task(self._health.run())
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Say not-serving, refuse new calls, let running ones end, then close the source."""
        self._health.drain()
        await self._server.stop(self._drain_seconds)
        if self._watching_health is not None:
            self._watching_health.cancel()
            await asyncio.wait([self._watching_health])
        await self.admin.stop()
        await self._observing.close()
        await self._source.close()

    def _create_server(self, *, reflection: bool) -> grpc.aio.Server:
        server = create_server(
            self._options,
            translate,
            outside=self._observing.interceptors,
            inside=self._guard.interceptors,
        )
        job_status_pb2_grpc.add_JobStatusServiceServicer_to_server(JobStatusServicer(self._source), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, server)
        if reflection:
            add_reflection(server, SERVICE)
        return server
