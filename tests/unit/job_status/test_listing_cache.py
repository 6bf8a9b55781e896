"""The cache of job ids between the pages of a listing."""

from collections.abc import Sequence

import pytest

from services.job_status.source import BatchUnknown
from services.job_status.sources.listing_cache import IDLE_SECONDS_MAX, ListingCache

IDS = [f"job-{number}" for number in range(5)]


class Batches:
    """Batches with the same job ids; counts how often each is read."""

    def __init__(self) -> None:
        self.ids: Sequence[str] = IDS
        self.reads: list[str] = []
        self.now = 0.0

    async def read(self, batch_id: str) -> Sequence[str]:
        """Return all job ids of a batch."""
        self.reads.append(batch_id)
        return self.ids

    def clock(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def batches() -> Batches:
    """Return the batches."""
    return Batches()


async def test_pages_list_every_id_once_and_read_once(batches: Batches) -> None:
    """The last page has no next key."""
    cache = ListingCache()
    assert await cache.page("a", None, 2, batches.read) == (IDS[:2], "job-1")
    assert await cache.page("a", "job-1", 2, batches.read) == (IDS[2:4], "job-3")
    assert await cache.page("a", "job-3", 2, batches.read) == (IDS[4:], None)
    assert batches.reads == ["a"]


async def test_last_page_that_is_full_has_no_next_key(batches: Batches) -> None:
    cache = ListingCache()
    assert await cache.page("a", "job-2", 2, batches.read) == (IDS[3:], None)
    assert await cache.page("a", None, len(IDS), batches.read) == (IDS, None)


async def test_first_page_reads_again(batches: Batches) -> None:
    """A new listing never starts from the ids of an earlier one."""
    cache = ListingCache()
    await cache.page("a", None, 2, batches.read)
    batches.ids = ["another"]
    assert await cache.page("a", None, 2, batches.read) == (["another"], None)


async def test_listing_of_another_replica_continues(batches: Batches) -> None:
    """It continues after the given id, even if no job has that id any more."""
    assert await ListingCache().page("a", "job-10", 9, batches.read) == (IDS[2:], None)


async def test_idle_listing_is_evicted(batches: Batches) -> None:
    """A listing in use is kept."""
    cache = ListingCache(clock=batches.clock)
    await cache.page("a", None, 1, batches.read)
    for batches.now in (IDLE_SECONDS_MAX, 2 * IDLE_SECONDS_MAX):
        await cache.page("a", "job-0", 1, batches.read)
    assert batches.reads == ["a"]
    batches.now = 3 * IDLE_SECONDS_MAX + 1
    await cache.page("a", "job-1", 1, batches.read)
    assert batches.reads == ["a", "a"]


async def test_least_recently_used_listing_is_evicted_at_the_limit(batches: Batches) -> None:
    """A batch with more ids than the limit is not cached."""
    cache = ListingCache(cached_ids_max=2 * len(IDS))
    for batch_id in ("a", "b"):
        await cache.page(batch_id, None, 1, batches.read)
    await cache.page("a", "job-0", 1, batches.read)
    await cache.page("c", None, 1, batches.read)
    assert batches.reads == ["a", "b", "c"]
    for batch_id in ("a", "c", "b"):
        await cache.page(batch_id, "job-0", 1, batches.read)
    assert batches.reads == ["a", "b", "c", "b"]
    batches.ids = [f"job-{number:02}" for number in range(2 * len(IDS) + 1)]
    for after in (None, "job-00", "job-01"):
        await cache.page("large", after, 1, batches.read)
    assert batches.reads.count("large") == 3


async def test_failed_read_is_raised_and_not_cached(batches: Batches) -> None:
    async def fail(_: str) -> Sequence[str]:
        raise BatchUnknown

    cache = ListingCache()
    with pytest.raises(BatchUnknown):
        await cache.page("a", None, 1, fail)
    await cache.page("a", "job-0", 1, batches.read)
    assert batches.reads == ["a"]
