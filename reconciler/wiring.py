"""Builds a pass out of its parts: the one place where they meet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from batches.migrations import migrate
from batches.settings import DatabaseSettings
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from process.configuration import refuse
from process.secret_files import read_secret
from reconciler.queue.client import ClientTls, JobStatusClient, open_channel
from reconciler.queue.listing import ListingReader
from reconciler.run.deadline import PassEnd
from reconciler.run.repairer import Repairer
from reconciler.run.sweep import PassOptions, PassReport, Sweep
from reconciler.run.workers import OnLooked
from reconciler.run.writer import DryRun, StoreWriter
from reconciler.settings import ReconcilerSettings


async def run_pass(
    settings: ReconcilerSettings,
    database_settings: DatabaseSettings,
    options: PassOptions,
    end: PassEnd,
    on_looked: OnLooked,
) -> PassReport:
    """Run one pass over the database and the queue of the settings.

    Raises:
        SchemaMismatch: this version does not run on the schema of the database.
        DatabaseUnavailable: it did not answer before anything was begun; later that is in the report.

    """
    tls, token = _credentials(settings)
    async with _database(database_settings) as database:
        await migrate.require_usable(database)
        async with open_channel(settings.job_status_target, tls) as channel:
            client = JobStatusClient(channel, call_seconds_max=settings.job_status_seconds_max, token=token)
            store = BatchStore(database)
            writer = DryRun(store) if options.dry_run else StoreWriter(store)
            repairer = Repairer(client, store, ListingReader(client, store), writer)
            return await Sweep(store, repairer, end, settings, options).run(on_looked)


def _credentials(settings: ReconcilerSettings) -> tuple[ClientTls | None, str]:
    """Return what is shown to the job-status service; exit 78 if a file cannot be used."""
    try:
        token = read_secret(settings.job_status_token_file) if settings.job_status_token_file else ""
        if settings.job_status_ca_file is None:
            return None, token
        tls = ClientTls(
            _pem(settings.job_status_ca_file),
            _pem(settings.job_status_certificate_file),
            _pem(settings.job_status_key_file),
        )
    except ValueError as error:
        refuse(str(error))
    return tls, token


def _pem(file: Path | None) -> bytes | None:
    return None if file is None else read_secret(file).encode()


@asynccontextmanager
async def _database(settings: DatabaseSettings) -> AsyncIterator[Database]:
    database = Database(
        settings.database_url.get_secret_value(), connections_max=settings.database_connections
    )
    try:
        yield database
    finally:
        await database.close()
