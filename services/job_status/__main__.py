"""python -m services.job_status: serve JobStatusService until SIGTERM or SIGINT."""

import asyncio

import structlog
import typer

from process import logs
from process.configuration import load
from process.options import settings_help
from process.signals import stop_requested
from process.version import ShowVersion
from services.job_status.settings import JobStatusSettings
from services.job_status.wiring import job_status_server, open_source

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help="Serve JobStatusService until SIGTERM or SIGINT, then drain; a second signal exits at once.",
    epilog=settings_help(JobStatusSettings),
)
def main(*, _version: ShowVersion = False) -> None:
    """Read the settings and serve; exit 78 if they are invalid."""
    logs.configure()
    asyncio.run(serve(load(JobStatusSettings)))


async def serve(settings: JobStatusSettings) -> None:
    """Serve until a signal.

    Raises:
        Exception: a background task died; the server has been stopped.

    """
    stop = stop_requested()
    async with job_status_server(settings, open_source(settings)) as server:
        await server.run_until(stop, source=settings.source)
    structlog.get_logger().info("stopped")


if __name__ == "__main__":
    app()
