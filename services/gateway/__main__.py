"""python -m services.gateway: serve until SIGTERM or SIGINT."""

import asyncio

import structlog
import typer

from process import logs
from process.configuration import load
from process.gc_tuning import tune_gc
from process.options import settings_help
from process.signals import stop_requested, stopped_or_ended
from process.version import ShowVersion
from services.gateway.settings import GatewaySettings
from services.gateway.wiring import gateway_server

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help="Serve the gateway until SIGTERM or SIGINT, then drain; a second signal exits at once.",
    epilog=settings_help(GatewaySettings),
)
def main(*, _version: ShowVersion = False) -> None:
    """Read the settings, then serve; exit 78 if they are wrong."""
    logs.configure()
    serve(load(GatewaySettings))


def serve(settings: GatewaySettings) -> None:
    """Serve until a signal ends the process.

    Args:
        settings: the settings of the gateway.

    """
    asyncio.run(_serve(settings))


async def _serve(settings: GatewaySettings) -> None:
    log = structlog.get_logger()
    stop = stop_requested()
    async with gateway_server(settings) as (server, serving):
        ports = {"port": server.port, "metrics_port": server.metrics_port}
        log.info("serving", **ports, progress=settings.progress_target)
        tune_gc()
        await stopped_or_ended(stop, serving)
        log.info("draining", seconds_max=settings.drain_seconds)
    log.info("stopped")


if __name__ == "__main__":
    app()
