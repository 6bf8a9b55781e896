"""The one place where the notifier is put together."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from batches.migrations import migrate
from batches.settings import DatabaseSettings
from batches.store.database import Database
from batches.store.rights import require_writes
from batches.store.webhook_store import WebhookStore
from process.configuration import refuse
from rpc.serving.admin import AdminPorts
from rpc.serving.health import Health
from rpc.telemetry.metrics import new_registry
from rpc.telemetry.server_metrics import ServerCollector
from services.notifier.metrics import NotifierCollector
from services.notifier.notifier import Notifier
from services.notifier.schedule import RETRY_SECONDS
from services.notifier.sender import Sender
from services.notifier.settings import NotifierSettings
from services.notifier.subscriptions import SubscriptionsFile
from services.overview_reader import OverviewReader

SERVICE = "batchprogress.Notifier"
"""Its name in health."""


class NotifierProcess:
    """A notifier with its admin ports and background tasks.

    Args:
        settings: its settings.
        database: where events and deliveries are.
        sender: sends webhooks.
        schedule: the waits after failed attempts.

    Raises:
        SystemExit: with code 78, if the file of subscriptions cannot be used or a port cannot be opened.

    """

    def __init__(
        self, settings: NotifierSettings, database: Database, sender: Sender, schedule: tuple[float, ...]
    ) -> None:
        store, file = WebhookStore(database), _subscriptions(settings)
        self.notifier = Notifier(
            store, file, sender.send, concurrency=settings.receiver_concurrency, schedule=schedule
        )
        self._drain_seconds = settings.drain_seconds
        self._health = Health((SERVICE,), database.ping)
        self._overview = OverviewReader(
            store.read_delivery_overview, "the metrics of the webhooks cannot be read"
        )
        registry = new_registry()
        registry.register(NotifierCollector(self.notifier, self._overview))
        registry.register(
            ServerCollector(
                is_ready=lambda: self._health.is_ready,
                has_stale_files=lambda: file is not None and file.is_stale,
                certificate_expiry=lambda: None,
            )
        )
        self.admin = AdminPorts(settings, self._health.servicer, registry)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Work while the context is open; yields the task, which ends only if it dies. Leaving it drains."""
        await self.admin.start()
        working = asyncio.create_task(self._work())
        try:
            yield working
        finally:
            self._health.drain()
            self.notifier.close()
            await asyncio.wait([working], timeout=self._drain_seconds)
            working.cancel()
            await asyncio.wait([working])
            await self.admin.stop()

    async def _work(self) -> None:
        """Deliver until the notifier is closed.

        Raises:
            ExceptionGroup: a task died: without it the process would look healthy, or tell old numbers.

        """
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(one.run()) for one in (self._health, self._overview)]
            await self.notifier.run()
            for task in beside:
                task.cancel()


@asynccontextmanager
async def notifier_process(
    settings: NotifierSettings, database: DatabaseSettings, schedule: tuple[float, ...] = RETRY_SECONDS
) -> AsyncIterator[tuple[NotifierProcess, asyncio.Task[None]]]:
    """Check the database and work while the context is open; leaving it drains.

    Args:
        settings: the settings of the notifier.
        database: where events and deliveries are.
        schedule: the waits after failed attempts.

    Raises:
        SystemExit: with code 78, if a file cannot be used or a port cannot be opened.
        SchemaMismatch: this version does not run on the schema; the text says what to do.
        DatabaseUnusable: the database refuses the account or its writes; the text says what to do.
        DatabaseUnavailable: the database does not answer.

    """
    opened = Database.of(database, connections_max=database.database_connections)
    try:
        if opened.is_sqlite:
            await migrate.upgrade(opened)
        await migrate.require_usable(opened)
        await opened.read(require_writes)
        sender = Sender(
            settings.attempt_seconds_max,
            allows_private=settings.allow_private_addresses,
            ca=_authorities(settings),
        )
        try:
            process = NotifierProcess(settings, opened, sender, schedule)
            async with process.running() as working:
                yield process, working
        finally:
            await sender.close()
    finally:
        await opened.close()


def _subscriptions(settings: NotifierSettings) -> SubscriptionsFile | None:
    if settings.subscriptions_file is None:
        return None
    try:
        return SubscriptionsFile(settings.subscriptions_file, allows_private=settings.allow_private_addresses)
    except ValueError as error:
        refuse(str(error))


def _authorities(settings: NotifierSettings) -> ssl.SSLContext | None:
    if settings.ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(settings.ca_file))
    except ssl.SSLError:
        refuse(f"NOTIFIER_CA_FILE: {settings.ca_file} has no certificate in PEM format")
