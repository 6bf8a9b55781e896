"""Finds the jobs that RQ will not run because of what they depend on, without I/O. `rq` has the rule."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.job_status.sources.unreadable import Unreadable

DEFERRED = b"deferred"
FIELDS = ("status", "dependency_ids", "allow_dependency_failures")
"""The fields of a job's hash that are read of a deferred job, and of what it depends on."""
LEVELS_MAX = 50
"""How far from a job the one without success may be. Each level takes another round trip to Redis."""

_NEVER_SUCCEEDS = (b"canceled", b"stopped")
_FAILED = b"failed"


@dataclass(frozen=True, slots=True)
class Dependent:
    """A job and what it depends on."""

    status: bytes | None
    """None if RQ has deleted the job, or its key holds another type of value."""
    dependencies: tuple[str, ...] = ()
    """The ids of the jobs that it waits for; empty unless it is deferred."""
    allows_failure: bool = False


def parse_dependent(fields: Sequence[bytes | None] | None) -> Dependent:
    """Return a job from the values of FIELDS.

    Raises:
        Unreadable: what it depends on is not a list of ids.

    """
    status, dependency_ids, allows_failure = fields or (None, None, None)
    if status != DEFERRED:
        return Dependent(status)
    return Dependent(status, _parse_ids(dependency_ids), allows_failure not in (None, b"", b"0"))


def _parse_ids(text: bytes | None) -> tuple[str, ...]:
    try:
        ids = json.loads(text or b"[]")
    except (ValueError, RecursionError) as error:
        raise Unreadable("its dependencies are not JSON") from error
    if not isinstance(ids, list) or not all(isinstance(one, str) and one.isprintable() for one in ids):
        raise Unreadable("its dependencies are not a list of ids")
    return tuple(ids)


def never_run(jobs: Mapping[str, Dependent]) -> frozenset[str]:
    """Return the ids of the deferred jobs that RQ will not run.

    Args:
        jobs: deferred jobs and all that they depend on, up to LEVELS_MAX levels.

    """
    never = {job_id for job_id, job in jobs.items() if _is_blocked_directly(job, jobs)}
    level = never
    for _ in range(LEVELS_MAX - 1):
        level = {
            job_id
            for job_id, job in jobs.items()
            if job_id not in never and not level.isdisjoint(job.dependencies)
        }
        if not level:
            break
        never = never | level
    return frozenset(never)


def _is_blocked_directly(job: Dependent, jobs: Mapping[str, Dependent]) -> bool:
    statuses = {jobs[one].status for one in job.dependencies if one in jobs}
    return not statuses.isdisjoint(_NEVER_SUCCEEDS) or (_FAILED in statuses and not job.allows_failure)
