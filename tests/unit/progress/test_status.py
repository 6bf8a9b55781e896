"""Every error of the domain has its documented answer."""

from datetime import UTC, datetime

import pytest
from grpc import StatusCode

from batches import errors as batch_errors
from batches.errors import BatchError
from rpc.answers.error_table import refusal_of
from services.progress.errors import BacklogFull, ForeignBatchId, ShuttingDown, TooManyWatches
from services.progress.status import ERRORS

ARGUMENTS = {
    "BatchConflict": ("b", 1),
    "BatchEnded": ("b", "COMPLETED", datetime(2026, 1, 1, tzinfo=UTC)),
    "TotalTooLarge": ("b", 1),
    "RequestConflict": ("b", "r", 1),
    "BatchFull": ("b", "j", 1),
    "ResultNotFound": ("b", "j"),
    "ResultConflict": ("b", "j", 1, "FAILED"),
}


@pytest.mark.parametrize("kind", BatchError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_batch_error_has_an_answer(kind: type[BatchError]) -> None:
    """Its reason is the name of the error in UPPER_SNAKE, as in the contract."""
    options = {"sealed": True} if kind is batch_errors.BatchConflict else {}
    refusal = refusal_of(kind(*ARGUMENTS.get(kind.__name__, ("b",)), **options), ERRORS)
    assert refusal is not None
    assert refusal.reason.replace("_", "").lower() == kind.__name__.lower()


def test_unexpected_error_has_no_answer() -> None:
    """The error interceptor answers INTERNAL, without its text."""
    assert refusal_of(ValueError("secret"), ERRORS) is None


@pytest.mark.parametrize(
    ("error", "code", "reason", "retry_seconds"),
    [
        (BacklogFull(), StatusCode.RESOURCE_EXHAUSTED, "BACKLOG_FULL", 0.5),
        (TooManyWatches(), StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHES", 30.0),
        (ShuttingDown(), StatusCode.UNAVAILABLE, "SHUTTING_DOWN", None),
        (batch_errors.DatabaseUnavailable(), StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE", None),
        (ForeignBatchId("mine-"), StatusCode.PERMISSION_DENIED, "FOREIGN_BATCH_ID", None),
    ],
)
def test_errors_of_the_server_have_their_answers(
    error: Exception, code: StatusCode, reason: str, retry_seconds: float | None
) -> None:
    """The answer has a retry delay if waiting helps."""
    refusal = refusal_of(error, ERRORS)
    assert refusal is not None
    assert (refusal.code, refusal.reason, refusal.retry_delay_seconds) == (code, reason, retry_seconds)
    assert refusal.message
