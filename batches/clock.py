"""What is believed of the database's clock, which may be set back and may jump ahead. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

AHEAD_SECONDS_MAX = 10.0
"""How far a stored time may lie ahead of the clock: a read may have begun before the last commit, and the
clocks of the nodes of a cluster differ. If it lies further ahead, the clock was set back afterwards."""

JUMP_SECONDS_MIN = 90_000.0
"""The time between two passes from which on it is not believed: 25 hours, more than that of a reconciler that
runs once a day. A clock that jumps by less deletes batches at most that much too early."""


def lies_ahead(time: datetime, now: datetime) -> bool:
    """Return whether the clock was set back since a time was stored, so that its age is unknown."""
    return (time - now).total_seconds() > AHEAD_SECONDS_MAX


@dataclass(frozen=True, slots=True)
class ClockJump:
    """How far the clock has gone ahead without passes that show that this time has passed."""

    seconds: float
    time: datetime
    """When that was found, by the clock after the jump."""


@dataclass(frozen=True, slots=True)
class PassTime:
    """When a pass began, and what is not believed of that time."""

    start_time: datetime
    jump: ClockJump | None = None

    def deletes_before(self, retention_seconds: float) -> datetime:
        """Return when a batch must have ended for the pass to delete it.

        A jump is taken off for as long as batches that ended before it may still be too young.
        """
        jump_seconds = self.jump.seconds if self.jump is not None else 0.0
        return self.start_time - timedelta(seconds=retention_seconds + jump_seconds)


def next_pass_time(now: datetime, previous: PassTime | None, retention_seconds: float) -> PassTime:
    """Return the time of a pass that begins now.

    Args:
        now: The present time by the database's clock.
        previous: The time of the pass before; None if there was none.
        retention_seconds: How long batches are kept after their end; 0 keeps them for ever.

    """
    if previous is None or not retention_seconds:
        return PassTime(now)
    jump = _without_old(previous.jump, previous.start_time, retention_seconds)
    gap_seconds = (now - previous.start_time).total_seconds()
    before_seconds = jump.seconds if jump is not None else 0.0
    if gap_seconds > JUMP_SECONDS_MIN:
        return PassTime(now, ClockJump(before_seconds + gap_seconds, now))
    if gap_seconds < 0.0 and jump is not None:  # the clock was corrected, as a whole or in part
        left_seconds = before_seconds + gap_seconds
        jump = replace(jump, seconds=left_seconds, time=now) if left_seconds > JUMP_SECONDS_MIN else None
    return PassTime(now, _without_old(jump, now, retention_seconds))


def _without_old(jump: ClockJump | None, now: datetime, retention_seconds: float) -> ClockJump | None:
    """Return a jump as long as it matters: after the retention, what ended before it may be deleted."""
    if jump is None or (now - jump.time).total_seconds() >= retention_seconds:
        return None
    return jump
