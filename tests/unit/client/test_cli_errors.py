"""How a command ends whose call failed."""

import grpc
import pytest

from batchprogress._calls.call_errors import Subject, refused, unavailable
from batchprogress._grpc.retry import Failure
from batchprogress.cli.cli_errors import ADVICE, ExitCode, command_error

CODE = grpc.StatusCode
FROM_A_PROXY = (
    "from progress:50051: a proxy answered SealBatch of batch 'b', not a Batch Progress server; check the"
    " address, and that the proxy forwards gRPC to the server"
)
SUBJECT = Subject("progress:50051", "SealBatch", "b")


@pytest.mark.parametrize(
    ("failure", "code", "sentence"),
    [
        (
            Failure(CODE.NOT_FOUND, "x", "BATCH_NOT_FOUND"),
            ExitCode.NOT_FOUND,
            "there is no batch b: `batchprogress list` shows the batches that exist",
        ),
        (Failure(CODE.INVALID_ARGUMENT, "bad", "INVALID_FIELD"), ExitCode.USAGE, "bad"),
        (
            Failure(CODE.FAILED_PRECONDITION, "batch b is sealed", "BATCH_SEALED"),
            ExitCode.REFUSED,
            "batch b is sealed: create batches that grow with --unsealed",
        ),
        (
            Failure(CODE.FAILED_PRECONDITION, "this server requires no tokens", "WATCH_TOKENS_OFF"),
            ExitCode.REFUSED,
            f"this server requires no tokens: {ADVICE['WATCH_TOKENS_OFF']}",
        ),
        (
            Failure(CODE.FAILED_PRECONDITION, "more than 1,000 are processing", "TOO_MANY_BATCHES"),
            ExitCode.REFUSED,
            "more than 1,000 are processing: give more labels, or a longer --prefix",
        ),
        (Failure(CODE.FAILED_PRECONDITION, "too many", "TOTAL_TOO_LARGE"), ExitCode.REFUSED, "too many"),
        (
            Failure(CODE.FAILED_PRECONDITION, "no", "NOTIFY_URL_REFUSED"),
            ExitCode.REFUSED,
            "no: ask the operator of the server to add its host",
        ),
        (
            Failure(CODE.PERMISSION_DENIED, "no", "ROLE_MISSING"),
            ExitCode.REFUSED,
            "the server at S does not allow this with the given token: give another one with --token-file",
        ),
        (
            Failure(CODE.UNIMPLEMENTED, "no", "UNKNOWN_METHOD"),
            ExitCode.REFUSED,
            "the server at S is older than this command and does not know it: upgrade the server",
        ),
        (
            Failure(CODE.INTERNAL, "internal", "INTERNAL"),
            ExitCode.REFUSED,
            "the server at S has a defect: its log holds the cause",
        ),
        (
            Failure(CODE.UNAUTHENTICATED, "a proxy\x1b[2J says so"),
            ExitCode.REFUSED,
            f"UNAUTHENTICATED (a proxy\N{REPLACEMENT CHARACTER}[2J says so) {FROM_A_PROXY}",
        ),
    ],
)
def test_a_refusal_is_one_sentence_with_what_to_do(failure: Failure, code: ExitCode, sentence: str) -> None:
    """The sentence has no control characters, even if the server sent some."""
    error = command_error(refused(SUBJECT, failure), "S")
    assert (error.code, str(error)) == (code, sentence)


def test_a_server_that_is_away_is_named_with_the_cause() -> None:
    """Only the end of gRPC's long message is shown."""
    message = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Connection refused"
    error = command_error(unavailable(SUBJECT, Failure(CODE.UNAVAILABLE, message), 3.0, 5), "S")
    assert error.code is ExitCode.UNAVAILABLE
    assert str(error).startswith(
        "the server at S did not answer for 3 s (ipv4:127.0.0.1:1: Connection refused):"
    )
