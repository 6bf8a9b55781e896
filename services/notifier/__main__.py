"""python -m services.notifier: send webhooks until SIGTERM or SIGINT."""

import asyncio

import structlog
import typer

from batches.errors import DatabaseUnavailable, DatabaseUnusable, SchemaMismatch
from batches.settings import DatabaseSettings
from process import logs
from process.configuration import load, refuse
from process.options import settings_help
from process.signals import stop_requested, stopped_or_ended
from process.version import ShowVersion
from services.notifier.settings import NotifierSettings
from services.notifier.wiring import notifier_process

EXIT_UNAVAILABLE = 1

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help="Send the events of batches to webhooks until SIGTERM or SIGINT, then drain; a second signal exits"
    " at once. Any number of notifiers may run.",
    epilog=settings_help(NotifierSettings, DatabaseSettings),
)
def main(*, _version: ShowVersion = False) -> None:
    """Read the settings and work; exit 78 if they are invalid, 1 if the database does not answer."""
    logs.configure()
    settings, database = load(NotifierSettings, DatabaseSettings), load(DatabaseSettings, NotifierSettings)
    try:
        asyncio.run(notify(settings, database))
    except (SchemaMismatch, DatabaseUnusable) as error:
        refuse(str(error))
    except DatabaseUnavailable as error:
        structlog.get_logger().error("not started: the database is unavailable", reason=str(error))
        raise typer.Exit(EXIT_UNAVAILABLE) from None


async def notify(settings: NotifierSettings, database: DatabaseSettings) -> None:
    """Work until a signal.

    Raises:
        ExceptionGroup: the notifier died, or a task beside it.

    """
    log = structlog.get_logger()
    stop = stop_requested()
    async with notifier_process(settings, database) as (process, working):
        log.info(
            "serving",
            port=process.admin.port,  # it has no other
            metrics_port=process.admin.metrics_port,
            receivers=len(process.notifier.subscriptions.receivers),
            database=database.place,
        )
        await stopped_or_ended(stop, working)
        log.info("draining", seconds_max=settings.drain_seconds)
    log.info("stopped")
    if not working.cancelled():
        working.result()


if __name__ == "__main__":
    app()
