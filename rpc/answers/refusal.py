"""A gRPC error with the details that the contract promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "batchprogress"
STATUS_DETAILS_KEY = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class Violation:
    """A request field, and a sentence about what is wrong with it."""

    field: str
    description: str


class Refusal(Exception):
    """An answer other than OK. All of it may leave the server.

    Args:
        code: the status code.
        reason: the reason in the ErrorInfo, UPPER_SNAKE.
        message: a sentence for people.
        violations: the invalid fields, if any; they are sent as BadRequest.
        retry_delay_seconds: when another try makes sense; it is sent as RetryInfo.
        metadata: the metadata of the ErrorInfo.

    """

    def __init__(  # noqa: PLR0913  # options, by keyword only
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        *,
        violations: Sequence[Violation] = (),
        retry_delay_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.retry_delay_seconds = retry_delay_seconds
        self.metadata = dict(metadata or {})

    @property
    def number(self) -> int:
        """The google.rpc.Code of the status code."""
        number: int = self.code.value[0]
        return number

    def trailing_metadata(self, request_id: str = "") -> tuple[tuple[str, bytes], ...]:
        """Serialize the status of this refusal, for gRPC.

        Args:
            request_id: the id of the refused request, for its RequestInfo; empty: none is sent.

        Returns:
            The trailing metadata.

        """
        return ((STATUS_DETAILS_KEY, self.status(request_id).SerializeToString()),)

    def status(self, request_id: str = "") -> status_pb2.Status:
        """Return the google.rpc.Status of this refusal.

        Args:
            request_id: the id of the refused request, for its RequestInfo; empty: none is sent.

        Returns:
            The status, with exactly one ErrorInfo and the details that apply.

        """
        details = [error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata)]
        if self.violations:
            details.append(_bad_request(self.violations))
        if self.retry_delay_seconds is not None:
            delay = duration_pb2.Duration()
            delay.FromMicroseconds(round(self.retry_delay_seconds * 1_000_000))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        if request_id:
            details.append(error_details_pb2.RequestInfo(request_id=request_id))
        status = status_pb2.Status(code=self.number, message=self.message)
        for detail in details:
            status.details.add().Pack(detail)
        return status


def invalid_fields(violations: Sequence[Violation]) -> Refusal:
    """Return the refusal of a request with invalid fields.

    Args:
        violations: at least one.

    """
    names = ", ".join(violation.field for violation in violations)
    return Refusal(
        grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", f"invalid: {names}", violations=violations
    )


def _bad_request(violations: Sequence[Violation]) -> error_details_pb2.BadRequest:
    return error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field=one.field, description=one.description)
            for one in violations
        ]
    )
