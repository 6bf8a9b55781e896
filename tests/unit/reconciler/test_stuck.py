"""Which batches are stuck."""

from dataclasses import replace

import pytest

from batches.batch import Batch
from reconciler.run.sweep import is_stuck
from tests.support.samples import BATCH, at

STUCK = {
    "created just now": (replace(BATCH, read_time=at(0)), 300, False),
    "created long ago, nothing reported": (replace(BATCH, read_time=at(300)), 300, True),
    "not quite long enough": (replace(BATCH, read_time=at(299.9)), 300, False),
    "reported recently": (replace(BATCH, last_result_time=at(100), read_time=at(300)), 300, False),
    "reported long ago": (replace(BATCH, last_result_time=at(100), read_time=at(400)), 300, True),
    "reported before the clock was set back": (
        replace(BATCH, last_result_time=at(3_600), read_time=at(0)),
        300,
        True,
    ),
    "read before the last commit": (replace(BATCH, last_result_time=at(5), read_time=at(0)), 300, False),
    "at once": (BATCH, 0, True),
}


@pytest.mark.parametrize(("batch", "seconds", "stuck"), STUCK.values(), ids=STUCK)
def test_a_batch_is_stuck_long_after_its_last_result(batch: Batch, seconds: float, *, stuck: bool) -> None:
    """Without a result, its creation counts; the current time is that of the clock that read the batch."""
    assert is_stuck(batch, seconds) is stuck
