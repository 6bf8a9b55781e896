"""The interpretation of the rows of Laravel's `job_batches`."""

import pytest

from services.job_status.source import BatchCounts, QueueContradiction
from services.job_status.sources.laravel_counts import counts_of


def _counts(*jobs: int, finished: bool = False, cancelled: bool = False) -> BatchCounts:
    total, succeeded, failed, pending = jobs
    return BatchCounts(
        total, succeeded, failed, 0, pending, finished=finished, cancelled=cancelled, lists_jobs=False
    )


SOUND = {
    "no job has ended": ((3, 3, "[]", None), _counts(3, 0, 0, 3)),
    "successes lower pending_jobs": ((1037, 7, "[]", None), _counts(1037, 1030, 0, 7)),
    "all succeeded": ((3, 0, "[]", None), _counts(3, 3, 0, 0, finished=True)),
    "a failed job stays in pending_jobs": ((3, 2, '["a"]', None), _counts(3, 1, 1, 1)),
    "all ended once only failed jobs are pending": (
        (1037, 2, '["a", "b"]', None),
        _counts(1037, 1035, 2, 0, finished=True),
    ),
    "all failed": ((2, 2, '["a", "b"]', None), _counts(2, 0, 2, 0, finished=True)),
    "a batch without jobs is not finished: they are added later": ((0, 0, "[]", None), _counts(0, 0, 0, 0)),
    "a cancelled batch without jobs": ((0, 0, "[]", 1_700_000_000), _counts(0, 0, 0, 0, cancelled=True)),
    "cancelled while jobs run": ((3, 2, "[]", 1_700_000_000), _counts(3, 1, 0, 2, cancelled=True)),
    "cancelled and all ended": (
        (3, 1, '["a"]', 1_700_000_000),
        _counts(3, 2, 1, 0, finished=True, cancelled=True),
    ),
    "cancelled_at 0 means not cancelled, as in Laravel": ((1, 1, "[]", 0), _counts(1, 0, 0, 1)),
    "a job that succeeded, then failed on a second delivery": (
        (3, 0, '["a"]', None),
        _counts(3, 3, 0, 0, finished=True),
    ),
    "a job that failed, then succeeded under the new id of Horizon's retry": (
        (3, 0, '["first-id"]', None),
        _counts(3, 3, 0, 0, finished=True),
    ),
    "a job that failed twice, under its id and that of Horizon's retry": (
        (3, 1, '["first-id", "second-id"]', None),
        _counts(3, 2, 1, 0, finished=True),
    ),
    "a job that succeeded in the end, after failures under two ids": (
        (1, 0, '["a","b"]', None),
        _counts(1, 1, 0, 0, finished=True),
    ),
    "more jobs than 32 bits count": (
        (2**31 + 3, 3, '["a"]', None),
        _counts(2**31 + 3, 2**31, 1, 2),
    ),
}


@pytest.mark.parametrize(("row", "expected"), SOUND.values(), ids=SOUND)
def test_counts_of_a_row(row: tuple[object, object, object, object], expected: BatchCounts) -> None:
    """Failed jobs are the distinct failed ids, and jobs that have ended are not pending."""
    assert counts_of(*row) == expected


IDS = {
    "NULL": (None, 0),
    "empty": ("", 0),
    "empty bytes": (b"", 0),
    "JSON null": ("null", 0),
    "an empty object": ("{}", 0),
    "a list": ('["a","b"]', 2),
    "bytes": (b'["a","b"]', 2),
    "one id twice: a retried job that failed again": ('["a","b","a"]', 2),
    "one id twice in an object": ('{"0":"a","2":"a"}', 1),
    "an object, as PHP writes a list with gaps": ('{"0":"a","2":"b"}', 2),
    "numbers": ("[1, 2, 3]", 3),
    "a number, and the same number as text": ('[1, "1"]', 1),
    "ids that differ by case": ('["a","A"]', 2),
    "escapes, as PHP writes them": ('["\\u0061", "a\\/b"]', 2),
}


@pytest.mark.parametrize(("failed_job_ids", "failed"), IDS.values(), ids=IDS)
def test_failed_ids_are_distinct_ids(failed_job_ids: object, failed: int) -> None:
    """They are read in every format that PHP writes."""
    assert counts_of(10, 10, failed_job_ids, None).failed == failed


IMPOSSIBLE = {
    "more pending jobs than jobs": ((3, 5, "[]", None), "pending_jobs is greater than total_jobs"),
    "more pending jobs than jobs, and a failed one": (
        (2, 4, '["a"]', None),
        "pending_jobs is greater than total_jobs",
    ),
    "one success counted twice": ((3, -1, "[]", None), "pending_jobs is negative"),
    "ten successes counted twice, and a failure": ((3, -10, '["a"]', None), "pending_jobs is negative"),
    "a negative total": ((-1, 0, "[]", None), "total_jobs is negative"),
}


@pytest.mark.parametrize(("row", "problem"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_numbers_that_cannot_be_true_are_a_contradiction(
    row: tuple[object, object, object, object], problem: str
) -> None:
    """They never look like a finished batch."""
    with pytest.raises(QueueContradiction, match=problem):
        counts_of(*row)


UNREADABLE = {
    "truncated JSON": (3, 3, '["a"', None),
    "PHP's serialize instead of JSON": (3, 3, 'a:1:{i:0;s:1:"a";}', None),
    "a single string": (3, 3, '"a"', None),
    "a number": (3, 3, "1", None),
    "lists in the list": (3, 3, '[["a"]]', None),
    "null in the list": (3, 3, "[null]", None),
    "bytes that are not UTF-8": (3, 3, b"\xff", None),
    "JSON nested too deeply": (3, 3, "[" * 100_000, None),
    "neither text nor bytes": (3, 3, 1.5, None),
    "a total of NULL": (None, 3, "[]", None),
    "a total in words": ("three", 3, "[]", None),
    "pending_jobs of NULL": (3, None, "[]", None),
    "half a job": (3, 1.5, "[]", None),
    "a cancellation that is not a time": (3, 3, "[]", "yesterday"),
    "a number of 5,000 digits in the list": (3, 3, f"[{'1' * 5_000}]", None),
    "true in the list": (3, 3, "[true]", None),
    "a number with a fraction in the list": (3, 3, "[1.5]", None),
}


@pytest.mark.parametrize("row", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_row_is_a_contradiction(row: tuple[object, object, object, object]) -> None:
    """It never becomes a count of 0."""
    with pytest.raises(QueueContradiction):
        counts_of(*row)
