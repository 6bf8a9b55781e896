"""The one place where an error of a source becomes a gRPC answer."""

from grpc import StatusCode

from rpc.answers.refusal import Refusal
from services.job_status.source import (
    BatchUnknown,
    JobsNotListed,
    JobStatusError,
    QueueContradiction,
    QueueUnavailable,
)

_ANSWERS: dict[type[JobStatusError], tuple[StatusCode, str]] = {
    BatchUnknown: (StatusCode.NOT_FOUND, "BATCH_NOT_FOUND"),
    JobsNotListed: (StatusCode.UNIMPLEMENTED, "JOBS_NOT_LISTED"),
    QueueUnavailable: (StatusCode.UNAVAILABLE, "QUEUE_UNAVAILABLE"),
    # Neither "try again" nor "unknown": a person must look at what the queue has written.
    QueueContradiction: (StatusCode.FAILED_PRECONDITION, "QUEUE_CONTRADICTION"),
}


def translate(error: Exception) -> Refusal | None:
    """Return what is answered to an error of a source; None for an error that is not one."""
    for kind, (code, reason) in _ANSWERS.items():
        if isinstance(error, kind):
            return Refusal(code, reason, str(error))
    return None
