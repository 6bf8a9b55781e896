"""What is kept of a list of jobs, and how a duplicate is found."""

import tracemalloc

import pytest

from batches.result import StoredAttempt
from reconciler.queue.listing import ListingWalk, NotAscending, SeenJobs
from reconciler.queue.port import QueueJob
from tests.support.samples import FAILED, SUCCEEDED, WORKER
from tests.unit.reconciler.jobs import job

RECORDED = {
    "same": StoredAttempt(1, SUCCEEDED, WORKER),
    "lower": StoredAttempt(1, SUCCEEDED, WORKER),
    "higher": StoredAttempt(2, SUCCEEDED, WORKER),
    "higher and other": StoredAttempt(2, FAILED, WORKER),
    "other": StoredAttempt(1, FAILED, WORKER),
}


def test_missing_are_ended_jobs_without_a_result_or_with_a_lower_attempt() -> None:
    """The other jobs are only counted; one that still runs is pending."""
    walk = ListingWalk("batch", results_max=10)
    jobs = [job("new"), job("same"), job("lower", attempt=2), job("higher"), job("other"), job("runs", None)]
    walk.add_page("", jobs, RECORDED)
    listing = walk.listing()
    assert {(one.job_id, one.attempt) for one in listing.missing} == {("new", 1), ("lower", 2)}
    assert (listing.new, listing.superseding, listing.conflicting) == (1, 1, 1)
    assert (listing.tally.ended, listing.pending, listing.has_duplicate) == (5, 1, False)


def test_unreadable_jobs_are_pending_and_the_first_problem_is_kept() -> None:
    walk = ListingWalk("batch", results_max=10)
    jobs = [job("a", None), QueueJob("b", None, problem="first"), QueueJob("c", None, problem="second")]
    walk.add_page("", [*jobs, job("d")], {})
    listing = walk.listing()
    assert (listing.pending, listing.unreadable, listing.problem) == (3, 2, "first")


def test_a_lower_attempt_with_another_outcome_is_no_conflict() -> None:
    """The recorded attempt came later, so it says more than the queue."""
    walk = ListingWalk("batch", results_max=10)
    walk.add_page("", [job("higher and other")], RECORDED)
    listing = walk.listing()
    assert (listing.conflicting, listing.missing) == (0, ())


def test_a_walk_keeps_no_more_results_than_allowed() -> None:
    """All further results are only counted."""
    walk = ListingWalk("batch", results_max=10)
    for number in range(100):
        walk.add_page(str(number), [job(f"job-{number}-{index}") for index in range(4)], {})
    listing = walk.listing()
    assert (len(listing.missing), listing.new, listing.left_out) == (7, 400, 393)


@pytest.mark.parametrize("pages", [3, 4, 5])
def test_the_result_set_aside_counts_towards_the_limit(pages: int) -> None:
    """A last portion holds it beside the others."""
    walk = ListingWalk("batch", results_max=3)
    for number in range(pages):
        walk.add_page(str(number), [job(f"job-{number}")], {})
    assert len(walk.listing().missing) <= 3


@pytest.mark.parametrize(
    ("name", "may_ascend"), [("job-{}", True), ("job-{:07}", False)], ids=["in any order", "ascending"]
)
@pytest.mark.parametrize("again", [0, 999_999], ids=["the first", "the last"])
def test_a_job_among_a_million_is_found_again(name: str, again: int, *, may_ascend: bool) -> None:
    """A million different jobs have no duplicate."""
    seen = SeenJobs(1_000_000, may_ascend=may_ascend)
    for begin in range(0, 1_000_000, 5_000):
        seen.add([name.format(number) for number in range(begin, begin + 5_000)])
    seen.add([])
    assert not seen.has_duplicate()
    seen.add([name.format(again)])
    assert seen.has_duplicate()


def test_a_job_is_found_twice_on_one_page() -> None:
    """Neighbours are compared too."""
    seen = SeenJobs(4)
    seen.add(["a", "b", "b", "c"])
    assert seen.has_duplicate()


def test_ascending_jobs_take_no_memory() -> None:
    """A list of ten million jobs would take 80 MB otherwise, and its check a third of the time of a pass."""
    seen = SeenJobs(10_000_000)
    tracemalloc.start()
    try:
        for page in range(10):
            seen.add([f"job-{page}-{number:04}" for number in range(5_000)])
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not seen.has_duplicate()
    assert kept < 20_000


@pytest.mark.parametrize("last", ["job-3", "job-2", "a"], ids=["the same", "an earlier one", "a new one"])
def test_jobs_that_stop_ascending_are_not_taken_for_all_different(last: str) -> None:
    seen = SeenJobs(10)
    seen.add(["job-1", "job-2"])
    seen.add(["job-3"])
    with pytest.raises(NotAscending):
        seen.add([last])


def test_duplicate_on_the_first_page_is_found() -> None:
    for page in (["a", "a"], ["a", "b", "b"], ["b", "a", "b"]):
        seen = SeenJobs(10)
        seen.add(page)
        assert seen.has_duplicate()
