"""What a batch looks like after some time without a message: its rate fades, then it has stalled. Pure.

A stall changes nothing in a batch, so the server sends no message about it. The client works it out from the
last state and the time since then, by the server's rule (batches/pace.py). The rule is duplicated here
because workers do not install the server; a test compares the two.
"""

import math
from dataclasses import replace

from batchprogress.models import Batch

RATE_WINDOW_SECONDS = 30.0
"""The time over which the server averages the rate."""
STALL_SECONDS_MIN = 60.0
"""The server never calls a batch stalled before this time without a result."""
STALL_SECONDS_MAX = 3_600.0
"""The server calls every batch stalled after this time, even a slow one."""
STALL_RESULTS = 5.0
"""The server calls a batch stalled when this many results are missing at the usual rate."""

_SECONDS_PER_MINUTE = 60
_SECONDS_PER_HOUR = 3_600
_SECONDS_PER_DAY = 86_400


def after_silence(batch: Batch, seconds: float) -> Batch:
    """Return a batch as it is some seconds after it was received, if there was no result since.

    A batch that had stalled already stays as it is: only the server knows for how long.
    """
    if batch.has_ended or batch.stall_reason:
        return batch
    stalled = seconds >= stall_seconds(batch.jobs_per_second)
    return replace(
        batch,
        jobs_per_second=rate_after_silence(batch.jobs_per_second, seconds),
        stall_reason=f"no result for {duration_text(seconds)}" if stalled else "",
    )


def rate_after_silence(rate: float, seconds: float) -> float:
    """Return what is left of a rate in jobs per second: 0 once the batch has stalled."""
    if seconds <= 0.0:
        return rate
    if seconds >= stall_seconds(rate):
        return 0.0
    share_within = -math.expm1(-seconds / RATE_WINDOW_SECONDS)
    return min(rate, rate * (1.0 - share_within) + share_within / seconds)


def stall_seconds(rate: float) -> float:
    """Return after how many seconds without a result a batch of this rate has stalled."""
    if rate <= 0.0:
        return STALL_SECONDS_MIN
    return min(STALL_SECONDS_MAX, max(STALL_SECONDS_MIN, STALL_RESULTS / rate))


def duration_text(seconds: float) -> str:
    """Return a duration in the server's words: 45 s, 14 min, 3 h, 2 d."""
    if seconds < _SECONDS_PER_MINUTE:
        return f"{seconds // 1:.0f} s"
    if seconds < _SECONDS_PER_HOUR:
        return f"{seconds // _SECONDS_PER_MINUTE:.0f} min"
    if seconds < 2 * _SECONDS_PER_DAY:
        return f"{seconds // _SECONDS_PER_HOUR:.0f} h"
    return f"{seconds // _SECONDS_PER_DAY:.0f} d"
