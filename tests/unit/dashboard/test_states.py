"""The history of a watched batch."""

from itertools import pairwise

from services.dashboard.states import POINTS_MAX, History, Snapshot


def test_history_is_bounded_and_even() -> None:
    """A history never exceeds its limit, and its points spread evenly from the first to the newest."""
    history = History()
    for number in range(20 * POINTS_MAX + 7):
        history.add(_state(number))
    points = history.points()
    assert len(points) <= POINTS_MAX + 1
    assert (points[0].at, points[-1].at) == (0, 20 * POINTS_MAX + 6)
    apart = [after.at - before.at for before, after in pairwise(points[:-1])]
    assert 0 < max(apart) <= 4 * min(apart)


def test_the_newest_point_is_listed_once() -> None:
    """The newest point comes last and is not repeated."""
    history = History()
    assert history.points() == []
    history.add(_state(1))
    assert [point.ended_jobs for point in history.points()] == [1]
    history.add(_state(2))
    assert [point.ended_jobs for point in history.points()] == [1, 2]


def _state(number: int) -> Snapshot:
    return Snapshot(number, False, 0.0, float(number), number, 0, "{}")  # noqa: FBT003  # has not ended
