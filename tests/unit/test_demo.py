"""What the demo passes on to its processes."""

import pytest
from pydantic_settings import BaseSettings

from batches.settings import DatabaseSettings
from demo.processes import environment_with
from reconciler.settings import ReconcilerSettings
from services.gateway.settings import GatewaySettings
from services.job_status.settings import JobStatusSettings
from services.notifier.settings import NotifierSettings
from services.progress.settings import ProgressSettings

STARTED = (
    DatabaseSettings,
    GatewaySettings,
    JobStatusSettings,
    NotifierSettings,
    ProgressSettings,
    ReconcilerSettings,
)


@pytest.mark.parametrize("settings", STARTED)
def test_settings_in_the_environment_do_not_reach_the_demo(
    settings: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes would reach the servers of somebody, or open their ports."""
    name = f"{settings.model_config['env_prefix']}LISTEN"
    monkeypatch.setenv(name, "0.0.0.0:50051")
    assert name not in environment_with({})
    assert environment_with({name: "127.0.0.1:0"})[name] == "127.0.0.1:0"
