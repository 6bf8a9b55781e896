"""How fast a batch moves, when it will end, and why it does not move. Pure.

The rate is an exponential average kept as one number and the time of its last change:
each group of n results adds n / window, and time fades it by e^(-seconds / window).
So every replica computes the same rate from the same row, and it fades to nothing by
itself when nothing comes in.
"""

import math
from datetime import datetime, timedelta

from batches.batch import Batch

RATE_WINDOW_SECONDS = 30.0
"""Long enough to smooth jobs of several seconds, short enough to follow a scaled-up worker pool."""
RATE_WARM_UP_SECONDS_MIN = 1.0
"""The least span a rate is computed over: the first group of a batch says nothing about a shorter one."""
RATE_SILENCE_SECONDS_MAX = 5 * RATE_WINDOW_SECONDS
"""After so long without a result less than 1 % of the average is left: the rate is 0 and no end is
estimated, instead of an end that moves away for ever."""
ESTIMATE_SECONDS_MAX = 10 * 365 * 86_400
"""An end more than ten years away is no estimate."""
STALL_SECONDS_MIN = 60.0
"""A batch of jobs that take less than a minute is quiet for a reason only after so long."""

_SECONDS_PER_MINUTE = 60
_SECONDS_PER_HOUR = 3_600
_SECONDS_PER_DAY = 86_400


def rate_after(batch: Batch, results: int, now: datetime) -> float:
    """Return the uncorrected rate of a batch after so many more results; kept in the batch."""
    return _faded(batch, now) + results / RATE_WINDOW_SECONDS


def jobs_per_second(batch: Batch, now: datetime) -> float:
    """Return the recent rate: 0 for a batch that has ended or is silent."""
    if batch.has_ended or batch.first_result_time is None:
        return 0.0
    if (now - batch.quiet_since).total_seconds() > RATE_SILENCE_SECONDS_MAX:
        return 0.0
    observed_seconds = max(RATE_WARM_UP_SECONDS_MIN, (now - batch.first_result_time).total_seconds())
    # The average starts at nothing; this share of the window has been seen so far.
    seen = 1.0 - math.exp(-observed_seconds / RATE_WINDOW_SECONDS)
    return _faded(batch, now) / seen


def estimated_complete_time(batch: Batch, now: datetime) -> datetime | None:
    """Return when the batch ends at its recent rate, None if that cannot be said."""
    rate = jobs_per_second(batch, now)
    if rate <= 0.0 or not batch.sealed:
        return None
    seconds = batch.pending_jobs / rate
    return now + timedelta(seconds=seconds) if seconds <= ESTIMATE_SECONDS_MAX else None


def stall_reason(batch: Batch, now: datetime, stuck_after_seconds: float) -> str:
    """Return why a processing batch does not move, as a sentence for a person; empty if it moves."""
    quiet_seconds = (now - batch.quiet_since).total_seconds()
    if batch.has_ended or quiet_seconds < STALL_SECONDS_MIN:
        return ""
    quiet = f"no result for {duration_text(quiet_seconds)}"
    if batch.pending_jobs == 0:
        return f"{quiet}; every job announced has ended, but the batch is not sealed: SealBatch ends it"
    pending = f"{batch.pending_jobs:,} of {batch.total_jobs:,} jobs pending"
    if quiet_seconds < stuck_after_seconds:
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


def _faded(batch: Batch, now: datetime) -> float:
    silent_seconds = max(0.0, (now - batch.quiet_since).total_seconds())
    return batch.results_per_second * math.exp(-silent_seconds / RATE_WINDOW_SECONDS)
