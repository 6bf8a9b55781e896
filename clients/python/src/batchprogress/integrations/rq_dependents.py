"""The jobs that RQ will not run, since a job that they depend on has failed or was cancelled.

RQ leaves them deferred for ever. If that job is run again by hand and succeeds, they run after all.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from rq.job import Job, JobStatus

JOBS_PER_LOOKUP = 1_000
"""Jobs are read with all that RQ keeps of them, so their number at a time is bounded."""
SKIPPED_ATTEMPT = 1
"""The attempt with which such a job is reported. Its first run is the next one, so that it wins."""


def blocked_by(job: Job, *, has_failed: bool) -> Iterator[Job]:
    """Yield the jobs that depend on a job that ended without success, and those that depend on these.

    Args:
        job: the job.
        has_failed: whether it has failed, which a dependent may allow; otherwise it was stopped or cancelled.

    Raises:
        Exception: raised by Redis or by a job that cannot be read.

    """
    known = {job.id}
    level, may_allow = [job.id], has_failed
    while level:
        below = []
        for one in _deferred_behind(job, level, known):
            if not (may_allow and one.allow_dependency_failures):
                below.append(one.id)
                yield one
        known.update(below)
        level, may_allow = below, False  # what is further down waits for a job that never ends


def _deferred_behind(job: Job, ids: Sequence[str], known: Collection[str]) -> Iterator[Job]:
    """Yield the deferred jobs that depend on a job of these ids, except known ones."""
    with job.connection.pipeline(transaction=False) as pipeline:
        for one in ids:
            pipeline.smembers(job.dependents_key_for(one))
        behind = sorted({one.decode() for one in chain.from_iterable(pipeline.execute())}.difference(known))
    for begin in range(0, len(behind), JOBS_PER_LOOKUP):
        some = behind[begin : begin + JOBS_PER_LOOKUP]
        for found in type(job).fetch_many(some, job.connection, job.serializer):
            if found is not None and found.get_status(refresh=False) == JobStatus.DEFERRED:
                yield found
