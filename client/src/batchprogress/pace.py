"""What silence makes of a batch: the server's rule (its batches/pace.py), for who has got no message since.

A stall changes nothing in a batch, so no message tells of it. The state that was received last, and the time
since then, tell the same. It stands here again because workers install no package of the server, and the
server's rules know no protobuf; a test holds the two against each other. Pure.
"""

import math

from batchprogress.v1 import progress_pb2 as pb

RATE_WINDOW_SECONDS = 30.0
"""The server's: what its average forgets in."""
STALL_SECONDS_MIN = 60.0
"""The server's: before, a batch is not called stalled."""
STALL_SECONDS_MAX = 3_600.0
"""The server's: after it, it is, however slow it was."""
STALL_RESULTS = 5.0
"""The server's: so many results have not come at the usual rate."""

_SECONDS_PER_MINUTE = 60
_SECONDS_PER_HOUR = 3_600
_SECONDS_PER_DAY = 86_400


def after_silence(batch: pb.Batch, seconds: float) -> pb.Batch:
    """Return a batch as it is so many seconds after it was received, if nothing has come since.

    Its rate fades, then it is stalled, as `stall_reason` says. One that had stalled already keeps the
    server's words: for how long, only the server knows.
    """
    if batch.state != pb.BATCH_STATE_PROCESSING or batch.stall_reason:
        return batch
    aged = pb.Batch()
    aged.CopyFrom(batch)
    aged.jobs_per_second = rate_after_silence(batch.jobs_per_second, seconds)
    if seconds >= stall_seconds(batch.jobs_per_second):
        aged.stall_reason = f"no result for {duration_text(seconds)}"
    return aged


def rate_after_silence(rate: float, seconds: float) -> float:
    """Return what is left of a rate: 0 once the batch has stalled."""
    if seconds <= 0.0:
        return rate
    if seconds >= stall_seconds(rate):
        return 0.0
    share_within = -math.expm1(-seconds / RATE_WINDOW_SECONDS)
    return min(rate, rate * (1.0 - share_within) + share_within / seconds)


def stall_seconds(rate: float) -> float:
    """Return after how much silence a batch of this rate has stalled."""
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
