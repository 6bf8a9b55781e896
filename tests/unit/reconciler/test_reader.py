"""How a list of jobs is read, page by page and portion by portion."""

from collections.abc import Callable

import pytest

from reconciler.queue.pages import EMPTY_PAGES_MAX
from reconciler.queue.port import JobPage, QueueContradiction, QueueCounts, QueueJob
from reconciler.queue.reader import ListingReader
from tests.support.samples import BATCH, Stored, stored
from tests.unit.reconciler.jobs import job
from tests.unit.reconciler.model import World


def world(jobs: list[QueueJob], recorded: Stored, results_max: int = 10_000) -> World:
    """Return a batch whose queue lists these jobs, and what is recorded of them."""
    return World(BATCH, recorded, QueueCounts(total=len(jobs), lists_jobs=True), jobs, results_max)


@pytest.mark.parametrize("results_max", [2, 3, 5, 8, 100])
async def test_portions_are_bounded_and_hold_each_missing_result_once(results_max: int) -> None:
    """Every portion but the last leaves something new for the last."""
    jobs = [job(f"job-{number}", attempt=1 + number % 3) for number in range(20)]
    recorded = {key: one for number in range(0, 20, 4) for key, one in stored(f"job-{number}").items()}
    one = world(jobs, recorded, results_max)
    reader = ListingReader(one, one, results_max=results_max)
    portion = await reader.read(BATCH, QueueCounts(total=20))
    missing = list(portion.missing)
    while portion.left_out:
        assert 0 < len(portion.missing) <= results_max
        assert portion.new > portion.new_in_missing
        portion = await reader.read_next_portion(BATCH, portion)
        missing += portion.missing
    names = [one.job_id for one in missing]
    assert len(names) == len(set(names)) == 15 + sum(number % 3 > 0 for number in range(0, 20, 4))


async def test_every_portion_knows_the_unreadable_jobs_of_the_whole_list() -> None:
    jobs = [QueueJob("a", None, problem="its result is not JSON"), *(job(f"job-{n}") for n in range(20))]
    one = world(jobs, {}, results_max=3)
    reader = ListingReader(one, one, results_max=3)
    portion = await reader.read(BATCH, QueueCounts(total=21))
    while portion.left_out:
        portion = await reader.read_next_portion(BATCH, portion)
        assert (portion.unreadable, portion.problem) == (1, "its result is not JSON")


async def test_a_duplicate_is_found_however_far_apart() -> None:
    """It is noted in the listing."""
    jobs = [job(f"job-{number}") for number in range(20_000)]
    one = world([*jobs, jobs[7]], {})
    listing = await ListingReader(one, one).read(BATCH, QueueCounts(total=20_001))
    assert listing.has_duplicate


async def test_a_list_that_ascends_only_at_first_is_read_again() -> None:
    """Its first jobs were not remembered, and one of them may follow once more."""
    ascending = [job(f"job-{number:05}") for number in range(12_000)]
    for extra, has_duplicate in ((job("job-00003"), True), (job("a"), False)):
        one = world([*ascending, extra], {})
        listing = await ListingReader(one, one).read(BATCH, QueueCounts(total=12_001))
        assert (listing.has_duplicate, listing.jobs, listing.new) == (has_duplicate, 12_001, 12_001)


class PagedQueue:
    """A queue that answers pages as told.

    Args:
        page: Makes a page; takes how many pages were asked for, this one included.

    """

    def __init__(self, page: Callable[[int], JobPage]) -> None:
        self.pages = 0
        self.page_size = 0
        self._page = page

    async def batch_counts(self, batch_id: str, jobs: int = 0) -> QueueCounts:
        """Raise: the reader does not ask for counts."""
        raise NotImplementedError

    async def job_page(self, batch_id: str, page_token: str, size: int) -> JobPage:  # noqa: ARG002
        """Return the next page."""
        self.pages += 1
        self.page_size = size
        return self._page(self.pages)


ENDLESS: dict[str, tuple[Callable[[int], JobPage], int]] = {
    "the same token again": (lambda _page: JobPage((), "token"), 3),
    "ever new tokens without jobs": (lambda page: JobPage((), str(page)), EMPTY_PAGES_MAX + 2),
    # The first two pages, and the one that is being requested then, come twice.
    "ever the same job": (lambda page: JobPage((job("job"),), str(page)), 15),
}


@pytest.mark.parametrize(("page", "pages_max"), ENDLESS.values(), ids=ENDLESS)
async def test_an_endless_list_is_given_up(page: Callable[[int], JobPage], pages_max: int) -> None:
    """Reading stops as soon as the list is known to be endless, except for the page being requested."""
    queue = PagedQueue(page)
    with pytest.raises(QueueContradiction):
        await ListingReader(queue, world([], {})).read(BATCH, QueueCounts(total=10))
    assert queue.pages <= pages_max


async def test_empty_pages_between_others_do_not_end_a_list() -> None:
    """Only many empty pages in a row mean that it is endless."""
    pages = 3 * EMPTY_PAGES_MAX

    def every_other(page: int) -> JobPage:
        jobs = (job(f"job-{page:04}"),) if page % 2 else ()
        return JobPage(jobs, str(page) if page < pages else "")

    listing = await ListingReader(PagedQueue(every_other), world([], {})).read(
        BATCH, QueueCounts(total=pages // 2)
    )
    assert listing.jobs == pages // 2


async def test_a_page_with_one_job_too_many_is_refused() -> None:
    """A portion could not hold it."""
    whole = tuple(job(f"job-{number}") for number in range(5))
    queue = PagedQueue(lambda _page: JobPage(whole))
    reader = ListingReader(queue, world([], {}), results_max=9)
    with pytest.raises(QueueContradiction, match="more jobs on a page"):
        await reader.read(BATCH, QueueCounts(total=5))
    assert queue.page_size == 4


async def test_a_list_that_is_longer_than_the_counts_is_refused() -> None:
    """It is not read to its end."""
    queue = PagedQueue(lambda page: JobPage(tuple(job(f"job-{page}-{n}") for n in range(4)), str(page)))
    with pytest.raises(QueueContradiction, match="more jobs than the 5"):
        await ListingReader(queue, world([], {})).read(BATCH, QueueCounts(total=5))
    assert queue.pages <= 3
