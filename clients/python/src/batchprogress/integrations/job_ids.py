"""How a job carries its batch, and which id it gets."""

import itertools
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

BATCH_KEY = "batchprogress_batch_id"
"""The name of the header, option or metadata key that carries the id of the batch."""
NAME_KEY = "batchprogress_display_name"
"""The name of the metadata key that carries what a job does, for people."""
ENQUEUED_KEY = "batchprogress_enqueued_time"
"""The name of the header that carries when the job was enqueued, in seconds since 1970."""
ATTEMPTS_BEFORE_KEY = "batchprogress_attempts_before"
"""The name of the header that counts the attempts of the task that this one replaced."""
JOB_IDS_KEY_PREFIX = "batchprogress:jobs:"
"""Prefix of the Redis set of a batch's job ids, from which the job-status service knows all its jobs."""
JOB_IDS_SECONDS = 30 * 86_400
"""How long the set is kept: as long as the reconciler keeps a batch that has ended."""


def check_job_ids(batch_id: str, ids: Sequence[str]) -> None:
    """Refuse jobs with which the batch would end at once or never.

    Raises:
        ValueError: there are no jobs, or two of them have the same id.

    """
    if not ids:
        raise ValueError(f"there are no jobs for batch {batch_id!r}: nothing was created; give at least one")
    repeated = next((one for one, number in Counter(ids).items() if number > 1), None)
    if repeated is not None:
        raise ValueError(
            f"two jobs for batch {batch_id!r} have the id {repeated!r}: nothing was created;"
            " give each job an id of its own"
        )


def keep_job_ids(redis: Any, batch_id: str, ids: Sequence[str]) -> None:
    """Add ids to the Redis set of a batch, and keep it for JOB_IDS_SECONDS from now."""
    if ids:
        with redis.pipeline() as pipeline:
            pipeline.sadd(f"{JOB_IDS_KEY_PREFIX}{batch_id}", *ids)
            pipeline.expire(f"{JOB_IDS_KEY_PREFIX}{batch_id}", JOB_IDS_SECONDS)
            pipeline.execute()


def job_ids(batch_id: str, part: str = "") -> Iterator[str]:
    """Yield the ids of the jobs of a batch, or of a part of it, without end.

    The same arguments give the same ids. A program that was killed while it enqueued a batch may enqueue all
    of it again: a job that runs twice is counted once.
    """
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, f"batchprogress:{batch_id} {part}")
    return (str(uuid.uuid5(namespace, str(place))) for place in itertools.count())
