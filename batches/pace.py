"""How fast a batch moves, when it will end, and whether it has stalled. Pure.

The rate is a time-weighted average, with the weight e^(-age / window), of the jobs that end: if n jobs
end t seconds after the previous result, the rate was n / t during these t seconds. One job in ten
minutes therefore gives as correct a rate as a thousand jobs a second. The database stores the rate as
of the last result; how it fades in the silence since then is computed from that number and the
database's clock alone, so all replicas show the same rate. If that clock was set back since the last result,
nobody knows how long the silence is: the batch has no rate until its next result, and then the stored one.

A rate holds only as long as it explains the silence: a batch of a thousand results a second that has been
silent for ten seconds has no rate, although it has not stalled yet.
"""

import math
from datetime import datetime, timedelta

from batches.batch import Batch
from batches.clock import lies_ahead

RATE_WINDOW_SECONDS = 30.0
"""Long enough to smooth jobs of several seconds, short enough to follow a worker pool that is scaled up."""
FIRST_RESULTS_SECONDS_MIN = 1.0
"""The shortest time in which the first results of a batch are assumed to have ended: one group of results
tells nothing about a shorter time."""
PACE_RESULTS = 5.0
"""A rate no longer holds when it would have brought this many results. In a slow batch a result often takes
twice the usual time, but rarely (once in 150, if results come at random) five times."""
PACE_SECONDS_MIN = 10.0
"""A rate holds at least this long: a server that restarts delays results by seconds."""
STALL_SECONDS_MIN = 60.0
"""A batch never stalls before this much silence."""
STALL_SECONDS_MAX = 3_600.0
"""After this much silence people want to know, however long the jobs take."""
ESTIMATE_SECONDS_MAX = 10 * 365 * 86_400
"""An end more than ten years ahead is not a useful estimate."""


def rate_after(batch: Batch, jobs: int, now: datetime) -> float:
    """Return the rate to store after workers reported this many more ended jobs."""
    is_known = not lies_ahead(batch.quiet_since, now)
    silent_seconds = silent_seconds_of(batch, now) if is_known else 0.0
    if batch.first_result_time is None:
        return jobs / max(FIRST_RESULTS_SECONDS_MIN, silent_seconds)
    if not is_known:
        return batch.results_per_second
    # The average begins at the first results: until the window is full, its weights add up to less than 1.
    seen_seconds = FIRST_RESULTS_SECONDS_MIN + (batch.quiet_since - batch.first_result_time).total_seconds()
    earlier = batch.results_per_second * _weight_within(seen_seconds) * _weight_before(silent_seconds)
    return (earlier + jobs * _weight_of_job(silent_seconds)) / _weight_within(seen_seconds + silent_seconds)


def first_result_time_at(batch: Batch, now: datetime) -> datetime | None:
    """Return the beginning of the average by the present clock: as long ago as at the last result."""
    if batch.first_result_time is None or not lies_ahead(batch.quiet_since, now):
        return batch.first_result_time
    return now - (batch.quiet_since - batch.first_result_time)


def rate_without_results(batch: Batch, now: datetime) -> float:
    """Return the rate after the silence since the last result; 0 once it does not explain the silence."""
    silent_seconds = silent_seconds_of(batch, now)
    if silent_seconds >= _pace_seconds(batch):
        return 0.0
    rate = batch.results_per_second
    # Computed as if a result arrived now: until the next result of a slow batch is due, its rate stays.
    return min(rate, rate * _weight_before(silent_seconds) + _weight_of_job(silent_seconds))


def jobs_per_second(batch: Batch, now: datetime) -> float:
    """Return the present rate; 0 if the batch has ended or its rate does not hold."""
    return 0.0 if batch.has_ended else rate_without_results(batch, now)


def estimated_complete_time(batch: Batch, now: datetime) -> datetime | None:
    """Return when the batch will end at its present rate; None if that cannot be estimated."""
    rate = jobs_per_second(batch, now)
    if rate <= 0.0 or not batch.sealed:
        return None
    seconds = batch.pending_jobs / rate
    return now + timedelta(seconds=seconds) if seconds <= ESTIMATE_SECONDS_MAX else None


def pace_holds_seconds(batch: Batch, now: datetime) -> float | None:
    """Return for how much longer the present rate holds if no result comes; None if it is 0."""
    if jobs_per_second(batch, now) <= 0.0:
        return None
    return _pace_seconds(batch) - silent_seconds_of(batch, now)


def has_stalled(batch: Batch, now: datetime) -> bool:
    """Return whether a batch that has not ended has been silent for so long that people are told why."""
    stall_seconds = max(STALL_SECONDS_MIN, _pace_seconds(batch))
    return not batch.has_ended and silent_seconds_of(batch, now) >= stall_seconds


def silent_seconds_of(batch: Batch, now: datetime) -> float:
    """Return the time since the last result; infinite if the clock was set back since.

    Not below 0, although a reader's statement may have begun before the last commit.
    """
    if lies_ahead(batch.quiet_since, now):
        return math.inf
    return max(0.0, (now - batch.quiet_since).total_seconds())


def _pace_seconds(batch: Batch) -> float:
    """Return the silence that the rate explains; 0 for a batch without results."""
    if batch.first_result_time is None or batch.results_per_second <= 0.0:
        return 0.0
    return min(STALL_SECONDS_MAX, max(PACE_SECONDS_MIN, PACE_RESULTS / batch.results_per_second))


def _weight_within(seconds: float) -> float:
    """Return the weight of the last `seconds` in an endless average."""
    return -math.expm1(-seconds / RATE_WINDOW_SECONDS)


def _weight_before(seconds: float) -> float:
    """Return the weight of everything before the last `seconds` in an endless average."""
    return math.exp(-seconds / RATE_WINDOW_SECONDS)


def _weight_of_job(seconds: float) -> float:
    """Return what one job that took `seconds` adds to the average: its rate, 1 / seconds, weighted."""
    return _weight_within(seconds) / seconds if seconds > 0.0 else 1.0 / RATE_WINDOW_SECONDS
