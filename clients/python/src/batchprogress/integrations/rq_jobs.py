"""The jobs of a batch in RQ: how they carry it, how they are enqueued, and how their attempts are counted."""

from collections.abc import Iterable
from typing import Any

from rq import Queue
from rq.group import Group
from rq.job import Job
from rq.queue import EnqueueData
from rq.utils import get_call_string

from batchprogress._reporting.fields import JOB_NAME_CHARACTERS_MAX, clip
from batchprogress.integrations.job_ids import BATCH_KEY, NAME_KEY, check_job_ids, job_ids, keep_job_ids
from batchprogress.integrations.rq_dependents import SKIPPED_ATTEMPT

ATTEMPTS_FIELD = "batchprogress_attempts"
"""A field in the hash of a job, which RQ keeps as long as the job."""


def batch_of(job: Job) -> str | None:
    """Return the batch of a job."""
    return job.meta.get(BATCH_KEY)


def name_of(job: Job) -> str:
    """Return what a job does, for people; empty if a client before version 0.2 enqueued it.

    Its function is not read: RQ's worker process does not unpickle jobs, and may not be able to.
    """
    return str(job.meta.get(NAME_KEY, ""))


def fields_of(job: Job, attempt: int) -> dict[str, Any]:
    """Return the fields of every report of a job that belongs to a batch."""
    return {"batch_id": batch_of(job), "attempt": attempt, "display_name": name_of(job)}


def tagged(
    batch_id: str, jobs: Iterable[EnqueueData], part: str = "", *, describe_arguments: bool = False
) -> list[EnqueueData]:
    """Return the jobs with the batch, an id and a name each.

    Raises:
        ValueError: there are none, or two have the same id.

    """
    tagged = [
        job._replace(
            job_id=job.job_id or job_id,
            meta={
                **(job.meta or {}),
                BATCH_KEY: batch_id,
                NAME_KEY: _name_in(job, with_arguments=describe_arguments),
            },
        )
        for job, job_id in zip(jobs, job_ids(batch_id, part), strict=False)
    ]
    check_job_ids(batch_id, [one.job_id for one in tagged])
    return tagged


def _name_in(job: EnqueueData, *, with_arguments: bool) -> str:
    name = job.func
    if not isinstance(name, str):
        kind = name if hasattr(name, "__qualname__") else type(name)
        name = f"{kind.__module__}.{kind.__qualname__}"
    if with_arguments:
        name = get_call_string(name, job.args or (), job.kwargs or {}) or name
    return clip(name, JOB_NAME_CHARACTERS_MAX)


def enqueue(queue: Queue, batch_id: str, tagged: list[EnqueueData]) -> list[Job]:
    """Enqueue the jobs of a batch, those with a dependency last and deferred.

    Their ids are saved before a job can run: RQ removes a job from its Group minutes after it succeeded.
    """
    redis = queue.connection
    keep_job_ids(redis, batch_id, [one.job_id for one in tagged])
    group = Group(redis, batch_id)
    jobs: list[Job] = []
    if others := [one for one in tagged if not one.depends_on]:
        jobs = group.enqueue_many(queue, others)
    if dependent := [one for one in tagged if one.depends_on]:
        # Not by the group: in its one transaction no dependency is seen, so that all of them would run.
        jobs += queue.enqueue_many(dependent, group_id=batch_id)
        redis.sadd(group.key, *(one.job_id for one in dependent))
        redis.sadd(group.REDIS_GROUP_KEY, batch_id)
    return jobs


def count_attempt(job: Job) -> int:
    """Count a run of a job and return its number."""
    if job.dependency_ids:  # it may have been reported as skipped before this run
        job.connection.hsetnx(job.key, ATTEMPTS_FIELD, SKIPPED_ATTEMPT)
    return int(job.connection.hincrby(job.key, ATTEMPTS_FIELD, 1))


def attempt_of(job: Job) -> int:
    """Return the number of the running attempt; call it before RQ may delete the job.

    A job whose worker died before it had started the job fails in its first attempt: the next run is another.
    """
    if not batch_of(job):
        return 1
    number = job.connection.hget(job.key, ATTEMPTS_FIELD)
    return count_attempt(job) if number is None else int(number)
