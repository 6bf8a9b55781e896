"""What this package raises. A reporter raises none of it unless it is strict: progress never fails a job."""

from collections.abc import Mapping


class ProgressError(Exception):
    """Something is wrong with the progress of a batch, never with a job."""


class ReportNotTaken(ProgressError):
    """A report was not even taken, for a reason in UPPER_SNAKE; it will never be sent."""

    def __init__(self, reason: str, message: str) -> None:
        """Hold the reason and a sentence."""
        super().__init__(message)
        self.reason = reason


class ReportsRefused(ProgressError):
    """The server refused reports for good; `reasons` tells how many for which reason."""

    def __init__(self, reasons: Mapping[str, int]) -> None:
        """Hold how many reports were refused for each reason."""
        told = ", ".join(f"{number} x {reason}" for reason, number in reasons.items())
        super().__init__(f"reports were refused: {told}")
        self.reasons = dict(reasons)


class ReportsUnsent(ProgressError):
    """Time ran out before every report was answered; `reports` tells how many were not."""

    def __init__(self, reports: int) -> None:
        """Hold how many reports are unanswered."""
        super().__init__(f"{reports} reports are not answered yet")
        self.reports = reports


class BatchNotChanged(ProgressError):
    """A batch was not created, extended or sealed, for a reason in UPPER_SNAKE: the server's or no answer."""

    def __init__(self, reason: str, message: str) -> None:
        """Hold the reason and a sentence."""
        super().__init__(message)
        self.reason = reason


class BatchNotFound(ProgressError, LookupError):
    """The server knows no batch of this id: it was never created there, or was deleted."""

    def __init__(self, batch_id: str) -> None:
        """Hold the id."""
        super().__init__(f"there is no batch {batch_id!r}")
        self.batch_id = batch_id
