"""What is kept of how a batch grew: some points, which are thinned as it grows. Pure.

A point is the state of a batch from its time until that of the next point. The newest state is that of the
batch itself, so a change keeps the state that it replaces if that is worth a point: it came an interval after
the point before, or it lasted that long. A stall is therefore kept with its true beginning and end.

The interval grows with the age of the batch, and points that have become too close are removed when there are
too many. The newest points are in the row of the batch, so that most changes need no statement of their own.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from batches.batch import Batch, Tally
from batches.clock import lies_ahead

POINTS_MAX = 300
"""Points of a history that is read: the limit of the contract, and twice what a plot on a screen can show."""
KEPT_POINTS_MAX = POINTS_MAX - 2
"""Points that are kept: the newest state and the end come from the batch."""
THINNED_POINTS_MAX = KEPT_POINTS_MAX // 2
"""Points that are left when too many are thinned: half of them, so that it rarely happens."""
INTERVALS = 150
"""Intervals in the age of a batch. Points come in pairs at worst, the two ends of each silence."""
INTERVAL_SECONDS_MIN = 0.1
"""The interval of a young batch: some three groups of results. Ten seconds have a hundred points."""
RECENT_POINTS_MAX = 16
"""Points in the row of a batch. Each report reads them, and MySQL logs them with each change of the row: with
400 bytes, that costs less than a hundredth of a report, and every 16th point needs a statement."""

_POINT = struct.Struct("<qIIII")
POINT_BYTES = _POINT.size
"""Microseconds since 1970, then four numbers of jobs: a batch has at most 1,000,000,000."""
_TIME = struct.Struct("<q")
"""The beginning of a point."""
_MOVED = struct.Struct("<H")
"""How many points are no longer in the row, before the points that are."""
RECENT_BYTES_MAX = _MOVED.size + RECENT_POINTS_MAX * _POINT.size

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """The total and the tally of a batch from one moment on."""

    time: datetime
    total_jobs: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class RecentPoints:
    """The newest points of a batch, and how many are kept elsewhere."""

    moved: int
    points: list[HistoryPoint]


def interval_seconds(create_time: datetime, now: datetime) -> float:
    """Return how far apart the points of a batch are at its present age."""
    return max(INTERVAL_SECONDS_MIN, (now - create_time).total_seconds() / INTERVALS)


def first_points(batch: Batch) -> bytes:
    """Return the recent points of a new batch: its creation."""
    return pack_recent(RecentPoints(0, [_state_of(batch, batch.create_time)]))


def points_to_keep(before: Batch, after: Batch) -> list[HistoryPoint]:
    """Return the points that a change of a batch adds: at most two, and usually none.

    Args:
        before: The batch as it was locked, with its recent points; without any if it has no history yet, as
            batches of servers before schema 0011.
        after: The batch after the change.

    """
    now = after.change_time
    interval = interval_seconds(after.create_time, now)
    if before.recent_history is not None and 0 <= _age_seconds(before.recent_history, now) < interval:
        return []  # nothing can be an interval after the newest point: most groups of a busy batch end here
    last = _newest(before.recent_history)
    replaced = _current(before, last, now)
    kept: list[HistoryPoint] = []
    if last is None or _is_worth_keeping(last, replaced, now, interval):
        kept.append(replaced)
        last = replaced
    # The row has the time of the last result only, so a change without a result keeps its own state as well.
    if now != after.quiet_since:
        state = _state_of(after, now)
        if _is_worth_keeping(last, state, now, interval):
            kept.append(state)
    return kept


def thinned(
    points: Sequence[HistoryPoint], points_max: int, smallest_interval_seconds: float
) -> list[HistoryPoint]:
    """Return at most so many of the points: the first, the last, and of the others those that tell most.

    Args:
        points: Points in the order in which they were kept.
        points_max: How many may be left; at least two.
        smallest_interval_seconds: Closer points are removed; it is doubled until few enough are left.

    """
    left, interval = list(points), smallest_interval_seconds
    while len(left) > points_max:
        left = _spaced(left, interval)
        interval *= 2
    return left


def history_of(batch: Batch, kept: Sequence[HistoryPoint]) -> list[HistoryPoint]:
    """Return the history of a batch, in ascending order of time; nothing if no point was kept.

    Args:
        batch: The batch.
        kept: All of its points in the order in which they were kept.

    """
    if not kept:
        return []
    points = list(kept)
    newest = _current(batch, points[-1], batch.read_time)
    if newest != points[-1]:
        points.append(newest)
    if batch.complete_time is not None and batch.complete_time > newest.time:
        points.append(replace(newest, time=batch.complete_time))
    interval = interval_seconds(batch.create_time, newest.time)
    return thinned(_ascending(points), POINTS_MAX, interval)


def _current(batch: Batch, last: HistoryPoint | None, now: datetime) -> HistoryPoint:
    """Return the state of a batch; it is not older than its last point, whose change may have had no result.

    A point that lies ahead is one from before the clock was set back.
    """
    since = batch.quiet_since
    if last is not None and not lies_ahead(last.time, now):
        since = max(since, last.time)
    return _state_of(batch, since)


def _state_of(batch: Batch, time: datetime) -> HistoryPoint:
    return HistoryPoint(time, batch.total_jobs, batch.tally)


def _is_worth_keeping(last: HistoryPoint, state: HistoryPoint, until: datetime, interval: float) -> bool:
    """Return whether a state differs from the last point and came late enough, or lasted long enough."""
    if state.total_jobs == last.total_jobs and state.tally == last.tally:
        return False
    return _seconds(last.time, state.time) >= interval or _seconds(state.time, until) >= interval


def _seconds(one: datetime, other: datetime) -> float:
    """Return the time between two moments, in any order: the clock may have been set back."""
    return abs((other - one).total_seconds())


def _spaced(points: Sequence[HistoryPoint], interval: float) -> list[HistoryPoint]:
    """Return the points that `points_to_keep` would have kept with this interval."""
    kept = [points[0]]
    for state, following in pairwise(points[1:]):
        if _is_worth_keeping(kept[-1], state, following.time, interval):
            kept.append(state)
    return [*kept, points[-1]]


def _ascending(points: Sequence[HistoryPoint]) -> list[HistoryPoint]:
    """Return points in ascending order of time; of those with one time, the newest.

    A point later than its successor is from before the clock was set back: the successor's time is right.
    """
    ascending = [points[-1]]
    for point in reversed(points[:-1]):
        if point.time < ascending[-1].time:
            ascending.append(point)
    return ascending[::-1]


def pack(points: Sequence[HistoryPoint]) -> bytes:
    """Return points as bytes."""
    return b"".join(
        _POINT.pack(
            (point.time - _EPOCH) // _MICROSECOND,
            point.total_jobs,
            point.tally.succeeded,
            point.tally.failed,
            point.tally.skipped,
        )
        for point in points
    )


def unpack(points: bytes) -> list[HistoryPoint]:
    """Return the points that were packed."""
    return [_to_point(*values) for values in _POINT.iter_unpack(points)]


def pack_recent(recent: RecentPoints) -> bytes:
    """Return recent points as bytes."""
    return _MOVED.pack(recent.moved) + pack(recent.points)


def unpack_recent(recent: bytes | None) -> RecentPoints:
    """Return recent points; none if the batch has no history."""
    if recent is None:
        return RecentPoints(0, [])
    (moved,) = _MOVED.unpack_from(recent)
    return RecentPoints(moved, unpack(recent[_MOVED.size :]))


def with_points(recent: bytes | None, points: Sequence[HistoryPoint]) -> bytes:
    """Return recent points and more of them as bytes, without reading those that are there."""
    return (_MOVED.pack(0) if recent is None else recent) + pack(points)


def _newest(recent: bytes | None) -> HistoryPoint | None:
    """Return the newest of recent points, without reading the others."""
    return None if recent is None else _to_point(*_POINT.unpack_from(recent, len(recent) - _POINT.size))


def _age_seconds(recent: bytes, now: datetime) -> float:
    """Return how old the newest of recent points is; negative if it lies ahead."""
    (microseconds,) = _TIME.unpack_from(recent, len(recent) - _POINT.size)
    return float((now - _EPOCH).total_seconds() - microseconds / 1e6)


def _to_point(microseconds: int, total_jobs: int, succeeded: int, failed: int, skipped: int) -> HistoryPoint:
    time = _EPOCH + timedelta(microseconds=microseconds)
    return HistoryPoint(time, total_jobs, Tally(succeeded, failed, skipped))
