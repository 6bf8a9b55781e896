"""Takes reports from the threads of jobs in microseconds; the sender makes them into messages later.

    job's thread ──▶ put ──▶ inbox ──▶ move_to: the sender, or whoever needs to know all reports
         └──────────▶ enqueue ────────▶ outbox

A job's thread appends to a deque, which needs no lock, and wakes the sender only if it waits for reports.
Other reports go to the outbox at once: those that may have to be refused (the buffer is half full, or the
reporter is strict), those that a spool keeps, failures, and the first one, which starts the sender.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress

from batchprogress._grpc.error_text import message_of
from batchprogress._reporting.fields import to_report
from batchprogress._reporting.outbox import Outbox
from batchprogress.errors import ReportNotTaken
from batchprogress.v1 import progress_pb2 as pb

INBOX_REPORTS_MAX = 500
"""Reports that wait to be made into messages, which takes a millisecond. The next one moves them all."""

Fields = tuple[pb.JobOutcome.ValueType, str, str, int, str]
"""The outcome, the job, the batch, the attempt and the name of the job."""


class Inbox:
    """Holds reports without an error. Only `put` is called without the lock of the sender.

    Args:
        wake: wakes the sender; called without a lock.
        reports_max: how many reports the buffer behind it holds.

    """

    def __init__(self, wake: Callable[[], None], reports_max: int) -> None:
        self._wake = wake
        # It is open while the buffer is less than half full, so that all that is in it has room there.
        self._reports_max = min(INBOX_REPORTS_MAX, reports_max // 2)
        self._fields: deque[Fields] = deque()
        self.is_open = False
        """Whether `put` takes reports."""
        self.wakes = False
        """Whether `put` wakes the sender."""

    @property
    def has_reports(self) -> bool:
        """Whether a report waits here."""
        return bool(self._fields)

    def put(
        self, outcome: pb.JobOutcome.ValueType, job_id: str, batch_id: str, attempt: int, display_name: str
    ) -> bool:
        """Take a report; return False if it has to go through the outbox. Fields are checked later."""
        if not self.is_open or len(self._fields) >= self._reports_max:
            return False
        self._fields.append((outcome, job_id, batch_id, attempt, display_name))
        if self.wakes:
            self._wake()
        return True

    def move_to(self, outbox: Outbox) -> None:
        """Move the reports to the outbox, which counts those that are invalid or came after its end."""
        with suppress(IndexError):  # a signal handler that reports may move some meanwhile
            while self._fields:
                _move(self._fields.popleft(), outbox)


def _move(fields: Fields, outbox: Outbox) -> None:
    try:
        report = to_report(*fields)
    except (TypeError, ValueError, AttributeError) as mistake:  # for example an integer as job_id
        outbox.drop("INVALID_FIELD", message_of(mistake))
        return
    with suppress(ReportNotTaken):  # it is counted
        outbox.enqueue(report)
