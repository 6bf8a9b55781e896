"""The one place where the progress server is put together, started and stopped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import grpc
import structlog
from grpc_health.v1 import health_pb2_grpc

from batches.migrations import migrate
from batches.result import ResultSource
from batches.settings import DatabaseSettings
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.durability import durability_warnings
from batchprogress.v1 import progress_pb2_grpc
from rpc.callers.limits import Limits
from rpc.serving.admin import AdminPorts
from rpc.serving.guard import Guard
from rpc.serving.health import Health
from rpc.serving.server import ServerOptions, add_reflection, create_server, listen
from rpc.telemetry.telemetry import Observing
from services.progress.change_feed import ChangeFeed
from services.progress.convert import BatchConverter
from services.progress.group_commit import GroupCommit, Record
from services.progress.metrics import Bounds, FlushMetrics, Gauges, ProgressCollector
from services.progress.nudges import Nudges
from services.progress.overview import OverviewReader
from services.progress.permissions import NEEDED, SERVICE
from services.progress.servicer import ProgressServicer
from services.progress.settings import ProgressSettings
from services.progress.status import to_refusal
from services.progress.tracing import traced
from services.progress.watch_hub import WatchHub

RECORDING_CONNECTIONS_MAX = 1
"""There is one flusher; a connection of its own, so that no burst of reads holds up results."""

_log = structlog.get_logger()


class ProgressServer:
    """A server and all that runs behind it."""

    def __init__(self, settings: ProgressSettings, database: Database, recording: Database) -> None:
        """Put the parts together; nothing runs yet."""
        self._drain_seconds = settings.drain_seconds
        self._guard = Guard(settings, NEEDED, _limits_of(settings))
        self._guard.warn(settings.listen)
        self._observing = Observing(settings, SERVICE, NEEDED)
        self._tasks: list[asyncio.Task[None]] = []
        store = BatchStore(database)
        nudges = Nudges()
        self._hub = WatchHub(nudges.add, watches_max=settings.watches_max)
        self._feed = ChangeFeed(store.read_changed, self._hub, nudges)
        self._group_commit = GroupCommit(
            self._measured(partial(BatchStore(recording).record_results, source=ResultSource.WORKER)),
            nudges.add,
            backlog_results_max=settings.backlog_results_max,
        )
        self._health = Health(SERVICE, store.ping)
        servicer = ProgressServicer(
            store, self._group_commit, self._hub, BatchConverter(settings.stuck_after), nudges.add
        )
        options = ServerOptions(
            settings.listen,
            settings.connection_age_seconds_max,
            settings.reuse_port,
            self._guard.certificate,
        )
        self._server = self._create_server(options, servicer, reflection=settings.reflection)
        self.port = listen(self._server, options)
        self._overview = OverviewReader(partial(store.read_overview, settings.stuck_after))
        bounds = Bounds(settings.backlog_results_max, settings.watches_max)
        collector = ProgressCollector(self._gauges(), bounds, (database, recording))
        self._observing.registry.register(collector)
        self.admin = AdminPorts(settings, self._health, self._guard, self._observing.registry)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve while the context is open; leaving it drains."""
        flusher = asyncio.create_task(self._group_commit.run())
        readers = [
            asyncio.create_task(run()) for run in (self._feed.run, self._health.run, self._overview.run)
        ]
        self._tasks = [flusher, *readers]
        try:
            await self.admin.start()
            await self._server.start()
            yield
        finally:
            await self._drain(flusher)
            for task in readers:
                task.cancel()
            await asyncio.wait(readers)
            await self.admin.stop()
            await self._observing.close()

    async def wait(self, stop: asyncio.Event) -> None:
        """Return when asked to stop; raise if a part has died of a defect, since nothing works without it."""
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({stopping, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for task in done:
            await task

    async def _drain(self, flusher: asyncio.Task[None]) -> None:
        """Stop taking calls, answer those under way, end watches, record what was taken."""
        self._health.drain()
        stopping = asyncio.create_task(self._server.stop(self._drain_seconds))
        self._hub.close()
        await stopping
        self._group_commit.close()
        # Not awaited itself: if it has died, wait() has said so, and the rest is stopped all the same.
        await asyncio.wait([flusher])

    def _create_server(
        self, options: ServerOptions, servicer: ProgressServicer, *, reflection: bool
    ) -> grpc.aio.Server:
        server = create_server(
            options, to_refusal, outside=self._observing.interceptors, inside=self._guard.interceptors
        )
        progress_pb2_grpc.add_ProgressServiceServicer_to_server(servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, server)
        if reflection:
            add_reflection(server, SERVICE)
        return server

    def _measured(self, record: Record) -> Record:
        measured = FlushMetrics(self._observing.registry).measured(record)
        traces = self._observing.traces
        return measured if traces is None else traced(measured, traces)

    def _gauges(self) -> Gauges:
        return Gauges(
            backlog_results=lambda: self._group_commit.backlog_results,
            watches=lambda: self._hub.watches,
            feed_lag_seconds=lambda: self._feed.lag_seconds,
            overview=lambda: self._overview.newest,
        )


@asynccontextmanager
async def progress_server(
    settings: ProgressSettings, database: DatabaseSettings
) -> AsyncIterator[ProgressServer]:
    """Open the database, check it, and serve.

    Raises:
        SchemaMismatch: this version does not run on the schema; its text says what to do.
        DatabaseUnavailable: the database does not answer.

    """
    url = database.database_url.get_secret_value()
    reads = Database(url, connections_max=database.database_connections)
    recording = Database(url, connections_max=RECORDING_CONNECTIONS_MAX)
    try:
        await _prepare(reads)
        server = ProgressServer(settings, reads, recording)
        async with server.running():
            yield server
    finally:
        await recording.close()
        await reads.close()


async def _prepare(database: Database) -> None:
    """An embedded file gets its tables by itself; a database server is upgraded by its operator, once."""
    if database.is_sqlite:
        await migrate.upgrade(database)
    await migrate.require_usable(database)
    for warning in await durability_warnings(database):
        _log.warning("database is not durable", reason=warning)


def _limits_of(settings: ProgressSettings) -> Limits:
    return Limits(
        settings.caller_calls_per_second_max,
        settings.caller_results_in_flight_max,
        settings.caller_watches_max,
    )
