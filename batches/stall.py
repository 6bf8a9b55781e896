"""Why a batch has stalled: what is pending, and what the reconciler found when it last looked. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from batches import pace
from batches.batch import Batch
from batches.clock import lies_ahead
from batches.look import LastLook

PERIODS_MAX = 2
"""A pass may be late or fail once; after two periods without one, nobody looks at stalled batches."""

_SECONDS_PER_MINUTE = 60
_SECONDS_PER_HOUR = 3_600
_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class ReconcilerRules:
    """When the reconciler runs, and at which batches it looks; in seconds."""

    stuck_after_seconds: float
    """The silence after which it looks at a batch."""
    period_seconds: float
    """The time between two passes."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the reconciler left in the database."""

    look: LastLook | None
    """The newest look at the batch."""
    last_pass_time: datetime | None
    """When the newest pass over all batches ended, or began if it still runs; None if there was none."""


def stall_reason(batch: Batch, now: datetime, rules: ReconcilerRules, findings: Findings | None) -> str:
    """Return a text for people that says why the batch does not move; empty if it has not stalled.

    Args:
        batch: The batch as it was read.
        now: The database's present time.
        rules: The settings of the reconciler.
        findings: What the reconciler found; None leaves it out.

    """
    if not pace.has_stalled(batch, now):
        return ""
    parts = [_silence(batch, now), _lacking(batch)]
    if findings is not None:
        parts += _found(batch, now, rules, findings)
    return "; ".join(parts)


def duration_text(seconds: float) -> str:
    """Return a duration for people, rounded down to its largest unit: 45 s, 14 min, 3 h, 2 d."""
    if seconds < _SECONDS_PER_MINUTE:
        return f"{seconds // 1:.0f} s"
    if seconds < _SECONDS_PER_HOUR:
        return f"{seconds // _SECONDS_PER_MINUTE:.0f} min"
    if seconds < 2 * _SECONDS_PER_DAY:
        return f"{seconds // _SECONDS_PER_HOUR:.0f} h"
    return f"{seconds // _SECONDS_PER_DAY:.0f} d"


def _silence(batch: Batch, now: datetime) -> str:
    if lies_ahead(batch.quiet_since, now):
        return "no result since the database's clock was set back"
    return f"no result for {duration_text(pace.silent_seconds_of(batch, now))}"


def _lacking(batch: Batch) -> str:
    if batch.total_jobs == 0:
        return "it has no jobs: add some, or seal it if there are none"
    if batch.pending_jobs == 0:
        return "all its jobs have ended, but it is not sealed: seal it if no more are added"
    return f"{batch.pending_jobs:,} of {batch.total_jobs:,} jobs pending"


def _found(batch: Batch, now: datetime, rules: ReconcilerRules, findings: Findings) -> Iterator[str]:
    look = findings.look if findings.look and findings.look.is_newer_than(batch, now) else None
    if look is not None:
        # A reason may have several parts; the first one says what is pending.
        first, semicolon, rest = look.reason.partition("; ")
        unchanged = _unchanged(look, now)
        yield f"looked at {_ago(look.look_time, now)}: {first}{unchanged}{semicolon}{rest}"
    # A pass over one batch leaves a look, but is not noted as a pass.
    seen = max((time for time in (findings.last_pass_time, look and look.look_time) if time), default=None)
    if seen is None:
        yield "no reconciler has run"
    elif (now - seen).total_seconds() > PERIODS_MAX * rules.period_seconds:
        yield f"no reconciler has run since {seen:%Y-%m-%d %H:%M} UTC"
    elif look is None and pace.silent_seconds_of(batch, now) < rules.stuck_after_seconds:
        yield f"the reconciler looks at it after {duration_text(rules.stuck_after_seconds)}"
    elif look is None and lies_ahead(seen, now):
        yield "not looked at since"
    elif look is None:
        yield f"not looked at yet; the reconciler last ran {_ago(seen, now)}"


def _unchanged(look: LastLook, now: datetime) -> str:
    """Return since when the queue has told the same; empty if the newest look is the only one that did."""
    if look.unchanged_since is None or look.pending_time != look.look_time:
        return ""
    if look.unchanged_since == look.look_time:
        return ""
    return f", unchanged for {duration_text((now - look.unchanged_since).total_seconds())}"


def _ago(time: datetime, now: datetime) -> str:
    return f"{duration_text(max(0.0, (now - time).total_seconds()))} ago"
