"""How the contract answers each error of a source."""

from grpc import StatusCode

from rpc.answers.error_table import ErrorAnswer, ErrorTable
from services.job_status.source import BatchUnknown, JobsNotListed, QueueContradiction, QueueUnavailable

ERRORS: ErrorTable = {
    BatchUnknown: ErrorAnswer(StatusCode.NOT_FOUND, "BATCH_NOT_FOUND"),
    JobsNotListed: ErrorAnswer(StatusCode.UNIMPLEMENTED, "JOBS_NOT_LISTED"),
    QueueUnavailable: ErrorAnswer(StatusCode.UNAVAILABLE, "QUEUE_UNAVAILABLE"),
    # Neither "try again" nor "unknown": a person must look at what the queue has written.
    QueueContradiction: ErrorAnswer(
        StatusCode.FAILED_PRECONDITION,
        "QUEUE_CONTRADICTION",
        metadata=lambda error: {"problem": error.problem},
    ),
}
