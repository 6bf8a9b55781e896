"""Errors with the details that the contract promises, written without googleapis-common-protos."""

from collections.abc import Sequence

import grpc
from google.protobuf.any_pb2 import Any

from batchprogress._grpc.status_details import DOMAIN, STATUS_DETAILS_KEY
from batchprogress.errors import FieldViolation
from batchprogress.v1 import progress_pb2 as pb

_SEVEN_BITS = 0x7F


class Refused(Exception):
    """An answer other than OK.

    Args:
        code: the status code.
        reason: the reason in the ErrorInfo, UPPER_SNAKE.
        message: a sentence for people.
        violations: the invalid fields, if any.

    """

    def __init__(
        self, code: grpc.StatusCode, reason: str, message: str, violations: Sequence[FieldViolation] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.violations = tuple(violations)

    @property
    def number(self) -> int:
        """The google.rpc.Code of the status code."""
        number: int = self.code.value[0]
        return number

    def as_error(self) -> pb.ReportError:
        """Return the error of one of many reports."""
        violations = [
            pb.FieldViolation(field=one.field, description=one.description) for one in self.violations
        ]
        return pb.ReportError(
            code=self.number, reason=self.reason, message=str(self), field_violations=violations
        )

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """Return the google.rpc.Status for the end of a call."""
        details = [_packed("ErrorInfo", _text(1, self.reason) + _text(2, DOMAIN))]
        if self.violations:
            violations = [_text(1, one.field) + _text(2, one.description) for one in self.violations]
            details.append(_packed("BadRequest", b"".join(_bytes(1, one) for one in violations)))
        status = b"\x08" + _varint(self.number) + _text(2, str(self))
        return ((STATUS_DETAILS_KEY, status + b"".join(_bytes(3, one) for one in details)),)


def _packed(name: str, value: bytes) -> bytes:
    return Any(type_url=f"type.googleapis.com/google.rpc.{name}", value=value).SerializeToString()


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode())


def _bytes(number: int, value: bytes) -> bytes:
    """Return a field with its tag and its length, as protobuf writes it."""
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > _SEVEN_BITS:
        written.append(number & _SEVEN_BITS | _SEVEN_BITS + 1)
        number >>= 7
    return bytes([*written, number])
