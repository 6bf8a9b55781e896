"""What is kept of a list of jobs."""

import pytest

from batches.result import JobOutcome
from reconciler.queue.listing import ListingReader, ListingWalk, SeenJobs
from reconciler.queue.port import JobPage, QueueContradiction, QueueCounts, QueueJob
from tests.support.samples import BATCH, FAILED, SUCCEEDED, Stored, stored
from tests.unit.reconciler.model import World


def job(job_id: str, outcome: JobOutcome | None = SUCCEEDED, attempt: int = 1) -> QueueJob:
    """Return a job without an error."""
    return QueueJob(job_id, outcome, attempt)


def world(jobs: list[QueueJob], recorded: Stored, results_max: int = 10_000) -> World:
    """Return a batch whose queue lists these jobs, with what is recorded of them."""
    return World(BATCH, recorded, QueueCounts(total=len(jobs), lists_jobs=True), jobs, results_max)


async def test_what_is_missing() -> None:
    """Missing are ended jobs that are not recorded, or with a lower attempt; others are counted."""
    recorded = {**stored("same"), **stored("lower"), **stored("higher", attempt=2), **stored("other", FAILED)}
    jobs = [job("new"), job("same"), job("lower", attempt=2), job("higher"), job("other"), job("runs", None)]
    listing = await ListingReader(*2 * [world(jobs, recorded)]).read(BATCH, QueueCounts(total=6))
    assert {(one.job_id, one.attempt) for one in listing.missing} == {("new", 1), ("lower", 2)}
    assert (listing.new, listing.superseding, listing.conflicting) == (1, 1, 1)
    assert (listing.ended.ended, listing.pending, listing.listed_twice) == (5, 1, False)


@pytest.mark.parametrize("results_max", [2, 3, 5, 8, 100])
async def test_portions(results_max: int) -> None:
    """Portions hold at most so many results, each missing one once, and the last one has something new."""
    jobs = [job(f"job-{number}", attempt=1 + number % 3) for number in range(20)]
    recorded = {key: one for number in range(0, 20, 4) for key, one in stored(f"job-{number}").items()}
    reader = ListingReader(*2 * [world(jobs, recorded, results_max)], results_max=results_max)
    portion = await reader.read(BATCH, QueueCounts(total=20))
    missing = list(portion.missing)
    while portion.left_out:
        assert 0 < len(portion.missing) <= results_max
        assert portion.new > portion.new_in_missing
        portion = await reader.go_on(BATCH, portion)
        missing += portion.missing
    names = [one.job_id for one in missing]
    assert len(names) == len(set(names)) == 15 + sum(number % 3 > 0 for number in range(0, 20, 4))


async def test_listed_twice() -> None:
    """A job that is listed twice is noticed, however far apart."""
    jobs = [job(f"job-{number}") for number in range(20_000)]
    again = world([*jobs, jobs[7]], {})
    listing = await ListingReader(again, again).read(BATCH, QueueCounts(total=20_001))
    assert listing.listed_twice


@pytest.mark.parametrize("name", ["job-{}", "job-{:07}"], ids=["in any order", "ascending"])
@pytest.mark.parametrize("twice", [0, 999_999], ids=["the first", "the last"])
def test_a_million_jobs_are_not_one(name: str, twice: int) -> None:
    """Different jobs are told apart, and one that comes again is found, near or far."""
    seen = SeenJobs()
    for begin in range(0, 1_000_000, 5_000):
        seen.add([name.format(number) for number in range(begin, begin + 5_000)])
    seen.add([])
    assert not seen.has_twice()
    seen.add([name.format(twice)])
    assert seen.has_twice()


def test_a_job_twice_on_a_page() -> None:
    """Neighbours are told apart too."""
    seen = SeenJobs()
    seen.add(["a", "b", "b", "c"])
    assert seen.has_twice()


class Endless:
    """A queue whose list does not end."""

    def __init__(self, page: JobPage) -> None:
        """Take the page that it answers again and again, with a token of its own or a new one."""
        self.pages = 0
        self._page = page

    async def batch_counts(self, batch_id: str) -> QueueCounts:
        """Not asked for."""
        raise NotImplementedError

    async def job_page(self, batch_id: str, page_token: str, size: int) -> JobPage:  # noqa: ARG002
        """Return a page that promises another."""
        self.pages += 1
        return JobPage(self._page.jobs, self._page.next_page_token or str(self.pages))


ENDLESS = {
    "the same token again": JobPage((), "token"),
    "ever new tokens without jobs": JobPage(()),
    "ever the same jobs": JobPage((job("job"),)),
}


@pytest.mark.parametrize("page", ENDLESS.values(), ids=ENDLESS)
async def test_endless(page: JobPage) -> None:
    """A list that does not end is given up soon."""
    queue = Endless(page)
    with pytest.raises(QueueContradiction):
        await ListingReader(queue, world([], {})).read(BATCH, QueueCounts(total=10))
    assert queue.pages < 200


def test_kept_results_are_bounded() -> None:
    """A walk keeps no more results than it may, however many pages come."""
    walk = ListingWalk("batch", results_max=10)
    for number in range(100):
        walk.take(str(number), [job(f"job-{number}-{index}") for index in range(4)], {})
    listing = walk.listing()
    assert (len(listing.missing), listing.new, listing.left_out) == (7, 400, 393)
