"""Which points of a batch are kept, and what is read from them."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest

from batches.batch import Batch, Tally
from batches.history import (
    INTERVAL_SECONDS_MIN,
    INTERVALS,
    KEPT_POINTS_MAX,
    POINTS_MAX,
    RECENT_BYTES_MAX,
    RECENT_POINTS_MAX,
    THINNED_POINTS_MAX,
    HistoryPoint,
    RecentPoints,
    first_points,
    history_of,
    interval_seconds,
    pack_recent,
    points_to_keep,
    thinned,
    unpack_recent,
)
from tests.support.samples import BATCH

NOW = BATCH.create_time


def at(seconds: float) -> datetime:
    """Return a time after the creation of the batch."""
    return NOW + timedelta(seconds=seconds)


class Kept:
    """A batch and its history, as the store keeps them, with any number of points in its row."""

    def __init__(self, **changes: object) -> None:
        self.batch = replace(BATCH, create_time=NOW, read_time=NOW, **changes)  # type: ignore[arg-type]
        self.points = unpack_recent(first_points(self.batch)).points

    def change(self, seconds: float, *, result: bool = True, **changes: object) -> list[HistoryPoint]:
        """Change the batch at a time; return the points that this adds."""
        recent = pack_recent(RecentPoints(0, self.points)) if self.points else None
        before = replace(self.batch, read_time=at(seconds), recent_history=recent)
        if result:
            changes["last_result_time"] = at(seconds)
        self.batch = replace(before, **changes)  # type: ignore[arg-type]
        added = points_to_keep(before, self.batch)
        self.points += added
        return added

    def report(self, seconds: float, ended: int) -> list[HistoryPoint]:
        """Report results at a time, so that this many jobs have ended."""
        return self.change(seconds, tally=Tally(ended))

    def history(self) -> list[tuple[float, int, int]]:
        """Return the seconds, the totals and the ended jobs of the history."""
        read = history_of(self.batch, self.points)
        return [(self.seconds(one), one.total_jobs, one.tally.ended) for one in read]

    @staticmethod
    def seconds(point: HistoryPoint) -> float:
        """Return the time of a point."""
        return (point.time - NOW).total_seconds()


def test_history_begins_with_the_creation() -> None:
    assert Kept().history() == [(0, 10, 0)]


def test_newest_state_is_read_from_the_batch() -> None:
    kept = Kept()
    assert kept.report(0.01, 1) == []
    assert kept.history() == [(0, 10, 0), (0.01, 10, 1)]


def test_state_an_interval_after_the_last_point_is_kept() -> None:
    kept = Kept()
    kept.report(0.05, 1)
    assert kept.report(0.06, 2) == []
    assert kept.report(INTERVAL_SECONDS_MIN + 0.01, 3) == []
    assert [Kept.seconds(one) for one in kept.report(INTERVAL_SECONDS_MIN + 0.02, 4)] == [0.11]


def test_stall_keeps_its_true_beginning_and_its_true_end() -> None:
    kept = Kept()
    kept.report(0.01, 1)
    kept.report(0.02, 2)
    kept.report(600.0, 3)
    kept.report(600.01, 4)
    assert kept.history() == [(0, 10, 0), (0.02, 10, 2), (600.0, 10, 3), (600.01, 10, 4)]


def test_interval_grows_with_the_age_of_the_batch() -> None:
    assert interval_seconds(NOW, NOW) == INTERVAL_SECONDS_MIN
    assert interval_seconds(NOW, at(INTERVALS * 60)) == 60
    kept = Kept(announced_jobs=10**6)
    for second in range(1, 3_601):
        kept.report(second, second)
    assert INTERVALS < len(kept.points) < 1_000


def test_point_that_is_kept_already_is_not_kept_again() -> None:
    kept = Kept()
    kept.report(1.0, 1)
    assert len(kept.report(2.0, 2)) == 1
    kept.change(3.0, result=False, sealed=True)
    assert kept.history() == [(0, 10, 0), (1, 10, 1), (2, 10, 2)]


def test_falling_counts_are_kept() -> None:
    kept = Kept()
    kept.change(1.0, tally=Tally(0, 5))
    kept.change(2.0, tally=Tally(1, 4))
    kept.change(3.0, tally=Tally(2, 3))
    assert [one.tally.failed for one in history_of(kept.batch, kept.points)] == [0, 5, 4, 3]


def test_change_without_a_result_keeps_its_own_time() -> None:
    """As jobs that are added, or counts that a repair takes from the queue."""
    kept = Kept(sealed=False)
    kept.report(1.0, 1)
    assert [Kept.seconds(one) for one in kept.change(50.0, result=False, announced_jobs=20)] == [1, 50]
    assert kept.report(90.0, 2) == []
    assert kept.history() == [(0, 10, 0), (1, 10, 1), (50, 20, 1), (90, 20, 2)]


def test_many_changes_without_results_keep_few_points() -> None:
    """The last one shows the total although none of its points is the newest change."""
    kept = Kept(sealed=False)
    for number in range(1_000):
        kept.change(10 + number / 10_000, result=False, announced_jobs=11 + number)
    assert len(kept.points) <= 4
    assert kept.history()[-1][1:] == (1_010, 0)


def test_end_without_a_change_of_the_counts_is_the_last_point() -> None:
    kept = Kept(sealed=False)
    kept.report(5.0, 10)
    kept.change(60.0, result=False, sealed=True, complete_time=at(60))
    assert kept.history() == [(0, 10, 0), (5, 10, 10), (60, 10, 10)]


def test_batch_of_an_older_server_has_no_history() -> None:
    kept = Kept()
    kept.points = []
    assert kept.history() == []


def test_history_of_an_older_batch_begins_with_the_state_before_its_next_change() -> None:
    kept = Kept(tally=Tally(4), last_result_time=at(30))
    kept.points = []
    kept.report(90.0, 5)
    assert kept.history() == [(30, 10, 4), (90, 10, 5)]


@pytest.mark.parametrize("back_seconds", [60.0, 86_400.0])
def test_clock_that_was_set_back_leaves_ascending_times_and_true_counts(back_seconds: float) -> None:
    kept = Kept()
    for second in range(1, 6):
        kept.report(second, second)
    for second in range(1, 5):
        kept.report(second - back_seconds, 5 + second)
    times = [seconds for seconds, _, _ in kept.history()]
    assert times == sorted(set(times))
    assert [ended for _, _, ended in kept.history()][-3:] == [7, 8, 9]


def test_busy_batch_keeps_points_after_the_clock_was_set_back() -> None:
    """No point waits until the clock has caught up with the newest one."""
    kept = Kept(announced_jobs=1_000)
    kept.report(1.0, 1)
    kept.report(2.0, 2)
    for number in range(200):
        kept.report(number / 20 - 86_400, 3 + number)
    assert len(kept.history()) > 50


def test_points_in_a_row_fit_into_its_column() -> None:
    point = HistoryPoint(at(1), 10**9, Tally(10**9, 0, 0))
    recent = RecentPoints(KEPT_POINTS_MAX, [point] * RECENT_POINTS_MAX)
    assert len(pack_recent(recent)) == RECENT_BYTES_MAX
    assert unpack_recent(pack_recent(recent)) == recent


@pytest.mark.parametrize("seed", range(5))
def test_thinning_keeps_the_ends_and_every_long_silence(seed: int) -> None:
    """Silences that are short on the scale of the whole history may go."""
    chance = Random(seed)
    seconds, points = 0.0, []
    for number in range(KEPT_POINTS_MAX):
        points.append(HistoryPoint(at(seconds), 1_000, Tally(number)))
        seconds += 500.0 if number % 60 == 59 else chance.uniform(0.1, 2.0)
    left = thinned(points, THINNED_POINTS_MAX, INTERVAL_SECONDS_MIN)
    assert THINNED_POINTS_MAX / 4 < len(left) <= THINNED_POINTS_MAX
    assert (left[0], left[-1]) == (points[0], points[-1])
    for number in range(59, KEPT_POINTS_MAX - 1, 60):
        assert {points[number], points[number + 1]} <= set(left)


def test_history_that_is_read_has_a_bounded_number_of_points() -> None:
    points = [HistoryPoint(at(number), 1_000, Tally(number)) for number in range(900)]
    batch: Batch = replace(BATCH, create_time=NOW, tally=Tally(900), last_result_time=at(900))
    read = history_of(replace(batch, read_time=at(900)), points)
    assert len(read) <= POINTS_MAX
    assert (read[0], read[-1].tally) == (points[0], Tally(900))
