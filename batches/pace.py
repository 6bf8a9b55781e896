"""How fast a batch moves, when it will end, and why it has stalled. Pure.

The rate is a time-weighted average, with the weight e^(-age / window), of the jobs that end: if n jobs
end t seconds after the previous result, the rate was n / t during these t seconds. One job in ten
minutes therefore gives as correct a rate as a thousand jobs a second. The database stores the rate as
of the last result; how it fades in the silence since then is computed from that number and the
database's clock alone, so all replicas show the same rate.

A batch either moves or has a reason why it does not: the rate is 0 from the moment at which
stall_reason returns a text.
"""

import math
from datetime import datetime, timedelta

from batches.batch import Batch

RATE_WINDOW_SECONDS = 30.0
"""Long enough to smooth jobs of several seconds, short enough to follow a worker pool that is scaled up."""
FIRST_RESULTS_SECONDS_MIN = 1.0
"""The shortest time in which the first results of a batch are assumed to have ended: one group of results
tells nothing about a shorter time."""
STALL_SECONDS_MIN = 60.0
"""A batch never stalls before this much silence; by then nothing is left of the average of a fast batch."""
STALL_SECONDS_MAX = 3_600.0
"""After this much silence people want to know, however long the jobs take."""
STALL_RESULTS = 5.0
"""A batch stalls when its usual rate would have brought this many results. In a slow batch a result often
takes twice the usual time, but rarely (once in 150, if results come at random) five times."""
ESTIMATE_SECONDS_MAX = 10 * 365 * 86_400
"""An end more than ten years ahead is not a useful estimate."""

_SECONDS_PER_MINUTE = 60
_SECONDS_PER_HOUR = 3_600
_SECONDS_PER_DAY = 86_400


def rate_after(batch: Batch, jobs: int, now: datetime) -> float:
    """Return the rate to store after workers reported this many more ended jobs."""
    silent_seconds = _silent_seconds(batch, now)
    if batch.first_result_time is None:
        return jobs / max(FIRST_RESULTS_SECONDS_MIN, silent_seconds)
    # The average begins at the first results: until the window is full, its weights add up to less than 1.
    seen_seconds = FIRST_RESULTS_SECONDS_MIN + (batch.quiet_since - batch.first_result_time).total_seconds()
    earlier = batch.results_per_second * _weight_within(seen_seconds) * _weight_before(silent_seconds)
    return (earlier + jobs * _weight_of_job(silent_seconds)) / _weight_within(seen_seconds + silent_seconds)


def rate_without_results(batch: Batch, now: datetime) -> float:
    """Return the rate after the silence since the last result; 0 once the batch has stalled."""
    silent_seconds = _silent_seconds(batch, now)
    if batch.first_result_time is None or silent_seconds >= _stall_seconds(batch):
        return 0.0
    rate = batch.results_per_second
    # Computed as if a result arrived now: until the next result of a slow batch is due, its rate stays.
    return min(rate, rate * _weight_before(silent_seconds) + _weight_of_job(silent_seconds))


def jobs_per_second(batch: Batch, now: datetime) -> float:
    """Return the present rate; 0 if the batch has ended or stalled."""
    return 0.0 if batch.has_ended else rate_without_results(batch, now)


def estimated_complete_time(batch: Batch, now: datetime) -> datetime | None:
    """Return when the batch will end at its present rate; None if that cannot be estimated."""
    rate = jobs_per_second(batch, now)
    if rate <= 0.0 or not batch.sealed:
        return None
    seconds = batch.pending_jobs / rate
    return now + timedelta(seconds=seconds) if seconds <= ESTIMATE_SECONDS_MAX else None


def stall_reason(batch: Batch, now: datetime, stuck_after_seconds: float) -> str:
    """Return a text for people that says why the batch does not move; empty if it moves or has ended.

    Args:
        batch: The batch as it was read.
        now: The database's present time.
        stuck_after_seconds: The silence after which the reconciler checks a batch.

    """
    silent_seconds = _silent_seconds(batch, now)
    if batch.has_ended or silent_seconds < _stall_seconds(batch):
        return ""
    quiet = f"no result for {duration_text(silent_seconds)}"
    if batch.total_jobs == 0:
        return f"{quiet}; no jobs announced: waiting for AddJobs or SealBatch"
    if batch.pending_jobs == 0:
        return f"{quiet}; all announced jobs have ended, but the batch is not sealed: waiting for SealBatch"
    pending = f"{batch.pending_jobs:,} of {batch.total_jobs:,} jobs pending"
    if silent_seconds < stuck_after_seconds:
        return f"{quiet}; {pending}; the reconciler checks it after {duration_text(stuck_after_seconds)}"
    return f"{quiet}; {pending}; the reconciler checks it in its next pass"


def duration_text(seconds: float) -> str:
    """Return a duration for people, rounded down to its largest unit: 45 s, 14 min, 3 h, 2 d."""
    if seconds < _SECONDS_PER_MINUTE:
        return f"{seconds // 1:.0f} s"
    if seconds < _SECONDS_PER_HOUR:
        return f"{seconds // _SECONDS_PER_MINUTE:.0f} min"
    if seconds < 2 * _SECONDS_PER_DAY:
        return f"{seconds // _SECONDS_PER_HOUR:.0f} h"
    return f"{seconds // _SECONDS_PER_DAY:.0f} d"


def _silent_seconds(batch: Batch, now: datetime) -> float:
    """Return the time since the last result.

    Not below 0, although a reader's statement may have begun before the last commit, and the clock of a
    database server may be set back.
    """
    return max(0.0, (now - batch.quiet_since).total_seconds())


def _stall_seconds(batch: Batch) -> float:
    """Return the silence after which the batch has stalled."""
    if batch.first_result_time is None or batch.results_per_second <= 0.0:
        return STALL_SECONDS_MIN
    return min(STALL_SECONDS_MAX, max(STALL_SECONDS_MIN, STALL_RESULTS / batch.results_per_second))


def _weight_within(seconds: float) -> float:
    """Return the weight of the last `seconds` in an endless average."""
    return -math.expm1(-seconds / RATE_WINDOW_SECONDS)


def _weight_before(seconds: float) -> float:
    """Return the weight of everything before the last `seconds` in an endless average."""
    return math.exp(-seconds / RATE_WINDOW_SECONDS)


def _weight_of_job(seconds: float) -> float:
    """Return what one job that took `seconds` adds to the average: its rate, 1 / seconds, weighted."""
    return _weight_within(seconds) / seconds if seconds > 0.0 else 1.0 / RATE_WINDOW_SECONDS
