"""Interprets what Celery stores about groups and tasks, without I/O. `celery` documents the states."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from celery import states

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX, ERROR_TYPE_CHARACTERS_MAX, JobOutcome
from rpc.answers.fields import IDENTIFIER, IDENTIFIER_RULE
from services.job_status.source import JobStatus, QueueContradiction
from services.job_status.sources.columns import attempt_after
from services.job_status.sources.cut_json import parse_cut_json
from services.job_status.sources.unreadable import Unreadable

OUTCOMES: dict[str, JobOutcome] = {
    states.SUCCESS: JobOutcome.SUCCEEDED,
    states.FAILURE: JobOutcome.FAILED,
    states.REVOKED: JobOutcome.SKIPPED,
}
"""Every other state, including custom states of an application, is pending."""


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
        QueueContradiction: a group is not in Celery's format, or no worker could report a task's id.

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
    if not all(map(IDENTIFIER.fullmatch, found)):
        raise QueueContradiction(f"the id of a task is not {IDENTIFIER_RULE}")
    return sorted(found)


def status_of(
    task_id: str, state: object, *, error: object = None, retries: object = None, name: object = None
) -> JobStatus:
    """Return the job of a task.

    Args:
        task_id: the id of the task.
        state: its state.
        error: the error as Celery stores it: a mapping with exc_type and exc_message.
        retries: how often it was retried; None unless the application sets `result_extended`.
        name: the name of the task; None unless the application sets `result_extended`.

    Raises:
        Unreadable: a value is not what Celery stores.

    """
    if not isinstance(state, str):
        raise Unreadable("its result is not in the format of Celery")
    error_type, error_message = _parse_error(error)
    return JobStatus(
        task_id,
        OUTCOMES.get(state),
        attempt=attempt_after(retries),
        error_type=error_type,
        error_message=error_message,
        display_name=name if isinstance(name, str) else "",
    )


def parse_group(payload: str | bytes) -> Any:
    """Return the content of a saved group.

    Raises:
        QueueContradiction: it is not JSON, such as a pickle, which is never read.

    """
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise QueueContradiction("the saved group is not JSON (pickles are not read)") from error


def parse_result(payload: str | bytes) -> Any:
    """Return the content of a stored result.

    Raises:
        Unreadable: it is not JSON, such as a pickle, which is never read.

    """
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Unreadable("its result is not JSON (pickles are not read)") from error


def parse_error_prefix(payload: str | bytes | None, size: int) -> object:
    """Return the error in a stored result, of which at most `size` characters or bytes are read.

    Raises:
        Unreadable: it is not JSON.

    """
    if not payload:
        return None
    if len(payload) <= size:
        return parse_result(payload)
    return parse_cut_json(payload.decode(errors="replace") if isinstance(payload, bytes) else payload)


def _parse_error(error: object) -> tuple[str, str]:
    """Return the type and the message of an error; the message consists of its arguments."""
    if not isinstance(error, Mapping):
        return "", ""
    message = error.get("exc_message", "")
    arguments = message if isinstance(message, list | tuple) else [message]
    error_type = _text(error.get("exc_type") or "")[:ERROR_TYPE_CHARACTERS_MAX]
    return error_type, ", ".join(map(_text, arguments))[:ERROR_MESSAGE_CHARACTERS_MAX]


def _text(value: object) -> str:
    try:
        return str(value)
    except RecursionError:  # of lists within lists
        return ""
