"""What the demo passes on to its processes, and how it writes."""

import io
import sys

import pytest

from batches.settings import DatabaseSettings
from demo.__main__ import _screen
from demo.processes import environment_with
from process.settings import Settings
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
    settings: type[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes would reach the servers of somebody, or open their ports."""
    name = settings.variable("listen")
    monkeypatch.setenv(name, "0.0.0.0:50051")
    assert name not in environment_with({})
    assert environment_with({name: "127.0.0.1:0"})[name] == "127.0.0.1:0"


def test_an_output_that_lacks_the_marks_gets_others(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", line_buffering=True))
    with _screen() as screen:
        screen.tell("It happened.")
    assert written.getvalue() == b"? It happened.\n"
