"""One gRPC service as a process runs it: start, health, admin ports, background tasks and drain."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health_pb2_grpc

from process.children.child import Child
from rpc.answers.error_table import ErrorTable
from rpc.answers.request_checks import RequestChecks
from rpc.callers.authorization import RequiredRoles
from rpc.callers.limits import Limits
from rpc.callers.watch_tokens import WatchTokens
from rpc.serving.admin import AdminPorts
from rpc.serving.health import Health
from rpc.serving.security import ServerSecurity
from rpc.serving.server import ServerOptions, add_reflection, create_server, listen
from rpc.settings import ServerSettings
from rpc.telemetry.server_metrics import ServerCollector
from rpc.telemetry.shared_metrics import SharedMetrics
from rpc.telemetry.telemetry import Telemetry

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class BackgroundTask:
    """Work that the service cannot do without: the server runs only as long as all of it does."""

    run: Callable[[], Coroutine[Any, Any, None]]
    close: Callable[[], None] | None = None
    """Makes `run` finish its work and return; None: `run` is cancelled."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service, and what a deployable needs to know of it."""

    name: str
    """The full name, package.Service."""
    required_roles: RequiredRoles
    """The role that each method (/package.Service/Method) requires."""
    errors: ErrorTable
    """The answers to the errors of its domain."""
    add_to_server: Callable[[grpc.aio.Server], None]
    """Registers its servicers."""
    check: Callable[[], Awaitable[object]]
    """Fails while the store behind the service does not answer."""
    watch_tokens: WatchTokens | None = None
    """Verifies the watch tokens of the service; None: there are none."""
    further_names: Sequence[str] = ()
    """The full names of the other services on the same port: health and reflection list them too."""
    request_checks: RequestChecks = field(default_factory=RequestChecks)
    """What is checked before a request is decoded."""
    tasks: Sequence[BackgroundTask] = ()
    """Started with the server; ended after its last call, one after the other in this order."""
    summed_gauges: Sequence[str] = ()
    """Its gauges that belong to one process, so that several processes together have their sum."""
    end_streams: Callable[[], None] = lambda: None
    """Called when the drain begins, to end the calls that last as long as their clients want."""


class Deployable:
    """A running service: its port, its admin ports and its background tasks. One event loop runs all of it.

    Args:
        settings: the settings of the server.
        service: the service.
        telemetry: made before the service, whose parts may be measured with it; closed by `stop`.
        limits: the limits of callers for whom the file of tokens has none.
        reuse_port: whether several processes may listen on the port.
        child: this process, if it is one of several that share all ports; None if it is the only one.

    Raises:
        SystemExit: with code 78, if a certificate or a file of tokens cannot be used, or a port cannot be
            opened.

    """

    def __init__(  # noqa: PLR0913  # the parts of a server
        self,
        settings: ServerSettings,
        service: Service,
        telemetry: Telemetry,
        limits: Limits,
        *,
        reuse_port: bool = False,
        child: Child | None = None,
    ) -> None:
        self._service = service
        self._child = child
        self._telemetry = telemetry
        self._drain_seconds = settings.drain_seconds
        self._names = service.name, *service.further_names
        self._health = Health(self._names, service.check, child)
        security = ServerSecurity(settings, service.required_roles, limits, service.watch_tokens)
        security.warn(settings.listen)
        telemetry.registry.register(self._collector(security))
        options = ServerOptions(
            settings.listen,
            settings.connection_age_seconds_max,
            reuse_port or child is not None,
            security.certificate,
        )
        self._server = self._new_server(options, security, has_reflection=settings.reflection)
        self.port = listen(self._server, options)
        shared = self._shared_metrics(child)
        self.admin = AdminPorts(
            settings,
            self._health.admin_servicer,
            telemetry.registry if shared is None else shared.page,
            reuse_port=child is not None,
        )
        self._own_tasks = [BackgroundTask(self._health.run)]
        if shared is not None:
            self._own_tasks.append(BackgroundTask(shared.run))
        self._tasks: list[tuple[BackgroundTask, asyncio.Task[None]]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve while the context is open; leaving it drains."""
        try:
            await self.start()
            yield
        finally:
            await self.stop()

    async def start(self) -> None:
        """Start the background tasks, then serve."""
        for task in (*self._service.tasks, *self._own_tasks):
            self._tasks.append((task, asyncio.create_task(task.run())))
        await self.admin.start()
        await self._server.start()

    async def run_until(self, stop: asyncio.Event, **described: str) -> None:
        """Wait for the request to stop, and log what happens; of several processes, the parent logs it.

        Args:
            stop: set when the process is asked to stop.
            described: what the log says of the server besides its ports.

        Raises:
            Exception: as `wait`.

        """
        if self._child is None:
            admin, metrics = self.admin.port, self.admin.metrics_port
            _log.info("serving", port=self.port, admin_port=admin, metrics_port=metrics, **described)
        else:
            self._child.tell_serving()
        await self.wait(stop)
        _log.info("draining", seconds_max=self._drain_seconds)

    async def wait(self, stop: asyncio.Event) -> None:
        """Wait for the request to stop.

        Args:
            stop: set when the process is asked to stop.

        Raises:
            Exception: what a background task died of; without the task the server is of no use.

        """
        stopping = asyncio.create_task(stop.wait())
        running = [task for _, task in self._tasks]
        done, _ = await asyncio.wait({stopping, *running}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for task in done:
            await task

    async def stop(self) -> None:
        """Drain: become not ready, refuse new calls, finish running ones, end the tasks, close the ports.

        A running call that takes longer than the settings' `drain_seconds` is cancelled. Another stop does
        nothing more.
        """
        self._health.drain()
        self._service.end_streams()
        await self._server.stop(self._drain_seconds)
        for background, task in self._tasks:
            (background.close or task.cancel)()
            await asyncio.wait([task])  # never raises: if the task died, wait() has raised the reason
        await self.admin.stop()
        await self._telemetry.close()

    def _collector(self, security: ServerSecurity) -> ServerCollector:
        return ServerCollector(
            is_ready=lambda: self._health.is_ready,
            has_stale_files=lambda: security.is_stale,
            certificate_expiry=lambda: security.certificate_expiry,
            is_restarted=self._child is not None and self._child.restarts > 0,
        )

    def _new_server(
        self, options: ServerOptions, security: ServerSecurity, *, has_reflection: bool
    ) -> grpc.aio.Server:
        """Return the server with its servicers, without a port."""
        server = create_server(
            options,
            self._service.errors,
            checks=self._service.request_checks,
            hooks=security.hooks(self._telemetry.hooks),
            outside=self._telemetry.interceptors,
        )
        self._service.add_to_server(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, server)
        if has_reflection:
            add_reflection(server, *self._names)
        return server

    def _shared_metrics(self, child: Child | None) -> SharedMetrics | None:
        if child is None:
            return None
        registry = self._telemetry.registry
        return SharedMetrics(registry, child.folder, child.number, self._service.summed_gauges)
