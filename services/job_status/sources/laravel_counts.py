"""Interprets a row of Laravel's `job_batches`, without I/O.

The meaning of its columns (laravel/framework, src/Illuminate/Bus/DatabaseBatchRepository.php):

- `pending_jobs`: only a success lowers it, so failed jobs stay in it.
- `failed_job_ids`: the jobs that are failed now; a retry that succeeds is removed.
- `failed_jobs`: the number of failures, not of jobs: a job that fails twice counts twice. Not read.
- `finished_at`: set by cancel() while jobs still run, and never set if failures are allowed. Not read.

A job that returns early because its batch is cancelled counts as a success in Laravel, and therefore here.
"""

import json

from services.job_status.source import BatchCounts, QueueContradiction
from services.job_status.sources.columns import require_int


def counts_of(
    total_jobs: object, pending_jobs: object, failed_job_ids: object, cancelled_at: object
) -> BatchCounts:
    """Return the counts of a batch, given the column values as the database returned them.

    All jobs have ended once the only pending ones are those that failed. Numbers that contradict each other
    result in a negative count.

    Raises:
        QueueContradiction: a number is not an integer, or failed_job_ids is not a list of ids in JSON.

    """
    total = require_int("total_jobs", total_jobs)
    failed = len(_parse_failed_ids(failed_job_ids))
    pending = _pending(require_int("pending_jobs", pending_jobs), failed)
    return BatchCounts(
        total=total,
        succeeded=total - failed - pending,
        failed=failed,
        skipped=0,
        pending=pending,
        finished=pending == 0,
        cancelled=bool(cancelled_at),
        lists_jobs=False,
    )


def _pending(pending_jobs: int, failed: int) -> int:
    """Return how many jobs have not ended.

    More failed jobs than pending ones is not a contradiction: a job that is delivered twice may succeed and
    then fail. A negative number is one (more successes than jobs), and must not be hidden as 0.
    """
    return pending_jobs if pending_jobs < 0 else max(0, pending_jobs - failed)


def _parse_failed_ids(failed_job_ids: object) -> frozenset[str]:
    """Return the distinct ids in JSON as PHP writes it: a list, or an object if the list had gaps."""
    if failed_job_ids in (None, "", b""):
        return frozenset()
    ids = _parse_json(failed_job_ids)
    if isinstance(ids, dict):
        ids = list(ids.values())
    if ids is None:
        return frozenset()
    if not isinstance(ids, list) or not all(isinstance(one, str | int) for one in ids):
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
