"""The interpretation of what Celery stores."""

import pytest

from services.job_status.source import QueueContradiction
from services.job_status.sources.celery_states import parse_json, parse_result, parse_task_ids


@pytest.mark.parametrize("payload", [b"\x80\x04\x95.", "{", "[" * 100_000])
def test_payload_that_is_not_json_is_a_contradiction(payload: str | bytes) -> None:
    """Neither a pickle nor deeply nested JSON causes another error."""
    with pytest.raises(QueueContradiction):
        parse_json(payload)


def test_tasks_of_nested_groups_are_distinct_and_sorted() -> None:
    """A chain counts as its last task; its parent is not a job of the batch."""
    nested = [["inner", None], [[["a", None], None], [["c", [["parent", None], None]], None]]]
    group = [["batch", None], [[["b", None], None], nested, [["a", None], None]]]
    assert parse_task_ids([group, "d"]) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("group", [None, {}, [["batch", None], {}], [["batch"], []], [[["a", None], 1]]])
def test_group_in_another_format_is_a_contradiction(group: object) -> None:
    with pytest.raises(QueueContradiction):
        parse_task_ids([group])


@pytest.mark.parametrize("stored", [None, [], {"status": None}, {"result": "a"}])
def test_result_in_another_format_is_a_contradiction(stored: object) -> None:
    with pytest.raises(QueueContradiction):
        parse_result(stored)
