"""From errors of a domain to refusals."""

from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from rpc.answers.error_table import ErrorAnswer, ErrorTable, refusal_of
from rpc.answers.refusal import Refusal

TABLE: ErrorTable = {
    KeyError: ErrorAnswer(StatusCode.NOT_FOUND, "MISSING"),
    LookupError: ErrorAnswer(StatusCode.UNAVAILABLE, "AWAY", "try again", retry_delay_seconds=2.5),
}


def test_message_is_that_of_the_table_or_else_that_of_the_error() -> None:
    refusal = refusal_of(KeyError("the key"), TABLE)
    assert refusal is not None
    assert (refusal.code, refusal.reason, refusal.message) == (StatusCode.NOT_FOUND, "MISSING", "'the key'")
    assert refusal.retry_delay_seconds is None


def test_subclass_gets_the_answer_of_its_base() -> None:
    refusal = refusal_of(IndexError("secret"), TABLE)
    assert refusal is not None
    assert (refusal.reason, refusal.message, refusal.retry_delay_seconds) == ("AWAY", "try again", 2.5)


def test_refusal_is_its_own_answer() -> None:
    refusal = Refusal(StatusCode.ABORTED, "R", "m")
    assert refusal_of(refusal, TABLE) is refusal


def test_metadata_of_an_error_is_sent_in_its_error_info() -> None:
    answer = ErrorAnswer(StatusCode.ABORTED, "R", metadata=lambda error: {"problem": error.args[0]})
    refusal = refusal_of(ValueError("why"), {ValueError: answer})
    assert refusal is not None
    ((_, raw),) = refusal.trailing_metadata()
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(raw).details[0].Unpack(info)
    assert (info.domain, info.reason, dict(info.metadata)) == ("batchprogress", "R", {"problem": "why"})


def test_error_without_an_entry_has_no_answer() -> None:
    assert refusal_of(ValueError("secret"), TABLE) is None
