"""Interprets what Celery stores about groups and tasks, without I/O. `celery` documents the states."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from celery import states

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX, JobOutcome
from services.job_status.source import JobStatus, QueueContradiction

OUTCOMES: dict[str, JobOutcome] = {
    states.SUCCESS: JobOutcome.SUCCEEDED,
    states.FAILURE: JobOutcome.FAILED,
    states.REVOKED: JobOutcome.SKIPPED,
}
"""Every other state, including custom states of an application, is pending."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The stored result of one task."""

    state: str
    error: object = None
    """The error as Celery stores it: a mapping with exc_type and exc_message."""
    retries: object = None
    """None unless the application sets `result_extended`."""


@dataclass(frozen=True, slots=True)
class BatchTasks:
    """The tasks of a batch."""

    ids: Sequence[str]
    """Distinct and sorted."""
    may_grow: bool
    """Whether more tasks may be added."""


def parse_task_ids(groups: Iterable[object]) -> list[str]:
    """Return the distinct task ids in saved groups and their nested groups, sorted.

    Celery stores a result as [[id, parent], children], where children is None for a task.

    Args:
        groups: saved groups, or ids of single tasks.

    Raises:
        QueueContradiction: a group is not in Celery's format.

    """
    found: set[str] = set()
    unparsed = list(groups)
    while unparsed:
        match unparsed.pop():
            case [[str(), _], list(children)]:
                unparsed += children
            case [[str(task_id), _], None] | str(task_id):
                found.add(task_id)
            case _:
                raise QueueContradiction("the saved group is not in the format of Celery")
    return sorted(found)


def outcome_of(result: TaskResult | None) -> JobOutcome | None:
    """Return the outcome of a task, None if it is pending or has no stored result."""
    return OUTCOMES.get(result.state) if result else None


def status_of(task_id: str, result: TaskResult | None) -> JobStatus:
    """Return the job of a task."""
    if result is None:
        return JobStatus(task_id, None)
    error_type, error_message = _parse_error(result.error)
    return JobStatus(
        task_id,
        outcome_of(result),
        attempt=1 + (result.retries if isinstance(result.retries, int) else 0),
        error_type=error_type,
        error_message=error_message,
    )


def parse_result(stored: object) -> TaskResult:
    """Return the result of a task as Celery stores it in Redis.

    Raises:
        QueueContradiction: it is not in Celery's format.

    """
    match stored:
        case {"status": str(state), **rest}:
            return TaskResult(state, rest.get("result"), rest.get("retries"))
        case _:
            raise QueueContradiction("a task's result is not in the format of Celery")


def parse_json(payload: str | bytes) -> Any:
    """Return the content of a JSON text.

    Raises:
        QueueContradiction: the payload is not JSON, such as a pickle, which is never read.

    """
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise QueueContradiction("a result is not JSON (pickles are not read)") from error


def _parse_error(error: object) -> tuple[str, str]:
    """Return the type and the message of an error; the message consists of its arguments."""
    if not isinstance(error, Mapping):
        return "", ""
    message = error.get("exc_message", "")
    arguments = message if isinstance(message, list | tuple) else [message]
    return str(error.get("exc_type", "")), ", ".join(map(str, arguments))[:ERROR_MESSAGE_CHARACTERS_MAX]
