"""Checks the arguments of CreateBatch, and whether the batch that it returned is the one asked for."""

import logging
from collections.abc import Callable
from typing import Literal, get_args

from batchprogress._calls.call_errors import Subject
from batchprogress.errors import ServerTooOld
from batchprogress.models import Batch
from batchprogress.v1 import progress_pb2 as pb

IfEnded = Literal["return", "error", "replace"]
"""What happens to a batch of the same id that has ended."""

NUMBERS = {
    "return": pb.IF_ENDED_UNSPECIFIED,
    "error": pb.IF_ENDED_ERROR,
    "replace": pb.IF_ENDED_REPLACE,
}

_log = logging.getLogger("batchprogress")


def check_if_ended(value: str) -> None:
    """Check the argument of a user.

    Raises:
        ValueError: it is not one of the choices.

    """
    if value not in get_args(IfEnded):
        raise ValueError(f"if_ended is 'return', 'error' or 'replace', not {value!r}")


def failure_limit(jobs: int | None, percent: int | None) -> pb.FailureLimit | None:
    """Return the limit that a user asks for; None without one.

    Raises:
        ValueError: there are two limits.

    """
    if jobs is not None and percent is not None:
        raise ValueError("give max_failed_jobs or max_failed_percent, not both")
    if jobs is not None:
        return pb.FailureLimit(jobs=jobs)
    return None if percent is None else pb.FailureLimit(percent=percent)


def existed(batch: Batch, seconds: float) -> bool:
    """Return whether a batch ended before the call that created it, as this process sees it.

    A batch that the call has created cannot have ended before an earlier try of the call, and both times are
    of the database's clock: it lived for less than the call takes. One without jobs ends as it is created.

    Args:
        batch: the answer.
        seconds: the time from the first try to the answer; 0 if the first try was answered.

    """
    if batch.complete_time is None:
        return False
    return (batch.complete_time - batch.create_time).total_seconds() > seconds


def check_of(
    if_ended: IfEnded, max_failed_jobs: int | None = None, max_failed_percent: int | None = None
) -> Callable[[Batch, Subject, float], None]:
    """Return the check of an answer: it raises ServerTooOld, or logs that the batch had ended."""

    def check(batch: Batch, subject: Subject, seconds: float) -> None:
        if (batch.max_failed_jobs, batch.max_failed_percent) != (max_failed_jobs, max_failed_percent):
            # Servers that know the limit refuse the creation if an existing batch has another one.
            detail = "the server does not know the failure limit, and the batch has none"
            raise _too_old("FAILURE_LIMIT_IGNORED", detail, batch, subject)
        if not existed(batch, seconds):
            return
        if if_ended == "return":
            _log.warning("%s", warning_of(batch))
            return
        ended = f"{batch.state} at {batch.complete_time:%Y-%m-%d %H:%M:%S} UTC"
        detail = f"the server does not know if_ended and returned a batch that was {ended}"
        raise _too_old("IF_ENDED_IGNORED", detail, batch, subject)

    return check


def notify_url_unknown(batch_id: str) -> ServerTooOld:
    """Return the error of a server that would ignore notify_url, which no answer has."""
    detail = "the server does not know notify_url, and the batch was not created"
    text = f"CreateBatch of batch {batch_id!r}: {detail}: upgrade the server"
    return ServerTooOld(text, reason="NOTIFY_URL_IGNORED", detail=detail, batch_id=batch_id)


def _too_old(reason: str, detail: str, batch: Batch, subject: Subject) -> ServerTooOld:
    text = f"{subject}: {detail}: upgrade the server"
    return ServerTooOld(text, reason=reason, detail=detail, batch_id=batch.batch_id)


def warning_of(batch: Batch) -> str:
    """Return what to say about a batch that had ended before it was to be created."""
    return (
        f"batch {batch.batch_id!r} was not created: it exists and was {batch.state} at"
        f" {batch.complete_time:%Y-%m-%d %H:%M:%S} UTC. A job that it has already counts only once, so the"
        " results of another run are lost. Give each run an id of its own, or choose if_ended='error' or"
        " 'replace'"
    )
