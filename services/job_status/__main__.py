"""python -m services.job_status: serve until SIGTERM or SIGINT."""

import asyncio

import structlog
import typer

from process import logs
from process.configuration import load
from process.options import settings_help
from process.signals import stop_requested
from services.job_status.settings import JobStatusSettings
from services.job_status.wiring import build

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help="Serve JobStatusService until SIGTERM or SIGINT, then drain; a second signal exits at once.",
    epilog=settings_help(JobStatusSettings),
)
def main() -> None:
    """Read the settings, then serve; exit 78 if they are wrong."""
    logs.configure()
    asyncio.run(_serve(load(JobStatusSettings)))


async def _serve(settings: JobStatusSettings) -> None:
    stop = stop_requested()
    log = structlog.get_logger()
    deployment = build(settings)
    port, admin = await deployment.start(), deployment.admin
    log.info(
        "serving",
        port=port,
        source=settings.source,
        admin_port=admin.port,
        metrics_port=admin.metrics_port,
    )
    await stop.wait()
    log.info("draining", seconds_max=settings.drain_seconds)
    await deployment.stop()
    log.info("stopped")


if __name__ == "__main__":
    app()
