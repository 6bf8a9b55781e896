"""The interpretation of Kubernetes Jobs."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batches.result import JobOutcome
from services.job_status.convert import to_job_status
from services.job_status.source import JobStatus, QueueContradiction
from services.job_status.sources.kubernetes_jobs import (
    JOBS_ANNOTATION,
    counts_of,
    page_of,
    parse_job,
)

SUCCEEDED, FAILED, SKIPPED = JobOutcome.SUCCEEDED, JobOutcome.FAILED, JobOutcome.SKIPPED


def manifest(name: str = "job", *, spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """Return a Job as the API server sends it, by default an Indexed Job with five indexes."""
    indexed = {"completions": 5, "completionMode": "Indexed", "parallelism": 5}
    return {"metadata": {"name": name}, "spec": indexed if spec is None else spec, "status": status}


def ended(kind: str, reason: str) -> list[dict[str, str]]:
    """Return the conditions of a Job that has ended; the last one has the reason."""
    return [
        {"type": "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget", "status": "True"},
        {"type": kind, "status": "True", "reason": reason, "message": "words"},
    ]


SUSPENDED = [{"type": "Suspended", "status": "True", "reason": "JobSuspended"}]
NOT_INDEXED = {"completions": 5, "completionMode": "NonIndexed"}
WORK_QUEUE = {"parallelism": 3}

# succeeded, failed, skipped, pending
ANSWERS: dict[str, tuple[dict[str, Any], tuple[int, int, int, int]]] = {
    "just created": (manifest(), (0, 0, 0, 5)),
    "some indexes succeeded": (manifest(completedIndexes="0,2-3", active=2), (3, 0, 0, 2)),
    "an index used up its retries": (manifest(completedIndexes="0", failedIndexes="1"), (1, 1, 0, 3)),
    "a failed pod is retried": (manifest(failed=4, active=1), (0, 0, 0, 5)),
    "suspended": (manifest(completedIndexes="0", conditions=SUSPENDED), (1, 0, 0, 4)),
    "a condition that is not true": (
        manifest(conditions=[{**ended("Failed", "DeadlineExceeded")[1], "status": "False"}]),
        (0, 0, 0, 5),
    ),
    "resumed": (manifest(conditions=[{**SUSPENDED[0], "status": "False"}]), (0, 0, 0, 5)),
    "about to end, pods still running": (
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
    "failed by backoffLimit": (
        manifest(completedIndexes="0", conditions=ended("Failed", "BackoffLimitExceeded")),
        (1, 4, 0, 0),
    ),
    "failed by activeDeadlineSeconds": (
        manifest(conditions=ended("Failed", "DeadlineExceeded")),
        (0, 5, 0, 0),
    ),
    "failed by podFailurePolicy": (
        manifest(completedIndexes="0-2", failedIndexes="3", conditions=ended("Failed", "PodFailurePolicy")),
        (3, 2, 0, 0),
    ),
    "scaled down": (manifest(completedIndexes="0-9"), (5, 0, 0, 0)),
    "not indexed": (manifest(spec=NOT_INDEXED, succeeded=2, failed=7), (2, 0, 0, 3)),
    "not indexed and failed": (
        manifest(spec=NOT_INDEXED, succeeded=2, conditions=ended("Failed", "BackoffLimitExceeded")),
        (2, 3, 0, 0),
    ),
    "a running work queue": (manifest(spec=WORK_QUEUE, succeeded=1, active=2), (0, 0, 0, 1)),
    "a completed work queue": (
        manifest(spec=WORK_QUEUE, succeeded=3, conditions=ended("Complete", "CompletionsReached")),
        (1, 0, 0, 0),
    ),
    "zero completions": (manifest(spec={"completions": 0, "completionMode": "Indexed"}), (0, 0, 0, 0)),
}


@pytest.mark.parametrize(("job", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_state_of_a_job_determines_its_counts(
    job: dict[str, Any], expected: tuple[int, int, int, int]
) -> None:
    counts = counts_of([parse_job(job)])
    assert (counts.succeeded, counts.failed, counts.skipped, counts.pending) == expected
    assert counts.total == sum(expected)
    assert not counts.cancelled


@pytest.mark.parametrize("job", [job for job, _ in ANSWERS.values()], ids=ANSWERS)
def test_listing_matches_the_counts(job: dict[str, Any]) -> None:
    jobs = [parse_job(job)]
    counts = counts_of(jobs)
    outcomes = [status.outcome for status in page_of(jobs, None, 100)]
    if counts.lists_jobs:
        assert [outcomes.count(one) for one in (SUCCEEDED, FAILED, SKIPPED, None)] == [
            *(counts.succeeded, counts.failed, counts.skipped, counts.pending)
        ]
    else:
        assert job["spec"] == NOT_INDEXED


def test_job_of_an_indexed_job_has_an_id_and_an_error() -> None:
    """The id consists of the Job's name and the index."""
    job = manifest(
        "sync", completedIndexes="0", failedIndexes="1", conditions=ended("Failed", "DeadlineExceeded")
    )
    assert page_of([parse_job(job)], None, 3) == (
        JobStatus("sync/0", SUCCEEDED),
        JobStatus("sync/1", FAILED, error_type="FailedIndexes"),
        JobStatus("sync/2", FAILED, error_type="DeadlineExceeded", error_message="words"),
    )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_pages_list_every_job_once(size: int) -> None:
    """Their ids differ, even if a Job's name looks like another Job's name with an index."""
    plain = [parse_job(manifest(name, spec=WORK_QUEUE)) for name in ("a-2", "b-4", "c-2")]
    jobs = [parse_job(manifest(name)) for name in ("a", "a-1", "b")] + plain
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


COMPLETE = [
    [_of_batch("a", None)],
    [_of_batch("a", "1", ttlSecondsAfterFinished=60)],
    [_of_batch("a", None, ttlSecondsAfterFinished=60)],
    [_of_batch("a", "2", ttlSecondsAfterFinished=60), _of_batch("b", "2")],
    [_of_batch("a", None), _of_batch("b", None)],
]
INCOMPLETE = [
    [_of_batch("a", "2")],
    [_of_batch("a", "2"), _of_batch("b", "3")],
    [_of_batch("a", "2"), _of_batch("b", None)],
    [_of_batch("a", None), _of_batch("b", None, ttlSecondsAfterFinished=60)],
    [_of_batch("a", "1"), _of_batch("b", "1")],
]


@pytest.mark.parametrize("jobs", COMPLETE)
def test_complete_batch_is_counted(jobs: list[dict[str, Any]]) -> None:
    assert counts_of([parse_job(one) for one in jobs]).total == len(jobs)


@pytest.mark.parametrize("number", [None, "1"])
def test_only_a_batch_with_the_annotation_is_finished(number: str | None) -> None:
    """Without it more Jobs may be created."""
    job = _of_batch("a", number)
    assert not counts_of([parse_job(job)]).finished
    job["status"] = {"succeeded": 1, "conditions": ended("Complete", "CompletionsReached")}
    assert counts_of([parse_job(job)]).finished == (number is not None)


@pytest.mark.parametrize("jobs", INCOMPLETE)
def test_possibly_incomplete_batch_is_a_contradiction(jobs: list[dict[str, Any]]) -> None:
    """The remaining Jobs never count as the whole batch."""
    with pytest.raises(QueueContradiction):
        counts_of([parse_job(one) for one in jobs])


@pytest.mark.parametrize(
    "job",
    [
        manifest(completedIndexes="0-2", failedIndexes="2"),
        manifest(completedIndexes="2,1"),
        manifest(spec=NOT_INDEXED, succeeded=6),
        _of_batch("a", "several"),
    ],
)
def test_status_that_contradicts_itself_is_a_contradiction(job: dict[str, Any]) -> None:
    with pytest.raises(QueueContradiction):
        parse_job(job)


ANNOTATIONS = ["", "one", "-1", "1.0", "\u0661", "9" * 11, "9" * 5_000]


@pytest.mark.parametrize("number", ANNOTATIONS)
def test_annotation_that_is_not_a_number_is_a_contradiction(number: str) -> None:
    """Python refuses to read a number of more than 4,300 digits."""
    with pytest.raises(QueueContradiction, match="is not a number"):
        parse_job(_of_batch("a", number))


@pytest.mark.parametrize("index", ["9" * 5_000, "\u0661", "x"])
def test_page_after_an_index_that_no_job_has_is_answered(index: str) -> None:
    """Callers may make up the key of a page."""
    page_of([parse_job(manifest("a"))], f"a/{index}", 10)


TEXTS = st.text(st.characters(codec=None), max_size=30)


@settings(max_examples=50, deadline=None)
@given(annotation=TEXTS, indexes=TEXTS | st.from_regex(r"[0-9,-]{0,30}", fullmatch=True), words=TEXTS)
def test_any_manifest_is_read_or_a_contradiction(annotation: str, indexes: str, words: str) -> None:
    """A reason and a message may be any text."""
    conditions = [{"type": "Failed", "status": "True", "reason": words, "message": words}]
    job = manifest(completedIndexes=indexes, failedIndexes=indexes[3:], conditions=conditions)
    job["metadata"]["annotations"] = {JOBS_ANNOTATION: annotation}
    with suppress(QueueContradiction):
        for status in page_of([parse_job(job)], None, 10):
            to_job_status(status)
