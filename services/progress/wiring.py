"""The one place where the progress server is put together."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import grpc
import structlog

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
from rpc.answers.request_checks import Admit, RequestChecks
from rpc.callers.limits import Limits
from rpc.callers.watch_tokens import WatchTokens
from rpc.serving.deployable import BackgroundTask, Deployable, Service
from rpc.telemetry.telemetry import Telemetry
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
from services.progress.overview import OverviewReader
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

_log = structlog.get_logger()


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
    reads = Database.of(database, connections_max=database.database_connections)
    recording = Database.of(database, connections_max=RECORDING_CONNECTIONS_MAX)
    health = Database.of(database, connections_max=HEALTH_CONNECTIONS_MAX)
    try:
        await _prepare(reads)
        server = _assemble(settings, reads, recording, health, child)
        async with server.running():
            yield server
    finally:
        await health.close()
        await recording.close()
        await reads.close()


async def _prepare(database: Database) -> None:
    """Create the tables of an embedded file; a database server is upgraded by its operator, once."""
    if database.is_sqlite:
        await migrate.upgrade(database)
    await migrate.require_usable(database)
    await database.read(require_writes)


def _assemble(
    settings: ProgressSettings, reads: Database, recording: Database, health: Database, child: Child | None
) -> Deployable:
    telemetry = Telemetry(settings, SERVICE, REQUIRED_ROLES)
    store, pending = BatchStore(reads), PendingIds()
    hub = WatchHub(pending.add, watches_max=settings.watches_max)
    news = NewsStore(reads)
    membership = Membership(partial(health.read, require_writable))
    feed = ChangeFeed(
        store.read_changed,
        Discovery(news.read_created),
        hub,
        pending,
        has_left=lambda: membership.has_left,
    )
    group_commit = GroupCommit(
        _measured(partial(BatchStore(recording).record_results, source=ResultSource.WORKER), telemetry),
        pending.add,
        backlog_results_max=settings.backlog_results_max,
        conflicts=lambda: recording.conflicts,
    )
    overview = OverviewReader(partial(store.read_overview, settings.stuck_after))
    node_watch = NodeWatch(partial(reads.read, read_node))
    telemetry.registry.register(
        ProgressCollector(settings, group_commit, hub, feed, overview, node_watch, (reads, recording))
    )
    rules = ReconcilerRules(settings.stuck_after, settings.reconciler_period)
    slices = Slices()
    caller_reads = Reads(reads.connections_max)
    messages = BatchMessages(BatchConverter(rules), store.read_findings, slices)
    reports = Reports(group_commit, slices)
    limits = _limits_of(settings)
    watch_tokens = watch_tokens_of(settings, limits)
    servicer = ProgressServicer(
        store,
        reports,
        hub,
        messages,
        pending.add,
        watches=BatchWatches(store, news, hub, messages, caller_reads),
        reads=caller_reads,
        create_watch_token=creation_of(settings, watch_tokens),
        notify_hosts=NotifyHosts(settings.notify_hosts),
    )

    def add_to_server(server: grpc.aio.Server) -> None:
        progress_pb2_grpc.add_ProgressServiceServicer_to_server(servicer, server)
        operations_pb2_grpc.add_OperationsServiceServicer_to_server(
            OperationsServicer(store, caller_reads), server
        )

    tasks = (
        BackgroundTask(group_commit.run, group_commit.close),
        BackgroundTask(feed.run),
        BackgroundTask(overview.run),
        BackgroundTask(node_watch.run),
    )
    return Deployable(
        settings,
        _service(
            add_to_server,
            membership.check,
            hub,
            tasks,
            partial(group_commit.require_room, 1),
            watch_tokens=watch_tokens,
        ),
        telemetry,
        limits,
        reuse_port=settings.reuse_port,
        child=child,
    )


def _service(  # noqa: PLR0913  # the parts of a server
    add_to_server: Callable[[grpc.aio.Server], None],
    check: Callable[[], Awaitable[object]],
    hub: WatchHub,
    tasks: Sequence[BackgroundTask],
    admit_reports: Admit,
    *,
    watch_tokens: WatchTokens | None,
) -> Service:
    return Service(
        name=SERVICE,
        further_names=(OPERATIONS_SERVICE,),
        required_roles=REQUIRED_ROLES,
        errors=ERRORS,
        request_checks=RequestChecks(
            REPEATED_FIELDS, {f"/{SERVICE}/{method}": admit_reports for method in REPORTS}
        ),
        add_to_server=add_to_server,
        check=check,
        watch_tokens=watch_tokens,
        tasks=tasks,
        summed_gauges=SUMMED_GAUGES,
        end_streams=hub.close,
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
