"""How the contract answers each error of the progress server."""

from grpc import StatusCode

from batches import errors as batch_errors
from rpc.answers.error_table import ErrorAnswer, ErrorTable
from services.progress import errors

BACKLOG_RETRY_SECONDS = 0.5
"""A full backlog, or all results of a caller, are recorded in about a second; half of it makes room without
leaving the server idle."""
WATCH_RETRY_SECONDS = 30.0
"""Watches end when batches end or connections age: in minutes, not in milliseconds."""

ERRORS: ErrorTable = {
    batch_errors.BatchNotFound: ErrorAnswer(StatusCode.NOT_FOUND, "BATCH_NOT_FOUND"),
    batch_errors.BatchConflict: ErrorAnswer(StatusCode.ALREADY_EXISTS, "BATCH_CONFLICT"),
    batch_errors.BatchEnded: ErrorAnswer(StatusCode.ALREADY_EXISTS, "BATCH_ENDED"),
    batch_errors.BatchSealed: ErrorAnswer(StatusCode.FAILED_PRECONDITION, "BATCH_SEALED"),
    batch_errors.BatchCancelled: ErrorAnswer(StatusCode.FAILED_PRECONDITION, "BATCH_CANCELLED"),
    batch_errors.BatchCompleted: ErrorAnswer(StatusCode.FAILED_PRECONDITION, "BATCH_COMPLETED"),
    batch_errors.BatchProcessing: ErrorAnswer(StatusCode.FAILED_PRECONDITION, "BATCH_PROCESSING"),
    batch_errors.TotalTooLarge: ErrorAnswer(StatusCode.FAILED_PRECONDITION, "TOTAL_TOO_LARGE"),
    batch_errors.RequestConflict: ErrorAnswer(StatusCode.ALREADY_EXISTS, "REQUEST_CONFLICT"),
    batch_errors.BatchFull: ErrorAnswer(StatusCode.FAILED_PRECONDITION, "BATCH_FULL"),
    batch_errors.ResultConflict: ErrorAnswer(StatusCode.ALREADY_EXISTS, "RESULT_CONFLICT"),
    batch_errors.ResultNotFound: ErrorAnswer(StatusCode.NOT_FOUND, "RESULT_NOT_FOUND"),
    batch_errors.DeliveryNotFound: ErrorAnswer(StatusCode.NOT_FOUND, "DELIVERY_NOT_FOUND"),
    batch_errors.DatabaseUnavailable: ErrorAnswer(
        StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE", "the database is unavailable; try again"
    ),
    errors.ForeignBatchId: ErrorAnswer(StatusCode.PERMISSION_DENIED, "FOREIGN_BATCH_ID"),
    errors.NotifyUrlRefused: ErrorAnswer(StatusCode.FAILED_PRECONDITION, "NOTIFY_URL_REFUSED"),
    errors.WatchTokensOff: ErrorAnswer(StatusCode.FAILED_PRECONDITION, "WATCH_TOKENS_OFF"),
    errors.PrefixedToken: ErrorAnswer(
        StatusCode.PERMISSION_DENIED,
        "PREFIXED_TOKEN",
        "a pass is about all batches, and this token is for those of a prefix",
    ),
    errors.ShuttingDown: ErrorAnswer(
        StatusCode.UNAVAILABLE, "SHUTTING_DOWN", "this server is shutting down; try again"
    ),
    errors.HistoryRewound: ErrorAnswer(
        StatusCode.UNAVAILABLE,
        "HISTORY_REWOUND",
        "a fail-over of the database lost changes of this batch; watch it again to see it as it is now",
    ),
    errors.TooManyBatches: ErrorAnswer(StatusCode.FAILED_PRECONDITION, "TOO_MANY_BATCHES"),
    errors.WatchTooSlow: ErrorAnswer(
        StatusCode.UNAVAILABLE,
        "WATCH_TOO_SLOW",
        "this watcher does not read as fast as batches end; resume the watch",
    ),
    errors.BacklogFull: ErrorAnswer(
        StatusCode.RESOURCE_EXHAUSTED,
        "BACKLOG_FULL",
        "too many results wait to be recorded; try again shortly",
        retry_delay_seconds=BACKLOG_RETRY_SECONDS,
    ),
    errors.CallerResultsFull: ErrorAnswer(
        StatusCode.RESOURCE_EXHAUSTED,
        "CALLER_RESULTS",
        "this caller has too many unrecorded results",
        retry_delay_seconds=BACKLOG_RETRY_SECONDS,
    ),
    errors.TooManyWatches: ErrorAnswer(
        StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_WATCHES",
        "this server has too many open watches; try again later",
        retry_delay_seconds=WATCH_RETRY_SECONDS,
    ),
}
