"""What Celery keeps of groups and tasks, without any backend. The states are told in `celery`."""

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
"""Any other state, also one that an application made up, is pending."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What is kept of one task."""

    state: str
    error: object = None
    """The error as Celery writes it: a mapping with exc_type and exc_message."""
    retries: object = None
    """None unless the application keeps extended results."""


@dataclass(frozen=True, slots=True)
class SavedTasks:
    """What is kept of the tasks that a batch has."""

    ids: Sequence[str]
    """Each once, sorted."""
    may_grow: bool
    """Whether tasks were added to it, so that more may be."""


def task_ids_of(groups: Iterable[object]) -> list[str]:
    """Return the ids of saved groups' tasks, each once, sorted; a group inside is its tasks.

    Celery writes a result as [[id, parent], children], with children None for a task.

    Raises:
        QueueContradiction: it is nothing that Celery writes.

    """
    found: set[str] = set()
    waiting = list(groups)
    while waiting:
        match waiting.pop():
            case [[str(), _], list(children)]:
                waiting += children
            case [[str(task_id), _], None] | str(task_id):
                found.add(task_id)
            case _:
                raise QueueContradiction("the saved group is none that Celery writes")
    return sorted(found)


def outcome_of(result: TaskResult | None) -> JobOutcome | None:
    """Return how a task ended, if it has; one of which nothing is kept is pending: nobody knows that."""
    return OUTCOMES.get(result.state) if result else None


def status_of(task_id: str, result: TaskResult | None) -> JobStatus:
    """Return a task as a job."""
    if result is None:
        return JobStatus(task_id, None)
    error_type, error_message = _error_of(result.error)
    return JobStatus(
        task_id,
        outcome_of(result),
        attempt=1 + (result.retries if isinstance(result.retries, int) else 0),
        error_type=error_type,
        error_message=error_message,
    )


def result_of(meta: object) -> TaskResult:
    """Return what a key in Redis holds of a task; QueueContradiction if it is nothing that Celery writes."""
    match meta:
        case {"status": str(state), **rest}:
            return TaskResult(state, rest.get("result"), rest.get("retries"))
        case _:
            raise QueueContradiction("a task's result is none that Celery writes")


def parsed(payload: str | bytes) -> Any:
    """Return JSON as Python has it; QueueContradiction if it is none: a pickle is never read."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise QueueContradiction("a result is no JSON: pickles are never read") from error


def _error_of(error: object) -> tuple[str, str]:
    """Return the type and the message of an error; the message is its arguments."""
    if not isinstance(error, Mapping):
        return "", ""
    message = error.get("exc_message", "")
    parts = message if isinstance(message, list | tuple) else [message]
    return str(error.get("exc_type", "")), ", ".join(map(str, parts))[:ERROR_MESSAGE_CHARACTERS_MAX]
