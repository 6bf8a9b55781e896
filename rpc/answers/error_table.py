"""The mechanism that turns errors of a service's domain into refusals; each service has its own table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from rpc.answers.refusal import Refusal


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """How the contract answers a kind of error."""

    code: grpc.StatusCode
    reason: str
    """The reason in the ErrorInfo, UPPER_SNAKE."""
    message: str = ""
    """The message for the caller. Empty: the text of the error, which then must be fit for callers."""
    retry_delay_seconds: float | None = None
    """When another try makes sense; sent as RetryInfo."""
    metadata: Callable[[Any], Mapping[str, str]] | None = None
    """Returns the ErrorInfo's metadata for an error of this class."""


ErrorTable = Mapping[type[Exception], ErrorAnswer]
"""The answers of a service by the class of the error; a subclass without an entry gets its base's."""


def refusal_of(error: Exception, table: ErrorTable) -> Refusal | None:
    """Translate an error.

    Args:
        error: what was raised.
        table: the answers of the service.

    Returns:
        The refusal to send; None for an error without an answer, which is a defect.

    """
    if isinstance(error, Refusal):
        return error
    for kind in type(error).__mro__:
        answer = table.get(kind)
        if answer is not None:
            message = answer.message or str(error)
            return Refusal(
                answer.code,
                answer.reason,
                message,
                retry_delay_seconds=answer.retry_delay_seconds,
                metadata=answer.metadata(error) if answer.metadata else None,
            )
    return None
