"""How a job knows its batch, and what its id is."""

import uuid
from collections.abc import Iterator

BATCH_KEY = "batchprogress_batch_id"
"""Where a job carries the id of its batch: a header, an option or a key of its meta data."""
JOB_IDS_KEY_PREFIX = "batchprogress:jobs:"
"""Of the Redis set of a batch's jobs, from which the job-status service knows what there must be."""
JOB_IDS_SECONDS = 30 * 86_400
"""How long it is kept: as long as the reconciler keeps a batch that has ended."""


def job_ids(batch_id: str, part: str = "") -> Iterator[str]:
    """Yield the ids of a batch's jobs (or of a part of them), in their order, without end.

    They are the same whenever they are made again: a program that was killed while it enqueued a batch
    enqueues all of it again, and what has run already is counted once.
    """
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, f"batchprogress:{batch_id} {part}")
    place = 0
    while True:
        yield str(uuid.uuid5(namespace, str(place)))
        place += 1
