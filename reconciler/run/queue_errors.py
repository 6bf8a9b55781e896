"""Why a batch was left when its queue gave no usable answer. Pure."""

from collections.abc import Mapping

from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import ReasonKind
from reconciler.queue.port import (
    QueueAccessDenied,
    QueueBatchUnknown,
    QueueContradiction,
    QueueError,
    QueueFault,
    QueueTimeout,
    QueueUnavailable,
)

_REASONS: Mapping[type[QueueError], NotRepairedReason] = {
    QueueBatchUnknown: NotRepairedReason.UNKNOWN_TO_QUEUE,
    QueueUnavailable: NotRepairedReason.QUEUE_UNAVAILABLE,
    QueueTimeout: NotRepairedReason.TIMED_OUT,
    QueueAccessDenied: NotRepairedReason.ACCESS_DENIED,
    QueueFault: NotRepairedReason.QUEUE_FAULT,
    QueueContradiction: NotRepairedReason.CONTRADICTION,
}


def left_by(error: QueueError) -> NotRepaired:
    """Return the decision that follows from an error of the queue."""
    reason = next(reason for kind, reason in _REASONS.items() if isinstance(error, kind))
    return NotRepaired.because(reason, ReasonKind.QUEUE_ERROR, str(error))
