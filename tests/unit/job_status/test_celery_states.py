"""The interpretation of what Celery stores."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batches.result import JobOutcome
from services.job_status.convert import to_job_status
from services.job_status.source import JobStatus, QueueContradiction
from services.job_status.sources.celery_states import (
    parse_error_prefix,
    parse_group,
    parse_result,
    parse_task_ids,
    status_of,
)
from services.job_status.sources.unreadable import Unreadable, status_or_problem

NOT_JSON = [b"\x80\x04\x95.", "{", "[" * 100_000, "9" * 5_000]
FEW = settings(max_examples=50, deadline=None)
TEXTS = st.text(st.characters(codec=None), max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS, values, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("payload", NOT_JSON)
def test_group_that_is_not_json_is_a_contradiction(payload: str | bytes) -> None:
    """Neither a pickle, deeply nested JSON nor a number of 5,000 digits causes another error."""
    with pytest.raises(QueueContradiction):
        parse_group(payload)


@pytest.mark.parametrize("payload", NOT_JSON)
def test_result_that_is_not_json_is_unreadable(payload: str | bytes) -> None:
    with pytest.raises(Unreadable):
        parse_result(payload)


def test_tasks_of_nested_groups_are_distinct_and_sorted() -> None:
    """A chain counts as its last task; its parent is not a job of the batch."""
    nested = [["inner", None], [[["a", None], None], [["c", [["parent", None], None]], None]]]
    group = [["batch", None], [[["b", None], None], nested, [["a", None], None]]]
    assert parse_task_ids([group, "d"]) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "group",
    [
        None,
        {},
        [["batch", None], {}],
        [["batch"], []],
        [[["a", None], 1]],
        [["b", None], [[["\udce9", None], None]]],
    ],
)
def test_group_in_another_format_is_a_contradiction(group: object) -> None:
    with pytest.raises(QueueContradiction):
        parse_task_ids([group])


@FEW
@given(JSON)
def test_any_group_is_read_or_a_contradiction(group: object) -> None:
    with suppress(QueueContradiction):
        parse_task_ids([group])


@FEW
@given(state=JSON, error=JSON, retries=JSON, name=JSON)
def test_any_result_is_a_job_that_a_message_can_carry(
    state: object, error: object, retries: object, name: object
) -> None:
    result = {"error": error, "retries": retries, "name": name}
    to_job_status(status_or_problem("a", lambda: status_of("a", state, **result)))


@FEW
@given(exc_type=JSON, exc_message=JSON)
def test_any_error_is_a_text_that_a_message_can_carry(exc_type: object, exc_message: object) -> None:
    error = {"exc_type": exc_type, "exc_message": exc_message}
    to_job_status(status_of("a", "FAILURE", error=error))


def test_error_of_which_only_the_beginning_is_read_keeps_its_type() -> None:
    """Its message has the characters that are there."""
    payload = '{"exc_type": "IntegrityError", "exc_message": ["row 17: \\u00e9\\u00'
    error = parse_error_prefix(payload, len(payload) - 1)
    expected = JobStatus("a", JobOutcome.FAILED, 1, "IntegrityError", "row 17: é")
    assert status_of("a", "FAILURE", error=error) == expected


def test_name_of_the_task_is_its_display_name() -> None:
    assert status_of("a", "SUCCESS", name="shop.tasks.sync").display_name == "shop.tasks.sync"
