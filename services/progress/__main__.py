"""python -m services.progress: serve ProgressService until SIGTERM."""

import asyncio

import structlog
import typer

from batches.errors import DatabaseUnavailable, SchemaMismatch
from batches.settings import DatabaseSettings
from process import collector, logs, signals
from process.configuration import load, refuse
from process.options import settings_help
from services.progress.settings import ProgressSettings
from services.progress.wiring import progress_server

EXIT_UNAVAILABLE = 1

app = typer.Typer(add_completion=False)


@app.command(
    help="Serve ProgressService until SIGTERM or SIGINT, then drain; a second signal exits at once.",
    epilog=settings_help(ProgressSettings, DatabaseSettings),
)
def serve() -> None:
    """Serve until a signal."""
    logs.configure()
    settings, database = load(ProgressSettings), load(DatabaseSettings)
    try:
        asyncio.run(_serve(settings, database))
    except SchemaMismatch as error:
        refuse(str(error))
    except DatabaseUnavailable:
        structlog.get_logger().error("the database does not answer; not started")
        raise typer.Exit(EXIT_UNAVAILABLE) from None


async def _serve(settings: ProgressSettings, database: DatabaseSettings) -> None:
    log = structlog.get_logger()
    stop = signals.stop_requested()
    async with progress_server(settings, database) as server:
        collector.settle()
        log.info(
            "serving", port=server.port, admin_port=server.admin.port, metrics_port=server.admin.metrics_port
        )
        await server.wait(stop)
        log.info("draining", seconds_max=settings.drain_seconds)
    log.info("stopped")


if __name__ == "__main__":
    app()
