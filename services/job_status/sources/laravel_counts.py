"""Interprets a row of Laravel's `job_batches`, without I/O.

The meaning of its columns (laravel/framework, src/Illuminate/Bus/DatabaseBatchRepository.php):

- `pending_jobs`: only a success lowers it, so failed jobs stay in it. Each success counts: a job that was
  delivered twice and succeeded twice lowers it twice. Jobs that were removed from the queue stay in it.
- `failed_job_ids`: the ids whose latest run failed. `queue:retry-batch` runs a job again under the same id,
  which stays here until that run succeeds. Horizon runs it again under another id; the first one stays.
- `failed_jobs`: the number of failures, not of jobs: a job that fails twice counts twice. Not read.
- `finished_at`: set by cancel() while jobs still run, and never set if failures are allowed. Not read.
- `options`: PHP's serialize(), for Laravel itself. Not read.

A job that returns early because its batch is cancelled counts as a success in Laravel, and therefore here.
"""

import json

from services.job_status.source import BatchCounts, QueueContradiction
from services.job_status.sources.columns import require_int


def counts_of(
    total_jobs: object, pending_jobs: object, failed_job_ids: object, cancelled_at: object
) -> BatchCounts:
    """Return the counts of a batch, given the column values as the database returned them.

    All jobs have ended once the only pending ones are those that failed. A batch without jobs has not been
    filled yet: Laravel creates the row first, and a program may add jobs at any time.

    Raises:
        QueueContradiction: a number is not an integer, failed_job_ids is not a list of ids in JSON, or the
            numbers cannot all be true.

    """
    total = require_int("total_jobs", total_jobs)
    unsuccessful = _unsuccessful(require_int("pending_jobs", pending_jobs), total)
    # Among more failed ids than jobs without a success, some are of jobs that succeeded under another id or
    # in another delivery, or are the second id of a job. Successes are certain: each lowered pending_jobs.
    failed = min(len(_parse_failed_ids(failed_job_ids)), unsuccessful)
    return BatchCounts(
        total=total,
        succeeded=total - unsuccessful,
        failed=failed,
        skipped=0,
        pending=unsuccessful - failed,
        finished=total > 0 and failed == unsuccessful,
        cancelled=cancelled_at is not None and require_int("cancelled_at", cancelled_at) != 0,
        lists_jobs=False,
    )


def _unsuccessful(pending_jobs: int, total: int) -> int:
    """Return how many jobs have not succeeded; numbers that cannot be true must not be hidden as 0."""
    if total < 0:
        raise QueueContradiction("total_jobs is negative")
    if pending_jobs < 0:
        raise QueueContradiction("pending_jobs is negative: Laravel counted more successes than jobs")
    if pending_jobs > total:
        raise QueueContradiction("pending_jobs is greater than total_jobs")
    return pending_jobs


def _parse_failed_ids(failed_job_ids: object) -> frozenset[str]:
    """Return the distinct ids in JSON as PHP writes it: a list, or an object if the list had gaps."""
    if failed_job_ids in (None, "", b""):
        return frozenset()
    ids = _parse_json(failed_job_ids)
    if isinstance(ids, dict):
        ids = list(ids.values())
    if ids is None:
        return frozenset()
    if not isinstance(ids, list) or not all(type(one) in (str, int) for one in ids):
        raise QueueContradiction("failed_job_ids is not a list of ids")
    return frozenset(map(str, ids))


def _parse_json(text: object) -> object:
    if not isinstance(text, str | bytes):
        raise QueueContradiction("failed_job_ids is not text")
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise QueueContradiction("failed_job_ids is not valid JSON") from error
    return parsed
