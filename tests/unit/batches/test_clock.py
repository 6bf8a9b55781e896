"""How much of the database's clock a pass believes."""

from collections.abc import Iterable

import pytest

from batches.clock import JUMP_SECONDS_MIN, PassTime, lies_ahead, next_pass_time
from tests.support.samples import at

DAY = 86_400.0
YEAR = 365 * DAY
RETENTION = 30 * DAY
PERIOD = 300.0


def passes(*starts: float, retention_seconds: float = RETENTION) -> PassTime:
    """Return the time of the last of passes that begin at these seconds."""
    time: PassTime | None = None
    for seconds in starts:
        time = next_pass_time(at(seconds), time, retention_seconds)
    assert time is not None
    return time


def regular(begin: float, seconds: float) -> Iterable[float]:
    """Return the beginnings of a pass every day, for that long."""
    return (begin + day * DAY for day in range(int(seconds / DAY) + 1))


def deletes_before(time: PassTime) -> float:
    """Return the age in seconds, at the first pass, of the batches that a pass deletes."""
    return (time.deletes_before(RETENTION) - at(0)).total_seconds()


def test_a_time_lies_ahead_only_if_the_clock_was_set_back() -> None:
    assert not lies_ahead(at(10), at(0))
    assert lies_ahead(at(11), at(0))


@pytest.mark.parametrize("gap", [PERIOD, DAY, JUMP_SECONDS_MIN])
def test_passes_up_to_a_day_apart_delete_by_the_clock(gap: float) -> None:
    assert passes(0, gap) == PassTime(at(gap))


def test_a_clock_that_jumps_ahead_by_a_year_deletes_no_batch_that_ended_yesterday() -> None:
    """However many passes begin by the wrong clock, as long as they are within the retention."""
    for later in (0, PERIOD, DAY, 28 * DAY):
        time = passes(0, PERIOD, YEAR, *regular(YEAR + PERIOD, later))
        assert deletes_before(time) < -DAY, later


def test_batches_from_before_a_jump_are_deleted_once_they_are_old_enough() -> None:
    """In passes after the jump, a batch that ended just before it becomes as old as any other."""
    time = passes(0, *regular(YEAR, 29 * DAY))
    assert deletes_before(time) == pytest.approx(29 * DAY - RETENTION)
    assert passes(0, *regular(YEAR, RETENTION)).jump is None


def test_a_clock_that_is_corrected_is_believed() -> None:
    assert passes(0, YEAR, YEAR + PERIOD, 2 * PERIOD) == PassTime(at(2 * PERIOD))


def test_a_clock_that_jumps_again_after_its_correction_is_not_believed() -> None:
    time = passes(0, YEAR, 2 * PERIOD, YEAR)
    assert deletes_before(time) == pytest.approx(2 * PERIOD - RETENTION)


def test_a_clock_that_jumps_twice_is_believed_in_neither_part() -> None:
    assert deletes_before(passes(0, YEAR, 2 * YEAR)) == pytest.approx(-RETENTION)


def test_a_reconciler_that_keeps_batches_for_ever_finds_no_jump() -> None:
    assert passes(0, YEAR, retention_seconds=0) == PassTime(at(YEAR))
