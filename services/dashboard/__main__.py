"""python -m services.dashboard: serve the page until SIGTERM or SIGINT."""

import asyncio

import structlog
import typer

from process import logs
from process.configuration import load
from process.options import settings_help
from process.signals import stop_requested, stopped_or_ended
from process.version import ShowVersion
from services.dashboard.settings import DashboardSettings
from services.dashboard.wiring import dashboard_server

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help="Serve the dashboard until SIGTERM or SIGINT, then drain; a second signal exits at once.",
    epilog=settings_help(DashboardSettings),
)
def main(*, _version: ShowVersion = False) -> None:
    """Read the settings, then serve; exit 78 if they are wrong."""
    logs.configure()
    asyncio.run(_serve(load(DashboardSettings)))


async def _serve(settings: DashboardSettings) -> None:
    log = structlog.get_logger()
    stop = stop_requested()
    async with dashboard_server(settings) as (server, serving):
        log.info("serving", port=server.port, progress=settings.progress_target)
        await stopped_or_ended(stop, serving)
        log.info("draining", seconds_max=settings.drain_seconds)
    log.info("stopped")


if __name__ == "__main__":
    app()
