"""Variables that look like settings but are none."""

import json

import pytest
import structlog

from batches.settings import DatabaseSettings
from process import logs
from process.configuration import load
from services.progress.settings import ProgressSettings

OF_KUBERNETES = {
    "PROGRESS_SERVICE_HOST": "10.0.0.1",
    "PROGRESS_SERVICE_PORT": "50051",
    "PROGRESS_SERVICE_PORT_GRPC": "50051",
    "PROGRESS_PORT": "tcp://10.0.0.1:50051",
    "PROGRESS_PORT_50051_TCP": "tcp://10.0.0.1:50051",
    "PROGRESS_PORT_50051_TCP_PROTO": "tcp",
    "PROGRESS_PORT_50051_TCP_PORT": "50051",
    "PROGRESS_PORT_50051_TCP_ADDR": "10.0.0.1",
    "PROGRESS_ADMIN_SERVICE_HOST": "10.0.0.2",
}
"""What a pod finds beside the Services `progress` and `progress-admin`."""


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [
        ("PROGRESS_LISTN", "127.0.0.1:1", "PROGRESS_LISTEN"),
        ("progress_watch_max", "5", "PROGRESS_WATCHES_MAX"),
        ("PROGRESS_PORT", "50051", "PROGRESS_REUSE_PORT"),
        ("PROGRESS_DATABASE_URL", "mysql+asyncmy://u:p@h/d", "BATCHES_DATABASE_URL"),
    ],
)
def test_unknown_variable_is_named_with_the_nearest_setting(
    name: str, value: str, nearest: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a warning, since the environment may belong to others too."""
    monkeypatch.setenv(name, value)
    structlog.reset_defaults()  # another test may have configured it
    load(ProgressSettings, DatabaseSettings)
    expected = f"{name.upper()} is not a setting and has no effect; the nearest one is {nearest}"
    assert capsys.readouterr().err == f"configuration: {expected}\n"
    logs.configure()
    try:
        load(ProgressSettings, DatabaseSettings)
    finally:
        structlog.reset_defaults()
    logged = json.loads(capsys.readouterr().err)
    assert (logged["level"], logged["event"]) == ("warning", expected)


def test_variables_of_kubernetes_are_not_mentioned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kubernetes sets them in each pod."""
    for name, value in OF_KUBERNETES.items():
        monkeypatch.setenv(name, value)
    load(ProgressSettings)
    assert capsys.readouterr().err == ""
