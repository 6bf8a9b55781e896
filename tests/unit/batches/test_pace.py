"""The rate, the estimated end and the stall of a batch."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from batches import pace
from batches.batch import Batch, BatchState
from batches.recording import record
from batches.result import ResultSource, StoredAttempt
from tests.support.samples import BATCH, WORKER, at, results

BIG = replace(BATCH, announced_jobs=1_000_000)


def moved(batch: Batch, seconds: Iterable[int], jobs_per_second: int) -> Batch:
    """Return the batch after a group of results in each of these seconds."""
    for second in seconds:
        first = batch.tally.ended
        group = results(jobs_per_second, first=first)
        batch = record([replace(batch, read_time=at(second))], {}, group, WORKER).batches["batch"]
    return batch


@pytest.mark.parametrize("seconds", [1, 2, 5, 30, 120])
def test_the_rate_is_right_from_the_start(seconds: int) -> None:
    """Ten results per second are shown as ten, after one second as well as after two minutes."""
    batch = moved(BIG, range(1, seconds + 1), 10)
    assert pace.jobs_per_second(batch, at(seconds)) == pytest.approx(10)


def test_the_rate_follows_the_recent_past() -> None:
    """A minute after the number of workers grew tenfold, little is left of the old rate."""
    batch = moved(moved(BIG, range(1, 121), 5), range(121, 181), 50)
    assert pace.jobs_per_second(batch, at(180)) == pytest.approx(44.5, rel=0.05)


@pytest.mark.parametrize(
    ("silent_seconds", "share"), [(0, 1.0), (5, 0.86), (9, 0.75), (10, 0.0), (9999, 0.0)]
)
def test_the_rate_fades_in_silence(silent_seconds: int, share: float) -> None:
    """A fast rate falls, and after ten seconds without a result it explains nothing any more."""
    batch = moved(BIG, range(1, 121), 10)
    before, after = (pace.jobs_per_second(batch, at(120 + later)) for later in (0, silent_seconds))
    assert after == pytest.approx(before * share, rel=0.03, abs=0)


def test_the_first_group_counts_as_one_second_of_work() -> None:
    """A group tells nothing about a shorter time."""
    assert pace.jobs_per_second(moved(BIG, [0], 50), at(0)) == pytest.approx(50)


def test_a_slow_batch_keeps_its_rate_between_results() -> None:
    """One job in ten minutes is that rate from the first result on, and not a stall."""
    batch = moved(BIG, [600], 1)
    for minutes in (20, 30, 40):
        for later in (-600, -300, -1):
            now = at(60 * minutes + later)
            assert pace.jobs_per_second(batch, now) == pytest.approx(1 / 600)
            assert not pace.has_stalled(batch, now)
        batch = moved(batch, [60 * minutes], 1)


def test_a_slow_batch_stalls_after_five_missing_results() -> None:
    """One job in ten minutes: the rate fades after eleven minutes and is 0 after fifty."""
    batch = moved(BIG, [600, 1_200], 1)
    assert pace.jobs_per_second(batch, at(1_200 + 1_800)) == pytest.approx(1 / 1_800)
    assert not pace.has_stalled(batch, at(1_200 + 2_999))
    assert pace.has_stalled(batch, at(1_200 + 3_000))


def test_every_batch_stalls_after_an_hour_of_silence() -> None:
    """This holds even for jobs that took longer before."""
    batch = moved(BIG, [86_400], 1)
    assert not pace.has_stalled(batch, at(86_400 + 3_599))
    assert pace.has_stalled(batch, at(86_400 + 3_600))


@pytest.mark.parametrize("every_seconds", [5, 40, 300])
def test_bursts_are_spread_over_the_time_between_them(every_seconds: int) -> None:
    """A hundred results at regular intervals are shown as their average rate."""
    batch = moved(BIG, range(every_seconds, 1_000, every_seconds), 100)
    now = batch.last_result_time
    assert now is not None
    assert pace.jobs_per_second(batch, now) == pytest.approx(100 / every_seconds, rel=0.01)


def test_later_attempts_do_not_raise_the_rate() -> None:
    """A retry replaces a result and does not bring the batch closer to its end."""
    steady = moved(BIG, range(1, 61), 10)
    again = [replace(one, attempt=2) for one in results(10)]
    stored = {(BIG.batch_key, one.job_id): StoredAttempt(1, one.outcome, WORKER) for one in again}
    retried = record([replace(steady, read_time=at(61))], stored, again, WORKER).batches["batch"]
    assert pace.jobs_per_second(retried, at(61)) < pace.jobs_per_second(steady, at(60))


@pytest.mark.parametrize("state", [BatchState.COMPLETED, BatchState.CANCELLED])
def test_an_ended_batch_has_no_rate(state: BatchState) -> None:
    """An ended batch has no estimated end either."""
    batch = replace(moved(BIG, range(1, 10), 10), state=state)
    assert pace.jobs_per_second(batch, at(9)) == 0
    assert pace.estimated_complete_time(batch, at(9)) is None


def test_a_batch_without_results_has_no_rate() -> None:
    """Without a result nothing can be estimated."""
    assert pace.jobs_per_second(BATCH, at(1)) == 0
    assert pace.estimated_complete_time(BATCH, at(1)) is None


def test_the_estimate_is_pending_jobs_over_rate() -> None:
    """The pending jobs end at the present rate."""
    batch = moved(replace(BIG, announced_jobs=2_200), range(1, 121), 10)
    estimate = pace.estimated_complete_time(batch, at(120))
    assert estimate is not None
    assert (estimate - at(120)).total_seconds() == pytest.approx(100, rel=0.03)


def test_an_unsealed_batch_has_no_estimated_end() -> None:
    """As long as jobs may be added, the end is unknown."""
    batch = replace(moved(BIG, range(1, 31), 10), sealed=False)
    assert pace.jobs_per_second(batch, at(30)) > 0
    assert pace.estimated_complete_time(batch, at(30)) is None


def test_an_end_beyond_ten_years_is_not_shown() -> None:
    """A billion jobs at one a second take thirty years; the date must not overflow."""
    batch = moved(replace(BATCH, announced_jobs=1_000_000_000), range(1, 31), 1)
    assert pace.estimated_complete_time(batch, at(30)) is None


def test_a_read_from_before_the_last_commit_shows_the_full_rate() -> None:
    """Its clock is behind the last result, so the rate has not faded."""
    batch = moved(BIG, range(1, 31), 10)
    assert pace.jobs_per_second(batch, at(29)) >= pace.jobs_per_second(batch, at(30))
    assert pace.silent_seconds_of(batch, at(29)) == 0


@pytest.mark.parametrize("seconds", [1, 3, 60, 600])
def test_a_database_clock_set_back_by_an_hour_leaves_the_rate(seconds: int) -> None:
    """The first group after that tells nothing about the rate, since nobody knows how long it took."""
    before = moved(BIG, range(3_600, 3_630), 20)
    after = moved(before, range(31, 31 + seconds), 20)
    assert after.last_result_time == at(30 + seconds)
    assert pace.jobs_per_second(after, at(30 + seconds)) == pytest.approx(20, rel=0.03)


def test_a_repair_after_the_clock_was_set_back_leaves_no_rate_that_is_wrong() -> None:
    """The next results begin a new average."""
    before = moved(BIG, range(3_600, 3_630), 20)
    group = results(20, first=before.tally.ended)
    repaired = record([replace(before, read_time=at(0))], {}, group, ResultSource.RECONCILER).batches["batch"]
    after = moved(repaired, range(1, 61), 20)
    assert pace.jobs_per_second(after, at(60)) == pytest.approx(20, rel=0.2)


def test_a_batch_without_a_result_since_the_clock_was_set_back_has_stalled() -> None:
    """Nobody knows for how long it has been silent; its next result shows that it moves."""
    batch = moved(BIG, range(3_600, 3_630), 20)
    assert not pace.has_stalled(batch, at(3_629 - 9))
    assert pace.has_stalled(batch, at(0))
    assert pace.jobs_per_second(batch, at(0)) == 0
    assert pace.pace_holds_seconds(batch, at(0)) is None
    assert not pace.has_stalled(moved(batch, [1], 1), at(1))


def test_the_first_result_of_a_batch_created_before_the_clock_was_set_back_begins_its_rate() -> None:
    batch = moved(replace(BIG, create_time=at(3_600)), [1], 5)
    assert pace.jobs_per_second(batch, at(1)) == pytest.approx(5)


@pytest.mark.parametrize(
    ("jobs_per_second", "holds_seconds"), [(1_000, 10), (10, 10), (0.5, 10), (0.1, 50), (1 / 600, 3_000)]
)
def test_a_rate_holds_as_long_as_it_explains_the_silence(
    jobs_per_second: float, holds_seconds: float
) -> None:
    """Five missing results are too many, but ten seconds may always pass."""
    batch = replace(BIG, results_per_second=jobs_per_second, first_result_time=at(0), last_result_time=at(0))
    assert pace.pace_holds_seconds(batch, at(4)) == pytest.approx(holds_seconds - 4)
    assert pace.jobs_per_second(batch, at(holds_seconds - 1)) > 0
    assert pace.jobs_per_second(batch, at(holds_seconds)) == 0
    assert pace.pace_holds_seconds(batch, at(holds_seconds)) is None
    assert pace.estimated_complete_time(batch, at(holds_seconds)) is None


def test_a_batch_without_a_rate_has_none_that_holds() -> None:
    assert pace.pace_holds_seconds(BATCH, at(1)) is None
    ended = replace(moved(BIG, range(1, 10), 10), state=BatchState.COMPLETED)
    assert pace.pace_holds_seconds(ended, at(9)) is None
