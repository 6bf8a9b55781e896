"""The log of a queue's outages."""

import pytest
import structlog
from sqlalchemy.exc import OperationalError

from services.job_status.sources.outages import OutageLog


@pytest.fixture
def outages() -> OutageLog:
    """Return a log without outages."""
    return OutageLog("the queue does not answer")


def test_each_cause_is_logged_once(outages: OutageLog) -> None:
    """A cause is logged again after another one, and after the queue has recovered."""
    with structlog.testing.capture_logs() as lines:
        for error in (OSError("refused"), OSError("refused"), TimeoutError(), OSError("refused")):
            outages.failed(error)
        outages.recovered()
        outages.failed(OSError("refused"))
    assert [line["cause"] for line in lines] == ["refused", "TimeoutError", "refused", "refused"]
    assert {line["event"] for line in lines} == {"the queue does not answer"}


def test_cause_is_the_error_of_the_driver(outages: OutageLog) -> None:
    """SQLAlchemy's own text would contain the statement."""
    with structlog.testing.capture_logs() as lines:
        outages.failed(OperationalError("SELECT secret", None, OSError("access denied")))
    assert lines[0]["cause"] == "access denied"
