"""Interprets Kubernetes Jobs, without I/O. `kubernetes` documents the states in tables."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from batches.result import JobOutcome
from services.job_status.source import BatchCounts, JobStatus, QueueContradiction
from services.job_status.sources.index_sets import IndexSet, first_indexes, parse_index_set

_NUMBER = re.compile(r"\d{1,10}", re.ASCII)
"""Longer numbers are not Kubernetes' own, and Python refuses to read one of more than 4,300 digits."""
JOBS_ANNOTATION = "batchprogress.dev/jobs"
"""On each Job of a batch with several Jobs: their number."""
FAILED_INDEX = "FailedIndexes"
"""Kubernetes' reason for indexes that used up their retries. It keeps no reason for a single index."""


@dataclass(frozen=True, slots=True)
class KubernetesJob:
    """What the source reads from a Job."""

    name: str
    completions: int
    """The number of jobs in the Job; 1 if Kubernetes has no number."""
    is_indexed: bool
    succeeded: IndexSet
    """Without indexes, pods are numbered in the order of their success."""
    failed: IndexSet = field(default_factory=IndexSet)
    rest_outcome: JobOutcome | None = None
    """The outcome of all jobs without a result of their own; None (pending) until the Job has ended."""
    reason: str = ""
    """Why the Job ended with that outcome."""
    message: str = ""
    """The reason in words."""
    jobs_in_batch: int | None = None
    """The number of Jobs in the batch; None without the annotation."""
    deletes_itself: bool = False

    @property
    def lists_jobs(self) -> bool:
        """Whether the jobs have ids: several pods without an index cannot be told apart."""
        return self.is_indexed or self.completions == 1

    def outcomes(self) -> Counter[JobOutcome | None]:
        """Return the number of jobs by outcome."""
        counts: Counter[JobOutcome | None] = Counter()
        counts[JobOutcome.SUCCEEDED] += len(self.succeeded)
        counts[JobOutcome.FAILED] += len(self.failed)
        counts[self.rest_outcome] += self.completions - len(self.succeeded) - len(self.failed)
        return counts

    def status(self, index: int) -> JobStatus:
        """Return the job with an index."""
        # Not a hyphen as in the names of pods: index 1 of `a` would be the Job `a-1`. No name has a slash.
        job_id = f"{self.name}/{index}" if self.is_indexed else self.name
        if index in self.succeeded:
            return JobStatus(job_id, JobOutcome.SUCCEEDED)
        if index in self.failed:
            return JobStatus(job_id, JobOutcome.FAILED, error_type=FAILED_INDEX)
        return JobStatus(job_id, self.rest_outcome, error_type=self.reason, error_message=self.message)


def counts_of(jobs: Sequence[KubernetesJob]) -> BatchCounts:
    """Return the counts of a batch.

    Raises:
        QueueContradiction: some of the batch's Jobs are missing, or may be.

    """
    _check_complete(jobs)
    outcomes: Counter[JobOutcome | None] = Counter()
    for job in jobs:
        outcomes += job.outcomes()
    # Without the annotation more Jobs may be created. All Jobs have the same one, see _check_complete.
    may_grow = jobs[0].jobs_in_batch is None
    return BatchCounts.of(outcomes, may_grow=may_grow, lists_jobs=all(job.lists_jobs for job in jobs))


def page_of(jobs: Sequence[KubernetesJob], after: str | None, size: int) -> tuple[JobStatus, ...]:
    """Return jobs of a batch, sorted by the name of their Job, then by index.

    Args:
        jobs: the Jobs of the batch.
        after: return the jobs after this job id; None starts with the first job.
        size: the maximum number of jobs to return.

    Raises:
        QueueContradiction: some of the batch's Jobs are missing, or may be.

    """
    _check_complete(jobs)
    return tuple(islice(_statuses_after(jobs, after), size))


def _statuses_after(jobs: Sequence[KubernetesJob], after: str | None) -> Iterator[JobStatus]:
    after_name, _, after_index = (after or "").partition("/")
    for job in sorted(jobs, key=lambda job: job.name):
        if job.name >= after_name:
            start = _start(job, after_index) if job.name == after_name else 0
            yield from map(job.status, range(start, job.completions))


def _start(job: KubernetesJob, after_index: str) -> int:
    """Return the index that follows; an id without an index is the only job of a Job that is not indexed."""
    return int(after_index) + 1 if _NUMBER.fullmatch(after_index) else int(not job.is_indexed)


def _check_complete(jobs: Sequence[KubernetesJob]) -> None:
    announced = {job.jobs_in_batch for job in jobs}
    if len(announced) > 1:
        raise QueueContradiction(f"its Jobs disagree about {JOBS_ANNOTATION}")
    (number,) = announced
    if number is not None and number != len(jobs):
        raise QueueContradiction(f"it does not have as many Jobs as {JOBS_ANNOTATION} says")
    if number is None and len(jobs) > 1 and any(job.deletes_itself for job in jobs):
        raise QueueContradiction(f"its Jobs delete themselves and do not carry {JOBS_ANNOTATION}")


def parse_job(manifest: Mapping[str, Any]) -> KubernetesJob:
    """Return a Job from the manifest that the API server sends.

    Raises:
        QueueContradiction: the status contradicts itself.

    """
    metadata, spec, status = (manifest.get(part) or {} for part in ("metadata", "spec", "status"))
    is_indexed = spec.get("completionMode") == "Indexed"
    is_work_queue = spec.get("completions") is None
    # A Job without completions is one job, whose pods share a work queue of their own.
    completions = 1 if is_work_queue else int(spec["completions"])
    rest_outcome, reason, message = _end_of(status.get("conditions") or ())
    if is_indexed:
        succeeded = parse_index_set(status.get("completedIndexes"), completions)
    elif is_work_queue:
        succeeded = first_indexes(int(rest_outcome is JobOutcome.SKIPPED))  # its one job ends with the Job
    else:
        succeeded = first_indexes(status.get("succeeded") or 0)
    job = KubernetesJob(
        name=metadata["name"],
        completions=completions,
        is_indexed=is_indexed,
        succeeded=succeeded,
        failed=parse_index_set(status.get("failedIndexes"), completions),
        rest_outcome=rest_outcome,
        reason=reason,
        message=message,
        jobs_in_batch=_parse_annotation((metadata.get("annotations") or {}).get(JOBS_ANNOTATION)),
        deletes_itself=spec.get("ttlSecondsAfterFinished") is not None,
    )
    _check_consistent(job)
    return job


def _end_of(conditions: Sequence[Mapping[str, Any]]) -> tuple[JobOutcome | None, str, str]:
    """Return the outcome of the jobs without a result of their own, its reason and its message.

    SuccessCriteriaMet and FailureTarget do not end a Job: pods are still running and may succeed.
    """
    for condition in conditions:
        if condition.get("status") == "True" and condition.get("type") in {"Complete", "Failed"}:
            outcome = JobOutcome.FAILED if condition["type"] == "Failed" else JobOutcome.SKIPPED
            return outcome, str(condition.get("reason") or ""), str(condition.get("message") or "")
    return None, "", ""


def _parse_annotation(text: str | None) -> int | None:
    if text is None:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise QueueContradiction(f"{JOBS_ANNOTATION} is not a number")
    return int(text)


def _check_consistent(job: KubernetesJob) -> None:
    if job.succeeded.overlaps(job.failed) or any(number < 0 for number in job.outcomes().values()):
        raise QueueContradiction("the status of a Job contradicts itself")
