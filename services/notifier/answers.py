"""What an answer to a webhook means for its delivery. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from batches.delivery import AttemptResult, ClaimedDelivery, DeliveryState
from services.notifier.schedule import RETRY_SECONDS, retry_seconds

GONE = "answered 410 Gone: the receiver wants no more"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back."""

    status: int
    retry_after_seconds: float = 0.0
    """What the receiver asked for; 0 if it did not."""

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more."""
        return self.status == HTTPStatus.GONE

    @property
    def text(self) -> str:
        """The status as a sentence; nothing else of the answer, which may be of an internal server."""
        try:
            return f"answered {self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"answered {self.status}"


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why nothing came back, as a sentence."""

    reason: str


def result_of(
    delivery: ClaimedDelivery,
    answer: HttpAnswer | NoAnswer,
    draw: Callable[[], float],
    schedule: tuple[float, ...] = RETRY_SECONDS,
) -> AttemptResult:
    """Return what becomes of a delivery.

    Args:
        delivery: the delivery that was tried.
        answer: what came back.
        draw: returns a random number from 0 to 1.
        schedule: the waits after each attempt.

    """
    asked_seconds = 0.0
    if isinstance(answer, NoAnswer):
        text = answer.reason
    elif answer.is_gone:
        return AttemptResult(delivery, DeliveryState.DEAD, GONE)
    else:
        text, asked_seconds = answer.text, answer.retry_after_seconds
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return AttemptResult(delivery, DeliveryState.DELIVERED, text)
    wait = retry_seconds(delivery.attempts, asked_seconds, draw, schedule)
    if wait is None:
        return AttemptResult(delivery, DeliveryState.DEAD, text)
    return AttemptResult(delivery, DeliveryState.PENDING, text, wait)
