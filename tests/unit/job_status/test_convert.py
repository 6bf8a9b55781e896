"""The conversion of counts and jobs to messages of the contract."""

from dataclasses import replace

import pytest

from batches.result import JobOutcome
from batchprogress.v1 import job_status_pb2 as pb
from batchprogress.v1 import progress_pb2
from services.job_status.convert import to_batch_status, to_job_status
from services.job_status.source import BatchCounts, JobStatus, QueueContradiction

COUNTS = BatchCounts(total=15, succeeded=1, failed=2, skipped=4, pending=8, finished=False, cancelled=True)


@pytest.mark.parametrize("lists_jobs", [True, False])
def test_each_count_has_its_own_field(lists_jobs: bool) -> None:  # noqa: FBT001  # a column of the table
    assert to_batch_status(replace(COUNTS, lists_jobs=lists_jobs)) == pb.GetBatchStatusResponse(
        total=15, succeeded=1, failed=2, skipped=4, pending=8, cancelled=True, lists_jobs=lists_jobs
    )


@pytest.mark.parametrize("name", ["total", "succeeded", "failed", "skipped", "pending"])
def test_negative_count_is_a_contradiction_that_names_the_count(name: str) -> None:
    with pytest.raises(QueueContradiction) as caught:
        to_batch_status(replace(COUNTS, **{name: -1}))  # type: ignore[arg-type]  # one of the counts
    assert caught.value.problem == f"its {name} count is negative"


def test_batch_without_jobs_is_not_finished() -> None:
    """Laravel calls an empty batch finished, and its jobs may be added later."""
    none = BatchCounts(total=0, succeeded=0, failed=0, skipped=0, pending=0, finished=True, cancelled=False)
    assert not to_batch_status(none).finished
    assert to_batch_status(replace(none, total=1, failed=1)).finished


def test_count_beyond_64_bits_is_a_contradiction() -> None:
    counts = BatchCounts(
        total=2**63, succeeded=2**63, failed=0, skipped=0, pending=0, finished=True, cancelled=False
    )
    with pytest.raises(QueueContradiction):
        to_batch_status(counts)


@pytest.mark.parametrize("outcome", JobOutcome)
def test_outcome_keeps_its_name(outcome: JobOutcome) -> None:
    message = to_job_status(JobStatus("a", outcome))
    assert progress_pb2.JobOutcome.Name(message.outcome) == f"JOB_OUTCOME_{outcome.name}"


def test_job_without_outcome_is_explicitly_pending() -> None:
    assert to_job_status(JobStatus("a", None)).WhichOneof("status") == "pending"


@pytest.mark.parametrize("outcome", [JobOutcome.FAILED, JobOutcome.SKIPPED])
def test_error_of_an_unsuccessful_job_is_truncated(outcome: JobOutcome) -> None:
    """It is cut to the limits of the contract."""
    message = to_job_status(JobStatus("a", outcome, 2, "E" * 201, "é" * 2_001))
    assert (message.attempt, message.error_type, message.error_message) == (2, "E" * 200, "é" * 2_000)


def test_lone_surrogates_become_question_marks() -> None:
    """Python decodes a file name in Latin-1 to a surrogate, which no message can carry."""
    message = to_job_status(JobStatus("a", JobOutcome.FAILED, 1, "E\udce9", "caf\udce9.csv", "n\ud800"))
    assert (message.error_type, message.error_message, message.display_name) == ("E?", "caf?.csv", "n?")


def test_display_name_and_problem_are_truncated() -> None:
    message = to_job_status(JobStatus("a", None, display_name="é" * 201, problem="p" * 201))
    assert (message.display_name, message.problem) == ("é" * 200, "p" * 200)


def test_job_with_a_problem_is_pending() -> None:
    status = JobStatus("a", JobOutcome.FAILED, 1, "E", "why", problem="its attempt is not a number")
    message = to_job_status(status)
    assert (message.WhichOneof("status"), message.error_type) == ("pending", "")


@pytest.mark.parametrize("outcome", [None, JobOutcome.SUCCEEDED])
def test_pending_or_succeeded_job_has_no_error(outcome: JobOutcome | None) -> None:
    """An error that an earlier attempt left is dropped."""
    message = to_job_status(JobStatus("a", outcome, 2, "E", "why"))
    assert (message.error_type, message.error_message) == ("", "")


@pytest.mark.parametrize("job_id", ["", "a b", "ü", "a\n", "x" * 129, "\ufffd"])
def test_invalid_job_id_is_a_contradiction(job_id: str) -> None:
    with pytest.raises(QueueContradiction):
        to_job_status(JobStatus(job_id, None))


@pytest.mark.parametrize("attempt", [-1, 0, 2**31])
def test_invalid_attempt_is_a_contradiction(attempt: int) -> None:
    with pytest.raises(QueueContradiction):
        to_job_status(JobStatus("a", None, attempt))
