"""The ids that are kept between the pages of a listing."""

from collections.abc import Sequence

import pytest

from services.job_status.source import BatchUnknown
from services.job_status.sources.listings import KEPT_SECONDS_MAX, Listings

IDS = [f"job-{number}" for number in range(5)]


class Batches:
    """Batches of the same ids, whose reads are counted."""

    def __init__(self) -> None:
        """Start with IDS in each, at second 0."""
        self.ids: Sequence[str] = IDS
        self.reads: list[str] = []
        self.now = 0.0

    async def read(self, batch_id: str) -> Sequence[str]:
        """Return all ids of a batch."""
        self.reads.append(batch_id)
        return self.ids

    def clock(self) -> float:
        """Tell the second."""
        return self.now


@pytest.fixture
def batches() -> Batches:
    """Return the batches."""
    return Batches()


async def test_pages(batches: Batches) -> None:
    """Every id is on one page, the last page names no next one, and the ids are read once."""
    listings = Listings()
    assert await listings.page("a", None, 2, batches.read) == (IDS[:2], "job-1")
    assert await listings.page("a", "job-1", 2, batches.read) == (IDS[2:4], "job-3")
    assert await listings.page("a", "job-3", 2, batches.read) == (IDS[4:], None)
    assert batches.reads == ["a"]


async def test_first_page_reads(batches: Batches) -> None:
    """A listing begins with what is there now, not with what an earlier one found."""
    listings = Listings()
    await listings.page("a", None, 2, batches.read)
    batches.ids = ["another"]
    assert await listings.page("a", None, 2, batches.read) == (["another"], None)


async def test_any_page_of_a_stranger(batches: Batches) -> None:
    """A listing that another replica began goes on here after the same id, even one that is gone."""
    assert await Listings().page("a", "job-10", 9, batches.read) == (IDS[2:], None)


async def test_old_listings_are_dropped(batches: Batches) -> None:
    """A listing that nobody went on with is read anew; one in use is kept."""
    listings = Listings(clock=batches.clock)
    await listings.page("a", None, 1, batches.read)
    for batches.now in (KEPT_SECONDS_MAX, 2 * KEPT_SECONDS_MAX):
        await listings.page("a", "job-0", 1, batches.read)
    assert batches.reads == ["a"]
    batches.now = 3 * KEPT_SECONDS_MAX + 1
    await listings.page("a", "job-1", 1, batches.read)
    assert batches.reads == ["a", "a"]


async def test_bounded(batches: Batches) -> None:
    """No more ids are kept than the limit: the least recently used go, and a larger batch is not kept."""
    listings = Listings(kept_ids_max=2 * len(IDS))
    for batch_id in ("a", "b"):
        await listings.page(batch_id, None, 1, batches.read)
    await listings.page("a", "job-0", 1, batches.read)
    await listings.page("c", None, 1, batches.read)
    assert batches.reads == ["a", "b", "c"]
    for batch_id in ("a", "c", "b"):
        await listings.page(batch_id, "job-0", 1, batches.read)
    assert batches.reads == ["a", "b", "c", "b"]
    batches.ids = [f"job-{number:02}" for number in range(2 * len(IDS) + 1)]
    for after in (None, "job-00", "job-01"):
        await listings.page("large", after, 1, batches.read)
    assert batches.reads.count("large") == 3


async def test_unknown_batch(batches: Batches) -> None:
    """What reading raises is raised, and nothing is kept of it."""

    async def unknown(_: str) -> Sequence[str]:
        raise BatchUnknown

    listings = Listings()
    with pytest.raises(BatchUnknown):
        await listings.page("a", None, 1, unknown)
    await listings.page("a", "job-0", 1, batches.read)
    assert batches.reads == ["a"]
