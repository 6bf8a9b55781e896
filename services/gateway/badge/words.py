"""What a badge says of a batch, or of the error that it meets. Pure."""

from dataclasses import dataclass

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.contract.answers import Answer

LABEL_CHARACTERS_MAX = 60
"""Longer labels are cut: a badge stands within a line."""
DEFAULT_LABEL = "batch"
"""The label of an error: nothing is said of a batch that may not be seen."""
BLUE, GREEN, RED, BROWN, GREY = "#0b63b5", "#1a7f37", "#b42318", "#8a4b00", "#57606a"
"""White letters on each of these have a contrast of at least 4.5 (WCAG AA)."""
_OF_STATUS = {
    400: "invalid request",
    401: "token missing or invalid",
    403: "not allowed",
    404: "not found",
    429: "busy",
    503: "unavailable",
    504: "no answer in time",
}


@dataclass(frozen=True, slots=True)
class Words:
    """The two halves of a badge. The value says everything; the colour only repeats it."""

    label: str
    value: str
    colour: str


def of_batch(batch: pb.Batch, label: str = "") -> Words:
    """Return what a badge says of a batch.

    Args:
        batch: the batch.
        label: replaces the name of the batch.

    """
    parts = [_state(batch)]
    if batch.failed_jobs:
        parts.append(f"{batch.failed_jobs:,} failed")
    if batch.stall_reason:
        parts.append("stalled")
    return Words(_label(label or batch.display_name or batch.batch_id), ", ".join(parts), _colour(batch))


def of_error(answer: Answer, status: int, label: str = "") -> Words:
    """Return what a badge says of an error.

    Args:
        answer: the error.
        status: its HTTP status.
        label: the label that was asked for.

    """
    value = "token expired" if answer.reason == "TOKEN_EXPIRED" else _OF_STATUS.get(status, "error")
    return Words(_label(label or DEFAULT_LABEL), value, GREY)


def _state(batch: pb.Batch) -> str:
    if batch.state == pb.BATCH_STATE_COMPLETED:
        return "completed"
    if batch.state == pb.BATCH_STATE_CANCELLED:
        return "cancelled"
    return f"{batch.percent_complete} %"


def _colour(batch: pb.Batch) -> str:
    if batch.state == pb.BATCH_STATE_CANCELLED:
        return GREY
    if batch.state == pb.BATCH_STATE_COMPLETED:
        return RED if batch.failed_jobs else GREEN
    return BROWN if batch.failed_jobs or batch.stall_reason else BLUE


def _label(text: str) -> str:
    one_line = " ".join(text.split())
    if len(one_line) <= LABEL_CHARACTERS_MAX:
        return one_line
    return one_line[: LABEL_CHARACTERS_MAX - 1] + "…"
