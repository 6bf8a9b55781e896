"""Which error a failed call raises: one table from the server's reasons, one from gRPC's status codes."""

from dataclasses import dataclass
from http import HTTPStatus

import grpc

from batchprogress import errors
from batchprogress._grpc.retry import Failure
from batchprogress.models import Batch

_ErrorType = type[errors.CallFailed]
_Code = grpc.StatusCode

_BY_REASON: dict[str, tuple[_ErrorType, str]] = {
    "BATCH_NOT_FOUND": (errors.BatchNotFound, "check the id, and that the batch was created on this server"),
    "RESULT_NOT_FOUND": (errors.ResultNotFound, "check the id of the job, or wait until it has ended"),
    "DELIVERY_NOT_FOUND": (errors.DeliveryNotFound, "list the deliveries that exist"),
    "BATCH_CONFLICT": (errors.BatchConflict, "give the numbers of its creation, or another id"),
    "BATCH_ENDED": (
        errors.BatchEnded,
        "give each run an id of its own, or replace the batch with if_ended='replace'",
    ),
    "BATCH_SEALED": (errors.BatchSealed, "create batches that grow with sealed=False"),
    "BATCH_CANCELLED": (errors.BatchCancelled, "create another batch"),
    "BATCH_COMPLETED": (errors.BatchCompleted, "a completed batch stays completed"),
    "BATCH_PROCESSING": (errors.BatchProcessing, "cancel it first"),
    "REQUEST_CONFLICT": (errors.RequestConflict, "give another request_id for another addition"),
    "WATCH_TOKENS_OFF": (
        errors.WatchTokensOff,
        "set PROGRESS_WATCH_TOKEN_KEY_FILE on a server with tokens, or watch without one",
    ),
    "TOO_MANY_BATCHES": (errors.TooManyBatches, "give labels or a prefix that fewer batches have"),
    "NOTIFY_URL_REFUSED": (errors.InvalidRequest, "ask the operator of the server to add its host"),
    "TOTAL_TOO_LARGE": (errors.InvalidRequest, "divide the jobs among several batches"),
}
_BY_CODE: dict[grpc.StatusCode, tuple[_ErrorType, str]] = {
    _Code.INVALID_ARGUMENT: (errors.InvalidRequest, "correct the arguments"),
    _Code.NOT_FOUND: (errors.BatchNotFound, "check the id, and that the batch was created on this server"),
    _Code.UNAUTHENTICATED: (errors.Unauthenticated, "give a valid token"),
    _Code.PERMISSION_DENIED: (
        errors.PermissionDenied,
        "give a token with the role and the prefix for this call",
    ),
    _Code.UNIMPLEMENTED: (errors.ServerTooOld, "upgrade the server"),
    _Code.INTERNAL: (errors.ServerError, "look for the cause in the server's log"),
}
_PROXY_ADVICE = {
    401: "give the token or certificate that the proxy asks for",
    403: "check what the proxy allows this client to call",
}
_REDIRECTED = "check the address, and that the proxy asks this client for no login"
_WRONG_ADDRESS = "check the address, and that the proxy forwards gRPC to the server"
_PAGE_STATUS = 200
_UNKNOWN = (errors.CallFailed, "look for the cause in the server's log")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a call was about, for the message of its error."""

    target: str
    method: str
    batch_id: str = ""

    def __str__(self) -> str:
        """Return the call in words."""
        return f"{self.call} at {self.target}"

    @property
    def call(self) -> str:
        """The call in words, without the server."""
        return f"{self.method} of batch {self.batch_id!r}" if self.batch_id else self.method


def refused(subject: Subject, failure: Failure) -> errors.CallFailed:
    """Return the error of an answer that trying again does not change."""
    if not failure.is_from_server:
        return _proxy_answered(subject, failure)
    error_type, advice = _BY_REASON.get(failure.reason) or _BY_CODE.get(failure.code, _UNKNOWN)
    violations = "; ".join(f"{one.field} {one.description}" for one in failure.violations)
    detail = violations or failure.message
    if error_type is errors.BatchNotFound and subject.batch_id:
        sentence = f"there is no batch {subject.batch_id!r} at {subject.target}"
    else:
        sentence = f"{subject} was refused: {detail or failure.code.name}"
    error = error_type(
        f"{sentence}: {advice}",
        reason=failure.reason or failure.code.name,
        detail=detail,
        batch_id=subject.batch_id,
    )
    if isinstance(error, errors.InvalidRequest):
        error.violations = failure.violations
    return error


def raise_if_closed(subject: Subject, is_closed: bool) -> None:  # noqa: FBT001  # a condition, as of assert
    """Raise the error of a call that is under way while its client is closed.

    Raises:
        ClientClosed: it was closed.

    """
    if is_closed:
        raise errors.ClientClosed(
            f"{subject} was ended, because its client was closed: close a client after its last call",
            reason="CLIENT_CLOSED",
            batch_id=subject.batch_id,
        )


def replaced(subject: Subject, batch: Batch) -> errors.BatchNotFound:
    """Return the error of a watch whose batch was replaced by another one of the same id."""
    detail = f"it was replaced by a batch created at {batch.create_time:%Y-%m-%d %H:%M:%S} UTC"
    return errors.BatchNotFound(
        f"{subject} has ended: {detail}: watch it again to follow the new one",
        reason="BATCH_NOT_FOUND",
        detail=detail,
        batch_id=batch.batch_id,
    )


def unavailable(subject: Subject, failure: Failure, seconds: float, tries: int) -> errors.Unavailable:
    """Return the error of a call that got no answer in time.

    Args:
        subject: the call.
        failure: how its last try ended.
        seconds: how long all tries took; 0 for a watch that was to have only one.
        tries: how many there were.

    """
    error_type, advice = errors.Unavailable, "check that the server runs and that the address is right"
    if not failure.was_called:
        advice = "correct the token function"
    if failure.is_from_server:
        advice = "look for the cause in the server's log"
    if failure.code is _Code.RESOURCE_EXHAUSTED:
        error_type, advice = errors.ResourceExhausted, "call less often, or raise the limit"
    cause = failure.cause
    tried = f"within {seconds:.3g} s ({_times(tries)}; last: {cause})" if seconds else f"({cause})"
    error = error_type(
        f"no answer to {subject} {tried}: {advice}",
        reason=failure.reason or failure.code.name,
        detail=cause,
        batch_id=subject.batch_id,
    )
    error.seconds, error.tries, error.retry_seconds = seconds, tries, failure.retry_seconds
    return error


def _proxy_answered(subject: Subject, failure: Failure) -> errors.ProxyAnswered:
    status = _PAGE_STATUS if failure.lacks_status else failure.http_status
    if failure.lacks_status:
        what, advice = "HTTP 200 with a page", _REDIRECTED
    elif status:
        redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
        advice = _PROXY_ADVICE.get(status, _REDIRECTED if redirected else _WRONG_ADDRESS)
        what = f"HTTP {status}"
    else:
        what, advice = f"{failure.code.name} ({failure.message})", _WRONG_ADDRESS
    whose = f"a proxy answered {subject.call}, not a Batch Progress server"
    error = errors.ProxyAnswered(
        f"{what} from {subject.target}: {whose}; {advice}",
        reason=failure.code.name,
        detail=failure.cause,
        batch_id=subject.batch_id,
    )
    error.http_status = status
    return error


def _times(tries: int) -> str:
    return "tried once" if tries == 1 else f"tried {tries} times"
