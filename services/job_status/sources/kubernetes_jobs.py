"""What a Kubernetes Job says of its jobs, without any API server. The table of answers is in `kubernetes`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from batches.result import JobOutcome
from services.job_status.source import BatchCounts, JobStatus, QueueContradiction
from services.job_status.sources.index_sets import IndexSet, parsed_index_set

JOBS_ANNOTATION = "batchprogress.dev/jobs"
"""On each Job of a batch of several: how many they are."""
FAILED_INDEX = "FailedIndexes"
"""Kubernetes' own word for indexes that used up their retries; of a single one it keeps no reason."""


@dataclass(frozen=True, slots=True)
class KubernetesJob:
    """What is read of a Job."""

    name: str
    completions: int
    """How many jobs it stands for; 1 where Kubernetes has no number."""
    is_indexed: bool
    succeeded: IndexSet | int
    failed: IndexSet = field(default_factory=IndexSet)
    rest: JobOutcome | None = None
    """What became of the others: pending, until the Job has ended."""
    reason: str = ""
    message: str = ""
    """Why it ended so."""
    batch_jobs: int | None = None
    """How many Jobs the batch has, if it says so."""
    deletes_itself: bool = False

    @property
    def lists_jobs(self) -> bool:
        """Whether its jobs have ids: pods without an index are one as good as another."""
        return self.is_indexed or self.completions == 1

    def outcomes(self) -> Counter[JobOutcome | None]:
        """Count its jobs by outcome."""
        succeeded = self.succeeded if isinstance(self.succeeded, int) else len(self.succeeded)
        counts: Counter[JobOutcome | None] = Counter()
        counts[JobOutcome.SUCCEEDED] += succeeded
        counts[JobOutcome.FAILED] += len(self.failed)
        counts[self.rest] += self.completions - succeeded - len(self.failed)
        return counts

    def status(self, index: int) -> JobStatus:
        """Return one of its jobs, by its index."""
        done = index in self.succeeded if isinstance(self.succeeded, IndexSet) else index < self.succeeded
        # Not `-`, as in the names of pods: index 1 of `a` would be the Job `a-1`. No name has a slash.
        job_id = f"{self.name}/{index}" if self.is_indexed else self.name
        if done:
            return JobStatus(job_id, JobOutcome.SUCCEEDED)
        if index in self.failed:
            return JobStatus(job_id, JobOutcome.FAILED, error_type=FAILED_INDEX)
        return JobStatus(job_id, self.rest, error_type=self.reason, error_message=self.message)


def counts_of(jobs: Sequence[KubernetesJob]) -> BatchCounts:
    """Return the counts of a batch.

    Raises:
        QueueContradiction: some of its Jobs are gone, or may be: what is left says nothing of the batch.

    """
    _check_whole(jobs)
    outcomes: Counter[JobOutcome | None] = Counter()
    for job in jobs:
        outcomes += job.outcomes()
    # Only the annotation says how many Jobs there will be: without it another one may still be made.
    may_grow = any(job.batch_jobs is None for job in jobs)
    return BatchCounts.of(outcomes, may_grow=may_grow, lists_jobs=all(job.lists_jobs for job in jobs))


def page_of(jobs: Sequence[KubernetesJob], after: str | None, size: int) -> tuple[JobStatus, ...]:
    """Return at most so many jobs after a job id, by the names of the Jobs and then by index."""
    _check_whole(jobs)
    return tuple(islice(_after(jobs, after), size))


def _after(jobs: Sequence[KubernetesJob], after: str | None) -> Iterator[JobStatus]:
    after_name, _, after_index = (after or "").partition("/")
    for job in sorted(jobs, key=lambda one: one.name):
        if job.name >= after_name:
            yield from map(job.status, range(_begin(job, after_name, after_index), job.completions))


def _begin(job: KubernetesJob, after_name: str, after_index: str) -> int:
    """Return the first of its jobs after an id; one without an index is all of a Job that is not indexed."""
    if job.name != after_name:
        return 0
    return int(after_index) + 1 if after_index.isdecimal() else int(not job.is_indexed)


def _check_whole(jobs: Sequence[KubernetesJob]) -> None:
    announced = {job.batch_jobs for job in jobs}
    if len(announced) > 1:
        raise QueueContradiction(f"its Jobs differ in {JOBS_ANNOTATION}")
    (number,) = announced
    if number is not None and number != len(jobs):
        raise QueueContradiction(f"it has {len(jobs)} of the Jobs that {JOBS_ANNOTATION} tells of")
    if number is None and len(jobs) > 1 and any(job.deletes_itself for job in jobs):
        raise QueueContradiction(
            f"its Jobs delete themselves, and {JOBS_ANNOTATION} does not tell their number"
        )


def job_of(manifest: Mapping[str, Any]) -> KubernetesJob:
    """Read a Job as the API server writes it.

    Raises:
        QueueContradiction: what its status says cannot be.

    """
    metadata, spec, status = (manifest.get(part) or {} for part in ("metadata", "spec", "status"))
    is_indexed = spec.get("completionMode") == "Indexed"
    completions = spec.get("completions")
    rest, reason, message = _end_of(status.get("conditions") or ())
    # Without a number of completions it is one job, whose pods share a work queue of their own.
    end = 1 if completions is None else int(completions)
    job = KubernetesJob(
        name=metadata["name"],
        completions=end,
        is_indexed=is_indexed,
        succeeded=parsed_index_set(status.get("completedIndexes"), end)
        if is_indexed
        else _succeeded(status.get("succeeded") or 0, rest, is_one=completions is None),
        failed=parsed_index_set(status.get("failedIndexes"), end),
        rest=rest,
        reason=reason,
        message=message,
        batch_jobs=_number_of_jobs((metadata.get("annotations") or {}).get(JOBS_ANNOTATION)),
        deletes_itself=spec.get("ttlSecondsAfterFinished") is not None,
    )
    _check(job)
    return job


def _end_of(conditions: Sequence[Mapping[str, Any]]) -> tuple[JobOutcome | None, str, str]:
    """Return what became of the jobs without a result of their own, why, and that in words.

    SuccessCriteriaMet and FailureTarget are no end yet: pods still run, and may still succeed.
    """
    for condition in conditions:
        if condition.get("status") == "True" and condition.get("type") in {"Complete", "Failed"}:
            outcome = JobOutcome.FAILED if condition["type"] == "Failed" else JobOutcome.SKIPPED
            return outcome, str(condition.get("reason") or ""), str(condition.get("message") or "")
    return None, "", ""


def _succeeded(pods: int, rest: JobOutcome | None, *, is_one: bool) -> int:
    """Return the jobs that succeeded; a work queue's are one, which ends with the Job."""
    return int(rest is JobOutcome.SKIPPED) if is_one else pods


def _number_of_jobs(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal():
        raise QueueContradiction(f"{JOBS_ANNOTATION} is no number")
    return int(text)


def _check(job: KubernetesJob) -> None:
    both = isinstance(job.succeeded, IndexSet) and job.succeeded.meets(job.failed)
    if both or any(number < 0 for number in job.outcomes().values()):
        raise QueueContradiction("a Job's results are none that it can have")
