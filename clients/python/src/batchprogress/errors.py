"""The errors of this package, all of them a ProgressError.

    ProgressError
    ├── CallFailed              a call of Client or AsyncClient
    │   ├── BatchNotFound       also a LookupError
    │   ├── BatchConflict, BatchEnded, BatchSealed, BatchCancelled, BatchCompleted, BatchProcessing
    │   ├── RequestConflict
    │   ├── InvalidRequest      also a ValueError
    │   ├── Unauthenticated, PermissionDenied
    │   ├── Unavailable
    │   │   └── ResourceExhausted
    │   ├── ServerError         a defect of the server
    │   ├── ServerTooOld, ClientTooOld
    │   ├── ProxyAnswered       not by the server
    │   └── ClientClosed        by another thread or task
    ├── WaitTimeout             also a TimeoutError
    ├── GrpcUnusable            also a RuntimeError
    ├── InvalidWebhook          also a ValueError
    └── ReportNotTaken, ReportsRefused, ReportsUnsent    a reporter with strict=True

A reporter without `strict` raises none of them: progress never fails a job.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchprogress.models import Batch


class ProgressError(Exception):
    """Something is wrong with the progress of a batch, never with a job."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field of a request and what is wrong with it."""

    field: str
    description: str


class CallFailed(ProgressError):
    """A call failed: the server refused it, or could not be reached.

    Attributes:
        reason: the server's reason in UPPER_SNAKE, for example `BATCH_SEALED`; if the server gave none, the
            name of the gRPC status, for example `UNAVAILABLE`.
        detail: what the server says, or gRPC if no server answered.
        batch_id: the batch that the call was about; empty if it was about none.

    """

    # Defaults, since unpickling calls it with the message alone and then sets the attributes.
    def __init__(self, message: str, *, reason: str = "", detail: str = "", batch_id: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.detail = detail
        self.batch_id = batch_id


class BatchNotFound(CallFailed, LookupError):
    """The batch does not exist: it was never created on this server, or was deleted."""


class DeliveryNotFound(CallFailed, LookupError):
    """There is no delivery with this id; deliveries are kept for 30 days after their end."""


class ResultNotFound(CallFailed, LookupError):
    """The job has no recorded result: it is pending, or it is not a job of this batch."""


class BatchConflict(CallFailed):
    """A batch of this id exists with another total, another `sealed` or another failure limit."""


class BatchEnded(CallFailed):
    """A batch of this id exists and has ended, and `create` was called with if_ended="error"."""


class BatchSealed(CallFailed):
    """The batch is sealed: its total is final."""


class BatchCancelled(CallFailed):
    """The batch is cancelled."""


class BatchCompleted(CallFailed):
    """The batch has completed and cannot be cancelled."""


class BatchProcessing(CallFailed):
    """The batch has not ended and cannot be deleted."""


class RequestConflict(CallFailed):
    """The request_id was used for this batch with another number of jobs."""


class TooManyBatches(CallFailed):
    """More matching batches are processing than one watch may have."""


class WatchTokensOff(CallFailed):
    """The server creates no watch tokens: it has no key to sign with, or requires no tokens at all."""


class InvalidRequest(CallFailed, ValueError):
    """The request breaks a rule of the contract.

    Attributes:
        violations: the fields at fault; empty if the request is invalid as a whole.

    """

    violations: Sequence[FieldViolation] = ()


class Unauthenticated(CallFailed):
    """The server asks for a token and got none, or one that it does not accept."""


class PermissionDenied(CallFailed):
    """The token does not allow this call, or not for this batch."""


class Unavailable(CallFailed):
    """No answer came in time: the server is away, overloaded, or without its database.

    Attributes:
        seconds: how long the call was tried.
        tries: how many times it was tried.
        retry_seconds: how long the server asked to wait before the next try; 0 if it did not ask.

    """

    seconds = 0.0
    tries = 1
    retry_seconds = 0.0


class ResourceExhausted(Unavailable):
    """A limit of the server or of the token was reached, and still was when the time ran out."""


class ServerError(CallFailed):
    """The server has a defect; its log holds the cause."""


class ServerTooOld(CallFailed):
    """The server does not know this call, or ignores one of its arguments: it is older than the client."""


class ClientTooOld(CallFailed):
    """The server's answer has a value that this version of the client does not know."""


class ClientClosed(CallFailed):
    """The client was closed, by another thread or task, during the call or the watch."""


class ProxyAnswered(CallFailed):
    """Not a Batch Progress server answered, but something before it: a proxy, a login page, another server.

    It is raised where the next try would be answered alike: HTTP 302, 401, 403 and 404, a page with HTTP 200,
    or UNIMPLEMENTED from another gRPC server. What may pass, such as HTTP 502 or a cut, is tried again.

    Attributes:
        http_status: what was answered; 0 if it was a gRPC status, which `reason` then has.

    """

    http_status = 0


class WaitTimeout(ProgressError, TimeoutError):
    """The batch did not end in time.

    Attributes:
        batch: the last state that was received; None if no answer came at all.

    """

    def __init__(self, message: str, batch: Batch | None = None) -> None:
        super().__init__(message)
        self.batch = batch


class GrpcUnusable(ProgressError, RuntimeError):
    """GRPC cannot be used in this process; the message says why, and what to do."""


class InvalidWebhook(ProgressError, ValueError):
    """A request is not a webhook that the holder of the secret has just sent."""


class ReportNotTaken(ProgressError):
    """A report was not taken and will never be sent.

    Attributes:
        reason: why not, in UPPER_SNAKE.

    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ReportsRefused(ProgressError):
    """The server refused reports for good.

    Attributes:
        reasons: the number of refused reports for each reason.

    """

    def __init__(self, reasons: Mapping[str, int]) -> None:
        listed = ", ".join(f"{number} x {reason}" for reason, number in reasons.items())
        super().__init__(f"reports were refused: {listed}")
        self.reasons = dict(reasons)


class ReportsUnsent(ProgressError):
    """Time ran out before every report was answered.

    Attributes:
        reports: the number of reports without an answer.

    """

    def __init__(self, reports: int) -> None:
        super().__init__(f"{reports} reports are not answered yet")
        self.reports = reports
