"""python -m services.progress: serve ProgressService until SIGTERM or SIGINT."""

import structlog
import typer

from batches.errors import DatabaseUnavailable, DatabaseUnusable, SchemaMismatch
from batches.settings import DatabaseSettings
from process import event_loop, gc_tuning, logs, signals
from process.configuration import load, refuse
from process.options import settings_help
from process.version import ShowVersion
from services.progress.settings import ProgressSettings
from services.progress.wiring import progress_server

EXIT_UNAVAILABLE = 1

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help="Serve ProgressService until SIGTERM or SIGINT, then drain; a second signal exits at once.",
    epilog=settings_help(ProgressSettings, DatabaseSettings),
)
def main(*, _version: ShowVersion = False) -> None:
    """Read the settings and serve; exit 78 if they are invalid, 1 if the database does not answer."""
    logs.configure()
    settings, database = load(ProgressSettings, DatabaseSettings), load(DatabaseSettings, ProgressSettings)
    try:
        event_loop.run(serve(settings, database))
    except (SchemaMismatch, DatabaseUnusable) as error:
        refuse(str(error))
    except DatabaseUnavailable as error:
        structlog.get_logger().error("not started: the database is unavailable", reason=str(error))
        raise typer.Exit(EXIT_UNAVAILABLE) from None


async def serve(settings: ProgressSettings, database: DatabaseSettings) -> None:
    """Serve until a signal.

    Raises:
        Exception: a background task died; the server has been stopped.

    """
    stop = signals.stop_requested()
    async with progress_server(settings, database) as server:
        gc_tuning.tune_gc()
        await server.run_until(stop, database=database.place)
    structlog.get_logger().info("stopped")


if __name__ == "__main__":
    app()
