"""The one place where the progress server is put together."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Self

import grpc

from batches.migrations import migrate
from batches.result import ResultSource
from batches.settings import DatabaseSettings
from batches.stall import ReconcilerRules
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.news import NewsStore
from batches.store.node_warnings import read_node
from batches.store.node_watch import NodeWatch
from batches.store.rights import require_writes
from batches.store.writability import require_writable
from batchprogress.v1 import operations_pb2_grpc, progress_pb2_grpc
from process.children.child import Child
from rpc.answers.request_checks import RequestChecks
from rpc.callers.limits import Limits
from rpc.callers.watch_tokens import WatchTokens
from rpc.serving.deployable import BackgroundTask, Deployable, Service
from rpc.telemetry.telemetry import Telemetry
from services.overview_reader import OverviewReader
from services.progress.batch_messages import BatchMessages
from services.progress.batch_watches import BatchWatches
from services.progress.change_feed import ChangeFeed
from services.progress.convert import BatchConverter
from services.progress.discovery import Discovery
from services.progress.group_commit import GroupCommit, Record
from services.progress.membership import Membership
from services.progress.metrics import SUMMED_GAUGES, FlushMetrics, ProgressCollector
from services.progress.notify_hosts import NotifyHosts
from services.progress.operations_servicer import OperationsServicer
from services.progress.pending_ids import PendingIds
from services.progress.permissions import OPERATIONS_SERVICE, REQUIRED_ROLES, SERVICE
from services.progress.reads import Reads
from services.progress.repeated_fields import REPEATED_FIELDS
from services.progress.reports import Reports
from services.progress.servicer import ProgressServicer
from services.progress.settings import ProgressSettings
from services.progress.slices import Slices
from services.progress.status import ERRORS
from services.progress.tracing import traced
from services.progress.watch_hub import WatchHub
from services.progress.watch_tokens import creation_of, watch_tokens_of

RECORDING_CONNECTIONS_MAX = 1
"""One connection for the one flusher; it is separate, so that no burst of reads delays results."""
HEALTH_CONNECTIONS_MAX = 1
"""One connection for the checks of health; it is separate, because a server whose reads all wait still
records results, and must not be taken out of its Service."""

REPORTS = ("ReportJobResult", "ReportJobResults")
"""The methods with large requests: results with their errors."""


@dataclass(frozen=True, slots=True)
class _Databases:
    """The connections of a server: a pool for each kind of work, so that none waits for another."""

    reads: Database
    recording: Database
    health: Database

    @classmethod
    def of(cls, settings: DatabaseSettings) -> Self:
        """Return the pools; nothing is connected yet."""
        return cls(
            Database.of(settings, connections_max=settings.database_connections),
            Database.of(settings, connections_max=RECORDING_CONNECTIONS_MAX),
            Database.of(settings, connections_max=HEALTH_CONNECTIONS_MAX),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self.health.close()
        await self.recording.close()
        await self.reads.close()


@dataclass(frozen=True, slots=True)
class _Core:
    """What the calls of a server go through: reports to the group commit, watches to the hub."""

    store: BatchStore
    news: NewsStore
    hub: WatchHub
    membership: Membership
    pending: PendingIds
    """The ids that the feed reads next: of the batches that a call of this server has changed."""
    feed: ChangeFeed
    group_commit: GroupCommit
    reads: Reads
    """Runs the reads of callers."""


@asynccontextmanager
async def progress_server(
    settings: ProgressSettings, database: DatabaseSettings, child: Child | None = None
) -> AsyncIterator[Deployable]:
    """Check the database and serve while the context is open; leaving it drains.

    Args:
        settings: the settings of the server.
        database: where the batches are kept.
        child: this process, if it is one of several that share the ports.

    Yields:
        The running server.

    Raises:
        SchemaMismatch: this version does not run on the schema; the text says what to do.
        DatabaseUnusable: the database refuses the account or its writes; the text says what to do.
        DatabaseUnavailable: the database does not answer.

    """
    databases = _Databases.of(database)
    try:
        await _prepare(databases.reads)
        server = _assemble(settings, databases, child)
        async with server.running():
            yield server
    finally:
        await databases.close()


async def _prepare(database: Database) -> None:
    """Create the tables of an embedded file; a database server is upgraded by its operator, once."""
    if database.is_sqlite:
        await migrate.upgrade(database)
    await migrate.require_usable(database)
    await database.read(require_writes)


def _assemble(settings: ProgressSettings, databases: _Databases, child: Child | None) -> Deployable:
    telemetry = Telemetry(settings, SERVICE, REQUIRED_ROLES)
    limits = _limits_of(settings)
    watch_tokens = watch_tokens_of(settings, limits)
    core = _core_of(settings, databases, telemetry)
    service = Service(
        name=SERVICE,
        further_names=(OPERATIONS_SERVICE,),
        required_roles=REQUIRED_ROLES,
        errors=ERRORS,
        request_checks=_request_checks(core.group_commit),
        add_to_server=_registration(settings, core, watch_tokens),
        check=core.membership.check,
        watch_tokens=watch_tokens,
        tasks=_tasks(settings, databases, core, telemetry),
        summed_gauges=SUMMED_GAUGES,
        end_streams=core.hub.close,
    )
    return Deployable(settings, service, telemetry, limits, reuse_port=settings.reuse_port, child=child)


def _core_of(settings: ProgressSettings, databases: _Databases, telemetry: Telemetry) -> _Core:
    store, news, pending = BatchStore(databases.reads), NewsStore(databases.reads), PendingIds()
    hub = WatchHub(pending.add, watches_max=settings.watches_max)
    membership = Membership(partial(databases.health.read, require_writable))
    recording_store = BatchStore(databases.recording)
    # The task of the group commit is not cancelled: it ends when all accepted results are answered.
    record = partial(recording_store.record_results, source=ResultSource.WORKER, in_own_task=False)
    return _Core(
        store=store,
        news=news,
        hub=hub,
        membership=membership,
        pending=pending,
        feed=ChangeFeed(
            store.read_changed,
            Discovery(news.read_created),
            hub,
            pending,
            has_left=lambda: membership.has_left,
        ),
        group_commit=GroupCommit(
            _measured(record, telemetry),
            pending.add,
            backlog_results_max=settings.backlog_results_max,
            conflicts=lambda: databases.recording.conflicts,
        ),
        reads=Reads(databases.reads.connections_max),
    )


def _registration(
    settings: ProgressSettings, core: _Core, watch_tokens: WatchTokens | None
) -> Callable[[grpc.aio.Server], None]:
    """Return what registers the servicers with a server."""
    slices = Slices()
    rules = ReconcilerRules(settings.stuck_after, settings.reconciler_period)
    messages = BatchMessages(BatchConverter(rules), core.store.read_findings, slices)
    servicer = ProgressServicer(
        core.store,
        Reports(core.group_commit, slices),
        core.hub,
        messages,
        core.pending.add,
        watches=BatchWatches(core.store, core.news, core.hub, messages, core.reads),
        reads=core.reads,
        create_watch_token=creation_of(settings, watch_tokens),
        notify_hosts=NotifyHosts(settings.notify_hosts),
    )
    operations = OperationsServicer(core.store, core.reads)

    def register(server: grpc.aio.Server) -> None:
        progress_pb2_grpc.add_ProgressServiceServicer_to_server(servicer, server)
        operations_pb2_grpc.add_OperationsServiceServicer_to_server(operations, server)

    return register


def _request_checks(group_commit: GroupCommit) -> RequestChecks:
    admit_reports = partial(group_commit.require_room, 1)
    return RequestChecks(REPEATED_FIELDS, {f"/{SERVICE}/{method}": admit_reports for method in REPORTS})


def _tasks(
    settings: ProgressSettings, databases: _Databases, core: _Core, telemetry: Telemetry
) -> Sequence[BackgroundTask]:
    """Return the background tasks, and let the metrics read them."""
    overview = OverviewReader(
        partial(core.store.read_overview, settings.stuck_after), "the metrics of the batches cannot be read"
    )
    node_watch = NodeWatch(partial(databases.reads.read, read_node))
    telemetry.registry.register(
        ProgressCollector(
            settings,
            core.group_commit,
            core.hub,
            core.feed,
            overview,
            node_watch,
            (databases.reads, databases.recording),
        )
    )
    return (
        BackgroundTask(core.group_commit.run, core.group_commit.close),
        BackgroundTask(core.feed.run),
        BackgroundTask(overview.run),
        BackgroundTask(node_watch.run),
    )


def _measured(record: Record, telemetry: Telemetry) -> Record:
    measured = FlushMetrics(telemetry.registry).measured(record)
    return measured if telemetry.traces is None else traced(measured, telemetry.traces)


def _limits_of(settings: ProgressSettings) -> Limits:
    return Limits(
        settings.caller_calls_per_second_max,
        settings.caller_results_in_flight_max,
        settings.caller_watches_max,
        settings.caller_reads_max,
    )
