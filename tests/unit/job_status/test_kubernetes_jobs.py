"""What a Job says of its jobs."""

from typing import Any

import pytest

from batches.result import JobOutcome
from services.job_status.source import JobStatus, QueueContradiction
from services.job_status.sources.kubernetes_jobs import (
    JOBS_ANNOTATION,
    counts_of,
    job_of,
    page_of,
)

S, F, K = JobOutcome.SUCCEEDED, JobOutcome.FAILED, JobOutcome.SKIPPED


def manifest(name: str = "job", *, spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """Return a Job as the API server writes it; indexed with five indexes unless the spec says else."""
    indexed = {"completions": 5, "completionMode": "Indexed", "parallelism": 5}
    return {"metadata": {"name": name}, "spec": indexed if spec is None else spec, "status": status}


def ended(kind: str, reason: str) -> list[dict[str, str]]:
    """Return conditions, the last of which says that and why a Job ended."""
    return [
        {"type": "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget", "status": "True"},
        {"type": kind, "status": "True", "reason": reason, "message": "words"},
    ]


SUSPENDED = [{"type": "Suspended", "status": "True", "reason": "JobSuspended"}]
COUNTED = {"completions": 5, "completionMode": "NonIndexed"}
WORK_QUEUE = {"parallelism": 3}

# succeeded, failed, skipped, pending
ANSWERS: dict[str, tuple[dict[str, Any], tuple[int, int, int, int]]] = {
    "just made": (manifest(), (0, 0, 0, 5)),
    "some indexes done": (manifest(completedIndexes="0,2-3", active=2), (3, 0, 0, 2)),
    "an index used up its retries": (manifest(completedIndexes="0", failedIndexes="1"), (1, 1, 0, 3)),
    "a pod failed and is tried again": (manifest(failed=4, active=1), (0, 0, 0, 5)),
    "suspended": (manifest(completedIndexes="0", conditions=SUSPENDED), (1, 0, 0, 4)),
    "resumed": (manifest(conditions=[{**SUSPENDED[0], "status": "False"}]), (0, 0, 0, 5)),
    "its end is near, pods still run": (
        manifest(completedIndexes="0", conditions=ended("Failed", "BackoffLimitExceeded")[:1]),
        (1, 0, 0, 4),
    ),
    "complete": (
        manifest(completedIndexes="0-4", conditions=ended("Complete", "CompletionsReached")),
        (5, 0, 0, 0),
    ),
    "complete by a successPolicy": (
        manifest(completedIndexes="0", conditions=ended("Complete", "SuccessPolicy")),
        (1, 0, 4, 0),
    ),
    "too many retries": (
        manifest(completedIndexes="0", conditions=ended("Failed", "BackoffLimitExceeded")),
        (1, 4, 0, 0),
    ),
    "too late": (manifest(conditions=ended("Failed", "DeadlineExceeded")), (0, 5, 0, 0)),
    "failed by podFailurePolicy": (
        manifest(completedIndexes="0-2", failedIndexes="3", conditions=ended("Failed", "PodFailurePolicy")),
        (3, 2, 0, 0),
    ),
    "scaled down": (manifest(completedIndexes="0-9"), (5, 0, 0, 0)),
    "counted": (manifest(spec=COUNTED, succeeded=2, failed=7), (2, 0, 0, 3)),
    "counted and failed": (
        manifest(spec=COUNTED, succeeded=2, conditions=ended("Failed", "BackoffLimitExceeded")),
        (2, 3, 0, 0),
    ),
    "a work queue": (manifest(spec=WORK_QUEUE, succeeded=1, active=2), (0, 0, 0, 1)),
    "a work queue that is empty": (
        manifest(spec=WORK_QUEUE, succeeded=3, conditions=ended("Complete", "CompletionsReached")),
        (1, 0, 0, 0),
    ),
    "no completions wanted": (manifest(spec={"completions": 0, "completionMode": "Indexed"}), (0, 0, 0, 0)),
}


@pytest.mark.parametrize(("job", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_counts(job: dict[str, Any], expected: tuple[int, int, int, int]) -> None:
    """Each situation of a Job has one answer, and its jobs add up."""
    counts = counts_of([job_of(job)])
    assert (counts.succeeded, counts.failed, counts.skipped, counts.pending) == expected
    assert counts.total == sum(expected)
    assert not counts.cancelled


@pytest.mark.parametrize("job", [job for job, _ in ANSWERS.values()], ids=ANSWERS)
def test_list_is_as_the_counts(job: dict[str, Any]) -> None:
    """Where jobs are listed, they are as many of each outcome as counted."""
    jobs = [job_of(job)]
    counts = counts_of(jobs)
    outcomes = [status.outcome for status in page_of(jobs, None, 100)]
    if counts.lists_jobs:
        assert [outcomes.count(one) for one in (S, F, K, None)] == [
            *(counts.succeeded, counts.failed, counts.skipped, counts.pending)
        ]
    else:
        assert job["spec"] == COUNTED


def test_jobs() -> None:
    """A job of an Indexed Job is called by Job and index, and tells why it failed."""
    job = manifest(
        "sync", completedIndexes="0", failedIndexes="1", conditions=ended("Failed", "DeadlineExceeded")
    )
    assert page_of([job_of(job)], None, 3) == (
        JobStatus("sync/0", S),
        JobStatus("sync/1", F, error_type="FailedIndexes"),
        JobStatus("sync/2", F, error_type="DeadlineExceeded", error_message="words"),
    )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_pages(size: int) -> None:
    """Pages of any size hold every job once under an id of its own, also of Jobs whose names look alike."""
    plain = [job_of(manifest(name, spec=WORK_QUEUE)) for name in ("a-2", "b-4", "c-2")]
    jobs = [job_of(manifest(name)) for name in ("a", "a-1", "b")] + plain
    found: list[str] = []
    key = None
    while True:
        page = page_of(jobs, key, size)
        if not page:
            break
        found += [status.job_id for status in page]
        key = page[-1].job_id
    indexed = [f"{name}/{index}" for name in ("a", "a-1", "b") for index in range(5)]
    assert sorted(found) == sorted([*indexed, "a-2", "b-4", "c-2"])
    assert len(found) == len(set(found)) == counts_of(jobs).total


def _of_batch(name: str, number: str | None, **spec: int) -> dict[str, Any]:
    job = manifest(name, spec={"completions": 1, **spec})
    job["metadata"]["annotations"] = {} if number is None else {JOBS_ANNOTATION: number}
    return job


WHOLE = [
    [_of_batch("a", None)],
    [_of_batch("a", "1", ttlSecondsAfterFinished=60)],
    [_of_batch("a", None, ttlSecondsAfterFinished=60)],
    [_of_batch("a", "2", ttlSecondsAfterFinished=60), _of_batch("b", "2")],
    [_of_batch("a", None), _of_batch("b", None)],
]
NOT_WHOLE = [
    [_of_batch("a", "2")],
    [_of_batch("a", "2"), _of_batch("b", "3")],
    [_of_batch("a", "2"), _of_batch("b", None)],
    [_of_batch("a", None), _of_batch("b", None, ttlSecondsAfterFinished=60)],
    [_of_batch("a", "1"), _of_batch("b", "1")],
]


@pytest.mark.parametrize("jobs", WHOLE)
def test_whole_batch(jobs: list[dict[str, Any]]) -> None:
    """A batch whose Jobs are all there is counted."""
    assert counts_of([job_of(one) for one in jobs]).total == len(jobs)


@pytest.mark.parametrize("number", [None, "1"])
def test_end_of_a_batch(number: str | None) -> None:
    """Only who has announced how many Jobs the batch has says that it is finished: else one more may come."""
    job = _of_batch("a", number)
    assert not counts_of([job_of(job)]).finished
    job["status"] = {"succeeded": 1, "conditions": ended("Complete", "CompletionsReached")}
    assert counts_of([job_of(job)]).finished == (number is not None)


@pytest.mark.parametrize("jobs", NOT_WHOLE)
def test_part_of_a_batch(jobs: list[dict[str, Any]]) -> None:
    """What is left of a batch, or may be only that, is a contradiction and never the batch."""
    with pytest.raises(QueueContradiction):
        counts_of([job_of(one) for one in jobs])


@pytest.mark.parametrize(
    "job",
    [
        manifest(completedIndexes="0-2", failedIndexes="2"),
        manifest(completedIndexes="2,1"),
        manifest(spec=COUNTED, succeeded=6),
        _of_batch("a", "several"),
    ],
)
def test_impossible(job: dict[str, Any]) -> None:
    """A status that cannot be is a contradiction."""
    with pytest.raises(QueueContradiction):
        job_of(job)
