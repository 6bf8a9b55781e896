"""A batch in one line: percent, bar, counts, rate and time left, or since when there was no result. Pure.

The server says for how much longer a rate holds if no result arrives. So a client needs neither the server's
clock nor its rule, and shows what is so while the server is away, too.
"""

from dataclasses import replace

from batchprogress.models import Batch, CancelReason

BAR_CHARACTERS = 24
"""The width of the bar: with the numbers it fits into 80 columns."""
TWO_DIGIT_RATE = 10
"""From this rate on, in jobs per second, a decimal place would only flicker."""
NO_RESULT_SECONDS_MIN = 10.0
"""A batch without a rate says since when there was no result after this time: sooner it would flicker."""
PACE_SECONDS_DEFAULT = 60.0
"""How long a rate is shown if the server does not say how long it holds: servers of 0.1 show it that long."""

_SECONDS_PER_MINUTE = 60
_SECONDS_PER_HOUR = 3_600
_SECONDS_PER_DAY = 86_400


def held(batch: Batch, seconds: float) -> Batch:
    """Return a batch as it may be shown some seconds after it was received: without an expired rate."""
    if batch.jobs_per_second <= 0:
        return batch
    holds = PACE_SECONDS_DEFAULT if batch.pace_holds_for is None else batch.pace_holds_for.total_seconds()
    return batch if seconds < holds else replace(batch, jobs_per_second=0.0, estimated_complete_time=None)


def line_of(batch: Batch, silent_seconds: float = 0.0) -> str:
    """Return a batch in one line: percent, bar, counts, failed, skipped, rate, time left, state."""
    return ", ".join([head_of(batch), *tail_of(batch, silent_seconds)])


def head_of(batch: Batch) -> str:
    """Return percent, bar and counts."""
    full = "█" * (BAR_CHARACTERS * batch.percent_complete // 100)
    return f"{batch.percent_complete:3} % {full:░<{BAR_CHARACTERS}} {counts_of(batch)}"


def counts_of(batch: Batch) -> str:
    """Return how many of how many jobs have ended."""
    return f"{batch.ended_jobs:,}/{batch.total_jobs:,}"


def tail_of(batch: Batch, silent_seconds: float = 0.0) -> list[str]:
    """Return what follows the counts: failed, skipped, then rate and time left, or the stall, or the end."""
    parts = [f"{batch.failed_jobs:,} failed"] if batch.failed_jobs else []
    parts += [f"{batch.skipped_jobs:,} skipped"] if batch.skipped_jobs else []
    if batch.has_ended:
        return [*parts, end_of(batch)]
    if not batch.sealed and not batch.pending_jobs and not batch.stall_reason:
        parts.append("not sealed: jobs may be added")  # otherwise nothing explains 99 %
    return [*parts, *pace_of(batch, silent_seconds)]


def end_of(batch: Batch) -> str:
    """Return the state of a batch, and why it was cancelled if nobody asked for that."""
    if batch.cancel_reason is CancelReason.QUEUE:
        return f"{batch.state} in the queue"
    if batch.cancel_reason is CancelReason.FAILURE_LIMIT:
        return f"{batch.state}: more than {limit_of(batch)} failed"
    return batch.state


def limit_of(batch: Batch) -> str:
    """Return how many jobs may fail; empty if any number may."""
    if batch.max_failed_percent is not None:
        return f"{batch.max_failed_percent} % of the jobs"
    if batch.max_failed_jobs is None:
        return ""
    return f"{batch.max_failed_jobs:,} {'job' if batch.max_failed_jobs == 1 else 'jobs'}"


def pace_of(batch: Batch, silent_seconds: float = 0.0) -> list[str]:
    """Return rate and time left, or why the batch stalls, or since when there was no result.

    Args:
        batch: the batch, without a rate that has expired.
        silent_seconds: how long no result has arrived, as far as the client knows.

    """
    if batch.stall_reason:
        return [batch.stall_reason]
    if batch.jobs_per_second <= 0:
        is_silent = silent_seconds >= NO_RESULT_SECONDS_MIN
        return [f"no result for {rounded_duration(silent_seconds)}"] if is_silent else []
    rate = f"{batch.jobs_per_second:,.{0 if batch.jobs_per_second >= TWO_DIGIT_RATE else 1}f}/s"
    if not batch.sealed:
        return [rate]
    return [rate, f"{duration_of(round(batch.pending_jobs / batch.jobs_per_second))} left"]


def duration_of(seconds: int) -> str:
    """Return 4:07 or 1:06:40."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def rounded_duration(seconds: float) -> str:
    """Return a duration in the server's words: 45 s, 14 min, 3 h, 2 d."""
    if seconds < _SECONDS_PER_MINUTE:
        return f"{seconds // 1:.0f} s"
    if seconds < _SECONDS_PER_HOUR:
        return f"{seconds // _SECONDS_PER_MINUTE:.0f} min"
    if seconds < 2 * _SECONDS_PER_DAY:
        return f"{seconds // _SECONDS_PER_HOUR:.0f} h"
    return f"{seconds // _SECONDS_PER_DAY:.0f} d"
