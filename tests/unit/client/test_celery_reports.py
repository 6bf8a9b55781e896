"""What Celery's settings mean for the report of a task."""

from types import SimpleNamespace

import pytest

from batchprogress.integrations.celery_reports import requeues_on_timeout


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"acks_late": True, "acks_on_failure_or_timeout": True}, False),  # Celery 5.5 and 5.6
        ({"acks_late": True, "acks_on_failure_or_timeout": False}, True),
        ({"acks_late": False, "acks_on_failure_or_timeout": False}, False),
        ({"acks_late": True, "acks_on_failure_or_timeout": None, "acks_on_timeout": False}, True),
        ({"acks_late": True, "acks_on_failure_or_timeout": False, "acks_on_timeout": True}, False),
    ],
)
def test_a_task_is_requeued_after_a_timeout_that_does_not_acknowledge_it(
    settings: dict[str, bool | None], *, expected: bool
) -> None:
    assert requeues_on_timeout(SimpleNamespace(**settings)) is expected
