"""What a row of Laravel's `job_batches` says, without any database.

What its columns mean (laravel/framework, src/Illuminate/Bus/DatabaseBatchRepository.php):

- `pending_jobs` is lowered by a success only, so failed jobs stay in it;
- `failed_job_ids` holds the jobs that are failed now: a retry that succeeds is taken out;
- `failed_jobs` counts failures, not jobs: a job that fails twice counts twice. It is not read;
- `finished_at` is set by cancel() while jobs still run, and never with allowed failures. It is not read;
- a job that returns at once because the batch is cancelled is a success to Laravel, so it is to us.
"""

import json

from services.job_status.source import BatchCounts, QueueContradiction
from services.job_status.sources.numbers import whole_number


def counts_of(
    total_jobs: object, pending_jobs: object, failed_job_ids: object, cancelled_at: object
) -> BatchCounts:
    """Return the counts of a row, given as the database returned it.

    All jobs have ended once none but failed ones are pending. Numbers that contradict each other come
    out as a negative count.

    Raises:
        QueueContradiction: a number is none, or the failed jobs are no JSON.

    """
    total = whole_number("total_jobs", total_jobs)
    failed = len(_failed_ids(failed_job_ids))
    pending = _pending(whole_number("pending_jobs", pending_jobs), failed)
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
    """Return the jobs that have not ended.

    A job delivered twice may succeed and then fail: more failed ids than pending jobs is no
    contradiction. More successes than jobs is one, and must not be hidden as 0.
    """
    return pending_jobs if pending_jobs < 0 else max(0, pending_jobs - failed)


def _failed_ids(failed_job_ids: object) -> frozenset[str]:
    """Return the distinct ids in JSON as PHP writes it: a list, or an object where the list had gaps."""
    if failed_job_ids is None or failed_job_ids in ("", b""):
        return frozenset()
    ids = _parse(failed_job_ids)
    if isinstance(ids, dict):
        ids = list(ids.values())
    if ids is None:
        return frozenset()
    if not isinstance(ids, list) or not all(isinstance(one, str | int) for one in ids):
        raise QueueContradiction("failed_job_ids is no list of ids")
    return frozenset(map(str, ids))


def _parse(text: object) -> object:
    if not isinstance(text, str | bytes):
        raise QueueContradiction("failed_job_ids is no text")
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise QueueContradiction("failed_job_ids is no JSON") from error
    return parsed
