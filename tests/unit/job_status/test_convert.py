"""From what a source tells to messages."""

from dataclasses import replace

import pytest

from batches.result import JobOutcome
from batchprogress.v1 import job_status_pb2 as pb
from batchprogress.v1 import progress_pb2
from services.job_status.convert import to_batch_status, to_job_status
from services.job_status.source import BatchCounts, JobStatus, QueueContradiction

COUNTS = BatchCounts(total=15, succeeded=1, failed=2, skipped=4, pending=8, finished=False, cancelled=True)


@pytest.mark.parametrize("lists_jobs", [True, False])
def test_counts(lists_jobs: bool) -> None:  # noqa: FBT001  # a column of the table
    """Every count stands in its own field."""
    assert to_batch_status(replace(COUNTS, lists_jobs=lists_jobs)) == pb.GetBatchStatusResponse(
        total=15, succeeded=1, failed=2, skipped=4, pending=8, cancelled=True, lists_jobs=lists_jobs
    )


def test_negative_count() -> None:
    """A contradiction in numbers is told as it is."""
    counts = BatchCounts(
        total=1, succeeded=-1, failed=2, skipped=0, pending=0, finished=True, cancelled=False
    )
    assert to_batch_status(counts).succeeded == -1


def test_count_beyond_64_bits() -> None:
    """A count that the contract cannot carry is a contradiction."""
    counts = BatchCounts(
        total=2**63, succeeded=2**63, failed=0, skipped=0, pending=0, finished=True, cancelled=False
    )
    with pytest.raises(QueueContradiction):
        to_batch_status(counts)


@pytest.mark.parametrize("outcome", JobOutcome)
def test_outcome(outcome: JobOutcome) -> None:
    """An outcome keeps its name."""
    message = to_job_status(JobStatus("a", outcome))
    assert progress_pb2.JobOutcome.Name(message.outcome) == f"JOB_OUTCOME_{outcome.name}"


def test_pending() -> None:
    """A job without an outcome is pending, expressly."""
    assert to_job_status(JobStatus("a", None)).WhichOneof("status") == "pending"


@pytest.mark.parametrize("outcome", [JobOutcome.FAILED, JobOutcome.SKIPPED])
def test_error(outcome: JobOutcome) -> None:
    """An error is told with a job that ended without success, cut to what the contract carries."""
    message = to_job_status(JobStatus("a", outcome, 2, "E" * 201, "é" * 2_001))
    assert (message.attempt, message.error_type, message.error_message) == (2, "E" * 200, "é" * 2_000)


@pytest.mark.parametrize("outcome", [None, JobOutcome.SUCCEEDED])
def test_error_of_an_earlier_attempt(outcome: JobOutcome | None) -> None:
    """A job that is pending or succeeded has no error, whatever an earlier attempt left."""
    message = to_job_status(JobStatus("a", outcome, 2, "E", "why"))
    assert (message.error_type, message.error_message) == ("", "")


@pytest.mark.parametrize("job_id", ["", "a b", "ü", "a\n", "x" * 129, "\ufffd"])
def test_job_id(job_id: str) -> None:
    """An id that no worker can report is a contradiction."""
    with pytest.raises(QueueContradiction):
        to_job_status(JobStatus(job_id, None))


@pytest.mark.parametrize("attempt", [-1, 0, 2**31])
def test_attempt(attempt: int) -> None:
    """An attempt that no worker can report is a contradiction."""
    with pytest.raises(QueueContradiction):
        to_job_status(JobStatus("a", None, attempt))
