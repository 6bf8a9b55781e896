"""From an error of the domain to the answer the contract documents: one table, one function."""

import grpc

from batches import errors as batch_errors
from batches.errors import BatchError
from rpc.answers.refusal import Refusal
from services.progress import errors

BACKLOG_RETRY_SECONDS = 0.5
"""A full backlog is recorded in about a second; half of it leaves room without idling."""
WATCH_RETRY_SECONDS = 30.0
"""Watches end when batches do or connections age: in minutes, not in milliseconds."""

_Code = grpc.StatusCode
_ANSWERS: dict[type[Exception], tuple[grpc.StatusCode, str]] = {
    batch_errors.BatchNotFound: (_Code.NOT_FOUND, "BATCH_NOT_FOUND"),
    batch_errors.BatchConflict: (_Code.ALREADY_EXISTS, "BATCH_CONFLICT"),
    batch_errors.BatchSealed: (_Code.FAILED_PRECONDITION, "BATCH_SEALED"),
    batch_errors.BatchCancelled: (_Code.FAILED_PRECONDITION, "BATCH_CANCELLED"),
    batch_errors.BatchCompleted: (_Code.FAILED_PRECONDITION, "BATCH_COMPLETED"),
    batch_errors.TotalTooLarge: (_Code.FAILED_PRECONDITION, "TOTAL_TOO_LARGE"),
    batch_errors.RequestConflict: (_Code.ALREADY_EXISTS, "REQUEST_CONFLICT"),
    batch_errors.BatchFull: (_Code.FAILED_PRECONDITION, "BATCH_FULL"),
    batch_errors.ResultConflict: (_Code.ALREADY_EXISTS, "RESULT_CONFLICT"),
    errors.ForeignBatchId: (_Code.PERMISSION_DENIED, "FOREIGN_BATCH_ID"),
}


def to_refusal(error: Exception) -> Refusal | None:
    """Return the documented answer to an error; None for one that is a defect."""
    if isinstance(error, BatchError | errors.ForeignBatchId):
        code, reason = _ANSWERS[type(error)]
        return Refusal(code, reason, str(error))
    if isinstance(error, batch_errors.DatabaseUnavailable):
        return Refusal(_Code.UNAVAILABLE, "DATABASE_UNAVAILABLE", "the database does not answer; try again")
    if isinstance(error, errors.ShuttingDown):
        return Refusal(_Code.UNAVAILABLE, "SHUTTING_DOWN", "this server is being stopped; try again")
    if isinstance(error, errors.BacklogFull):
        message = "too many results wait to be recorded; try again shortly"
        return Refusal(
            _Code.RESOURCE_EXHAUSTED, "BACKLOG_FULL", message, retry_delay_seconds=BACKLOG_RETRY_SECONDS
        )
    if isinstance(error, errors.TooManyWatches):
        message = "this server holds as many watches as it may; try again later"
        return Refusal(
            _Code.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHES", message, retry_delay_seconds=WATCH_RETRY_SECONDS
        )
    return None
