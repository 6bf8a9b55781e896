"""Properties of rate and stall that hold for any sequence of results."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batches import pace
from batches.batch import Batch
from batches.recording import record
from batches.result import ResultSource
from tests.support.samples import BATCH, RECONCILER, WORKER, results

BIG = replace(BATCH, announced_jobs=1_000_000)

seconds = st.floats(0, 20_000) | st.floats(0, 2)
groups = st.lists(
    st.tuples(seconds, st.integers(1, 30), st.sampled_from([WORKER, WORKER, RECONCILER])), max_size=12
)
silences = st.floats(0, 100_000) | st.floats(0, 100)


def grown(batch: Batch, group: Sequence[tuple[float, int, ResultSource]]) -> Batch:
    """Return the batch after groups of results, each some seconds after the one before."""
    for later, number, source in group:
        now = batch.quiet_since + timedelta(seconds=later)
        given_results = results(number, first=batch.tally.ended)
        batch = record([replace(batch, read_time=now)], {}, given_results, source).batches["batch"]
    return batch


def steady(batch: Batch, every_seconds: float, number: int, *, times: int) -> Batch:
    """Return the batch after groups of the same size at regular intervals."""
    return grown(batch, [(every_seconds, number, WORKER)] * times)


@given(groups, silences, silences)
def test_in_silence_the_rate_never_rises(
    group: list[tuple[float, int, ResultSource]], a: float, b: float
) -> None:
    """The longer no result comes, the lower the rate."""
    batch = grown(BIG, group)
    rates = [pace.jobs_per_second(batch, batch.quiet_since + timedelta(seconds=s)) for s in sorted((a, b))]
    assert rates[0] >= rates[1] >= 0


@given(groups, silences)
def test_a_batch_moves_or_says_why_not(group: list[tuple[float, int, ResultSource]], silent: float) -> None:
    """A batch with a rate has not stalled; a stalled batch has neither a rate nor an estimated end."""
    batch = grown(BIG, group)
    now = batch.quiet_since + timedelta(seconds=silent)
    rate, end = pace.jobs_per_second(batch, now), pace.estimated_complete_time(batch, now)
    stalled = pace.has_stalled(batch, now)
    assert not (stalled and (rate or end))
    assert stalled or silent < pace.STALL_SECONDS_MAX
    assert not stalled or silent >= pace.STALL_SECONDS_MIN


@settings(deadline=None)  # the length of the examples differs
@given(groups, st.floats(5, 3_000), st.integers(1, 30))
def test_the_rate_converges_to_a_steady_pace(
    group: list[tuple[float, int, ResultSource]], every_seconds: float, number: int
) -> None:
    """After five windows and two results of a steady pace, the rate is that pace."""
    # One group first: the silence before it is not part of the new pace.
    before = steady(grown(BIG, group), every_seconds, number, times=1)
    times = 2 + int(5 * pace.RATE_WINDOW_SECONDS / every_seconds)
    batch = steady(before, every_seconds, number, times=times)
    expected = number / every_seconds
    fastest = max(pace.jobs_per_second(before, before.quiet_since), expected)
    rate = pace.jobs_per_second(batch, batch.quiet_since)
    assert rate == pytest.approx(expected, rel=0.01, abs=0.01 * fastest)


@given(st.floats(1, 3_000), st.integers(1, 30), st.integers(1, 20))
def test_a_constant_pace_is_exact_from_the_first_group_on(
    every_seconds: float, number: int, times: int
) -> None:
    """This holds for fast and for slow batches."""
    batch = steady(BIG, every_seconds, number, times=times)
    rate = pace.jobs_per_second(batch, batch.quiet_since)
    assert rate == pytest.approx(number / every_seconds, rel=1e-3)


@given(groups, st.integers(1, 30), silences)
def test_a_repair_does_not_change_the_rate(
    group: list[tuple[float, int, ResultSource]], number: int, silent: float
) -> None:
    """Directly after a repair the rate is the same as before it."""
    batch = grown(BIG, group)
    now = batch.quiet_since + timedelta(seconds=silent)
    repaired = grown(batch, [(silent, number, RECONCILER)])
    assert pace.jobs_per_second(repaired, now) == pytest.approx(pace.jobs_per_second(batch, now), abs=1e-12)
