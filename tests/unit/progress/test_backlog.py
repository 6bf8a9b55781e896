"""The limits of the results that wait."""

import pytest

from services.progress.backlog import Backlog
from services.progress.errors import CallerResultsFull


def test_results_beyond_the_limit_of_a_caller_wait_for_its_others() -> None:
    """A call beyond the limit is refused while another one is in flight, and accepted when it is alone."""
    backlog = Backlog(100_000)
    backlog.add("a", 4, 0, 10)
    backlog.add("a", 6, 0, 10)
    with pytest.raises(CallerResultsFull):
        backlog.add("a", 1, 0, 10)
    backlog.add("b", 1, 0, 10)
    backlog.remove("a", 4, 0)
    with pytest.raises(CallerResultsFull):
        backlog.add("a", 5, 0, 10)
    backlog.add("a", 4, 0, 10)
    backlog.remove("a", 4, 0)
    backlog.remove("a", 6, 0)
    backlog.add("a", 1_000, 0, 10)
    backlog.remove("a", 1_000, 0)
    backlog.add("a", 10, 0, 10)


def test_results_are_counted_without_a_limit() -> None:
    """A limit that is set later finds the right number."""
    backlog = Backlog(100_000)
    for _ in range(1_000):
        backlog.add("a", 10, 0)
    with pytest.raises(CallerResultsFull):
        backlog.add("a", 1, 0, 1_000)
