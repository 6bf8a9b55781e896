"""How fast a batch moves, when it will end, and why it does not move. Pure.

The rate is an average over time, weighted by e^(-age / window), of the jobs that ended: n of
them t seconds after the result before are n / t a second for these t seconds. So one job in
ten minutes is a rate as right as a thousand a second. It is kept as one number as of the last
result, and what silence makes of it is computed from the row and the database's time alone:
every replica says the same.

Either a batch moves, or there is a reason why not: the rate is 0 from the moment on at
which stall_reason speaks.
"""

import math
from datetime import datetime, timedelta

from batches.batch import Batch

RATE_WINDOW_SECONDS = 30.0
"""Long enough to smooth jobs of several seconds, short enough to follow a scaled-up worker pool."""
FIRST_RESULTS_SECONDS_MIN = 1.0
"""The least span the first results of a batch are taken to have come in: a group says nothing about a
shorter one."""
STALL_SECONDS_MIN = 60.0
"""A batch is quiet for a reason only after so long, and nothing is left then of the average of a fast one."""
STALL_SECONDS_MAX = 3_600.0
"""After so long a person wants to know of it, however long the jobs take."""
STALL_RESULTS = 5.0
"""A batch stalls when so many results would have come at its usual rate: of a slow one a result may well
take twice its usual time, and hardly ever (once in 150 if they come by chance) five times."""
ESTIMATE_SECONDS_MAX = 10 * 365 * 86_400
"""An end more than ten years away is no estimate."""

_SECONDS_PER_MINUTE = 60
_SECONDS_PER_HOUR = 3_600
_SECONDS_PER_DAY = 86_400


def rate_after(batch: Batch, jobs: int, now: datetime) -> float:
    """Return the rate of a batch after workers reported so many more jobs; kept in the batch."""
    silent_seconds = _silent_seconds(batch, now)
    if batch.first_result_time is None:
        return jobs / max(FIRST_RESULTS_SECONDS_MIN, silent_seconds)
    # The average starts at the first results: the weights of what was seen since then do not yet add up to 1.
    seen_seconds = FIRST_RESULTS_SECONDS_MIN + (batch.quiet_since - batch.first_result_time).total_seconds()
    earlier = batch.results_per_second * _share_within(seen_seconds) * _share_before(silent_seconds)
    return (earlier + jobs * _share_of_each(silent_seconds)) / _share_within(seen_seconds + silent_seconds)


def rate_without_results(batch: Batch, now: datetime) -> float:
    """Return the rate of a batch as silence has left it: 0 once it has stalled."""
    silent_seconds = _silent_seconds(batch, now)
    if batch.first_result_time is None or silent_seconds >= _stall_seconds(batch):
        return 0.0
    rate = batch.results_per_second
    # As if a result came just now: of a slow batch the next one is not due yet, and nothing has changed.
    return min(rate, rate * _share_before(silent_seconds) + _share_of_each(silent_seconds))


def jobs_per_second(batch: Batch, now: datetime) -> float:
    """Return the recent rate: 0 for a batch that has ended or stalled."""
    return 0.0 if batch.has_ended else rate_without_results(batch, now)


def estimated_complete_time(batch: Batch, now: datetime) -> datetime | None:
    """Return when the batch ends at its recent rate, None if that cannot be said."""
    rate = jobs_per_second(batch, now)
    if rate <= 0.0 or not batch.sealed:
        return None
    seconds = batch.pending_jobs / rate
    return now + timedelta(seconds=seconds) if seconds <= ESTIMATE_SECONDS_MAX else None


def stall_reason(batch: Batch, now: datetime, stuck_after_seconds: float) -> str:
    """Return why a processing batch does not move, as a sentence for a person; empty if it moves."""
    silent_seconds = _silent_seconds(batch, now)
    if batch.has_ended or silent_seconds < _stall_seconds(batch):
        return ""
    quiet = f"no result for {duration_text(silent_seconds)}"
    if batch.total_jobs == 0:
        return f"{quiet}; no job was announced yet: it waits for AddJobs or SealBatch"
    if batch.pending_jobs == 0:
        return f"{quiet}; every job announced has ended, but the batch is not sealed: it waits for SealBatch"
    pending = f"{batch.pending_jobs:,} of {batch.total_jobs:,} jobs pending"
    if silent_seconds < stuck_after_seconds:
        return f"{quiet}; {pending}; the reconciler looks at it after {duration_text(stuck_after_seconds)}"
    return f"{quiet}; {pending}; the reconciler looks at it at the next pass"


def duration_text(seconds: float) -> str:
    """Return a duration for people: 45 s, 14 min, 3 h, 2 d."""
    if seconds < _SECONDS_PER_MINUTE:
        return f"{seconds // 1:.0f} s"
    if seconds < _SECONDS_PER_HOUR:
        return f"{seconds // _SECONDS_PER_MINUTE:.0f} min"
    if seconds < 2 * _SECONDS_PER_DAY:
        return f"{seconds // _SECONDS_PER_HOUR:.0f} h"
    return f"{seconds // _SECONDS_PER_DAY:.0f} d"


def _silent_seconds(batch: Batch, now: datetime) -> float:
    """Not below 0: a reader's statement may have begun before the last commit."""
    return max(0.0, (now - batch.quiet_since).total_seconds())


def _stall_seconds(batch: Batch) -> float:
    """After how much silence the batch does not move any more."""
    if batch.first_result_time is None or batch.results_per_second <= 0.0:
        return STALL_SECONDS_MIN
    return min(STALL_SECONDS_MAX, max(STALL_SECONDS_MIN, STALL_RESULTS / batch.results_per_second))


def _share_within(seconds: float) -> float:
    """Return the weight of the last so many seconds in an average that has run for ever."""
    return -math.expm1(-seconds / RATE_WINDOW_SECONDS)


def _share_before(seconds: float) -> float:
    """Return the weight of all before them."""
    return math.exp(-seconds / RATE_WINDOW_SECONDS)


def _share_of_each(seconds: float) -> float:
    """Return what one job adds to the average that came in so many seconds: 1 / seconds, weighted."""
    return _share_within(seconds) / seconds if seconds > 0.0 else 1.0 / RATE_WINDOW_SECONDS
