"""Builds a pass out of its parts, the only place where they meet."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from functools import partial

import structlog

from batches.migrations import migrate
from batches.settings import DatabaseSettings
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.node_warnings import read_node
from batches.store.node_watch import NodeWatch
from batches.store.rights import require_writes
from batchprogress import TlsFiles
from process.configuration import refuse
from process.secret_files import read_secret
from reconciler.queue.client import JobStatusClient, open_channel
from reconciler.queue.pages import pending_jobs
from reconciler.queue.port import QueueJob
from reconciler.run.advice import Adviser
from reconciler.run.availability import Availability
from reconciler.run.deadline import Deadline
from reconciler.run.progress import CountingQueue
from reconciler.run.repairer import Repairer
from reconciler.run.result import Output, RunReport
from reconciler.run.sweep import RunOptions, Sweep
from reconciler.run.workers import Repair, WorkerPool
from reconciler.settings import ReconcilerSettings

_log = structlog.get_logger()

Write = Callable[[Iterable[QueueJob]], None]
"""Writes a page of jobs."""


async def run_pass(
    settings: ReconcilerSettings,
    database_settings: DatabaseSettings,
    options: RunOptions,
    deadline: Deadline,
    output: Output,
) -> RunReport:
    """Run one pass over the database and the queue that the settings name.

    Exits with code 78 if a file that the settings name cannot be used.

    Raises:
        SchemaMismatch: The database has a schema that this version does not run on.
        DatabaseUnusable: The database refuses the account or its writes.
        DatabaseUnavailable: The database did not answer before the pass began. If it stops
            answering later, the report says so.

    """
    tls, token = _credentials(settings)
    async with _database(database_settings) as database:
        _log.info("reconciling", database=database.place)
        await migrate.require_usable(database)
        await NodeWatch(partial(database.read, read_node)).check()
        if not options.dry_run:
            await database.read(require_writes)
        async with open_channel(settings.job_status_target, tls) as channel:
            client = JobStatusClient(channel, call_seconds_max=settings.job_status_seconds_max, token=token)
            store = BatchStore(database)
            queue = CountingQueue(client, output.progress)
            repairer = Repairer(queue, store, output.word, dry_run=options.dry_run)
            repair = _repair_by(repairer, store, settings, options)
            pool = WorkerPool(repair, store.ping, Availability(client.check_health), deadline)
            return await Sweep(store, pool, deadline, settings, options).run(output)


async def list_pending(settings: ReconcilerSettings, batch_id: str, write: Write) -> None:
    """Ask the queue for all pending jobs of a batch, and write them page by page. Uses no database.

    Exits with code 78 if a file that the settings name cannot be used.

    Raises:
        QueueError: The queue keeps only counts, or gives no usable answer.

    """
    tls, token = _credentials(settings)
    async with open_channel(settings.job_status_target, tls) as channel:
        client = JobStatusClient(channel, call_seconds_max=settings.job_status_seconds_max, token=token)
        async with aclosing(pending_jobs(client, batch_id)) as pages:
            async for jobs in pages:
                write(jobs)


def _repair_by(
    repairer: Repairer, store: BatchStore, settings: ReconcilerSettings, options: RunOptions
) -> Repair:
    if options.end_pending_as is not None:
        return partial(repairer.end, outcome=options.end_pending_as)
    return Adviser(repairer.repair, store, settings.unchanged_after).repair


def _credentials(settings: ReconcilerSettings) -> tuple[TlsFiles | None, str]:
    """Return the TLS files and the token for the job-status service; exit 78 if a file is unusable."""
    try:
        token = read_secret(settings.job_status_token_file) if settings.job_status_token_file else ""
        if settings.job_status_ca_file is None:
            return None, token
        tls = TlsFiles(
            settings.job_status_ca_file,
            settings.job_status_certificate_file,
            settings.job_status_key_file,
        )
    except OSError as error:
        refuse(f"{error.filename} cannot be read: {error.strerror}")
    except ValueError as error:
        refuse(str(error))
    return tls, token


@asynccontextmanager
async def _database(settings: DatabaseSettings) -> AsyncIterator[Database]:
    database = Database.of(settings, connections_max=settings.database_connections)
    try:
        yield database
    finally:
        await database.close()
