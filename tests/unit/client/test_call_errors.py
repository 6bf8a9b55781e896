"""Which error a refused call raises."""

import copy
import re
from pathlib import Path

import grpc
import pytest

from batchprogress import errors
from batchprogress._calls.call_errors import Subject, refused, unavailable
from batchprogress._calls.convert import to_batch
from batchprogress._grpc.retry import Failure
from batchprogress.v1 import progress_pb2 as pb
from tests.support.progress import ROOT

SUBJECT = Subject("progress:50051", "AddJobs", "b")
CODE = grpc.StatusCode


@pytest.mark.parametrize(
    ("code", "reason", "error_type"),
    [
        (CODE.NOT_FOUND, "BATCH_NOT_FOUND", errors.BatchNotFound),
        (CODE.ALREADY_EXISTS, "BATCH_CONFLICT", errors.BatchConflict),
        (CODE.ALREADY_EXISTS, "BATCH_ENDED", errors.BatchEnded),
        (CODE.ALREADY_EXISTS, "REQUEST_CONFLICT", errors.RequestConflict),
        (CODE.FAILED_PRECONDITION, "BATCH_SEALED", errors.BatchSealed),
        (CODE.FAILED_PRECONDITION, "BATCH_CANCELLED", errors.BatchCancelled),
        (CODE.NOT_FOUND, "RESULT_NOT_FOUND", errors.ResultNotFound),
        (CODE.NOT_FOUND, "DELIVERY_NOT_FOUND", errors.DeliveryNotFound),
        (CODE.FAILED_PRECONDITION, "BATCH_COMPLETED", errors.BatchCompleted),
        (CODE.FAILED_PRECONDITION, "BATCH_PROCESSING", errors.BatchProcessing),
        (CODE.FAILED_PRECONDITION, "WATCH_TOKENS_OFF", errors.WatchTokensOff),
        (CODE.FAILED_PRECONDITION, "TOTAL_TOO_LARGE", errors.InvalidRequest),
        (CODE.FAILED_PRECONDITION, "NOTIFY_URL_REFUSED", errors.InvalidRequest),
        (CODE.FAILED_PRECONDITION, "TOO_MANY_BATCHES", errors.TooManyBatches),
        (CODE.INVALID_ARGUMENT, "INVALID_FIELD", errors.InvalidRequest),
        (CODE.INVALID_ARGUMENT, "MALFORMED_MESSAGE", errors.InvalidRequest),
        (CODE.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE", errors.InvalidRequest),
        (CODE.UNAUTHENTICATED, "TOKEN_EXPIRED", errors.Unauthenticated),
        (CODE.UNAUTHENTICATED, "TOKEN_INVALID", errors.Unauthenticated),
        (CODE.PERMISSION_DENIED, "ROLE_MISSING", errors.PermissionDenied),
        (CODE.PERMISSION_DENIED, "FOREIGN_BATCH_ID", errors.PermissionDenied),
        (CODE.INTERNAL, "INTERNAL", errors.ServerError),
        (CODE.UNIMPLEMENTED, "UNKNOWN_METHOD", errors.ServerTooOld),
        (CODE.DATA_LOSS, "OF_A_LATER_VERSION", errors.CallFailed),
        (CODE.PERMISSION_DENIED, "", errors.ProxyAnswered),
    ],
)
def test_each_reason_has_its_error(
    code: grpc.StatusCode, reason: str, error_type: type[errors.CallFailed]
) -> None:
    """The message names the server, the batch and what to do; without a reason the status is the reason."""
    error = refused(SUBJECT, Failure(code, "a sentence", reason))
    assert type(error) is error_type
    assert (error.reason, error.detail, error.batch_id) == (reason or code.name, "a sentence", "b")
    assert "'b'" in str(error)
    assert "progress:50051" in str(error)


def test_every_reason_of_the_contract_that_a_call_may_get_is_tested() -> None:
    """A reason that the contract adds must be decided here."""
    contract = Path(ROOT / "protos/batchprogress/v1/progress.proto").read_text(encoding="utf-8")
    tested = {mark[1] for mark in test_each_reason_has_its_error.pytestmark[0].args[1]}  # type: ignore[attr-defined]
    named = set(re.findall(r"[A-Z_]+ / ([A-Z_]+)", contract))
    of_limits = {"CALLER_RATE", "CALLER_READS", "CALLER_RESULTS", "BACKLOG_FULL"}
    retried = {"DATABASE_UNAVAILABLE", "SHUTTING_DOWN"} | of_limits
    of_reports = {"RESULT_CONFLICT", "BATCH_FULL"}
    of_watches = {"TOO_MANY_WATCHES", "CALLER_WATCHES", "HISTORY_REWOUND", "WATCH_TOO_SLOW"}
    assert named - retried - of_reports - of_watches <= tested


def test_a_server_that_answers_but_cannot_serve_is_not_said_to_be_down() -> None:
    """Its log has the cause."""
    failure = Failure(CODE.UNAVAILABLE, "the database does not answer", "DATABASE_UNAVAILABLE")
    error = unavailable(SUBJECT, failure, 10.0, 7)
    assert error.reason == "DATABASE_UNAVAILABLE"
    assert "tried 7 times; last: the database does not answer" in str(error)
    assert str(error).endswith("look for the cause in the server's log")


def test_an_error_can_be_rebuilt_from_its_parts() -> None:
    """A process pool does so when it passes an error on."""
    before = unavailable(SUBJECT, Failure(CODE.UNAVAILABLE, "a sentence"), 10.0, 7)
    after = copy.copy(before)
    assert (type(after), str(after), vars(after)) == (errors.Unavailable, str(before), vars(before))
    batch = to_batch(pb.Batch(state=pb.BATCH_STATE_PROCESSING))
    assert copy.copy(errors.WaitTimeout("late", batch)).batch == batch


def test_field_violations_make_the_message() -> None:
    """The error holds them too."""
    violation = errors.FieldViolation("total_jobs", "must be from 0 to 9")
    error = refused(SUBJECT, Failure(CODE.INVALID_ARGUMENT, "x", "INVALID_FIELD", violations=(violation,)))
    assert isinstance(error, errors.InvalidRequest)
    assert error.violations == (violation,)
    assert "total_jobs must be from 0 to 9" in str(error)


def test_a_state_of_a_later_version_says_that_the_client_is_too_old() -> None:
    """It is no KeyError without a word about the cause."""
    with pytest.raises(errors.ClientTooOld, match="does not know the BatchState 9 of the answer"):
        to_batch(pb.Batch(batch_id="b", state=9))  # type: ignore[arg-type]  # as a newer server sends it
