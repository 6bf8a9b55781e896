"""A reporter that keeps its reports."""

from batchprogress._reporting.buffer import Report
from batchprogress._reporting.cancelled_batches import CancelledBatches
from batchprogress._reporting.job import Cancelled
from batchprogress._reporting.report_methods import ReportMethods
from batchprogress.errors import ReportNotTaken
from batchprogress.v1 import progress_pb2 as pb

SUCCEEDED, FAILED, SKIPPED = pb.JOB_OUTCOME_SUCCEEDED, pb.JOB_OUTCOME_FAILED, pb.JOB_OUTCOME_SKIPPED


class Collected(ReportMethods):
    """Keeps reports instead of sending them."""

    def __init__(
        self, *, strict: bool = False, cancelled: Cancelled = "pending", error_details: bool = True
    ) -> None:
        super().__init__(
            "b", CancelledBatches(), strict=strict, cancelled=cancelled, error_details=error_details
        )
        self.all: list[Report] = []
        self.dropped: list[str] = []

    @property
    def reported(self) -> list[tuple[str, int, int]]:
        """The job, outcome and attempt of each report."""
        return [(one.job_id, one.outcome, one.attempt) for one in self.all]

    def _enqueue(self, report: Report) -> None:
        self.all.append(report)

    def _drop(self, error: ReportNotTaken) -> None:
        self.dropped.append(error.reason)
