"""python -m services.dashboard: the gateway with the settings of the dashboard of 0.1, for one version."""

import structlog
import typer

from process import logs
from process.configuration import load
from process.version import ShowVersion
from services.dashboard.settings import DashboardSettings
from services.gateway.__main__ import serve

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help="Serve the page as in 0.1: the gateway, for reads only, with the settings DASHBOARD_…. Use"
    " `python -m services.gateway` instead (docs/upgrading.md); this command ends with 0.3."
)
def main(*, _version: ShowVersion = False) -> None:
    """Read the settings, name the new ones, then serve; exit 78 if they are wrong."""
    logs.configure()
    settings = load(DashboardSettings)
    structlog.get_logger().warning(
        "the dashboard is now the page of the gateway: start services.gateway with the new settings",
        new_settings=settings.new_names(),
    )
    serve(settings)


if __name__ == "__main__":
    app()
