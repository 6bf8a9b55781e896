"""Pages of batches, with a filter that ProgressService does not have, and of failed jobs.

ProgressService filters batches by state and labels. Text is searched here, in a bounded number of items a
page. A page tells how many items were searched and where the search continues.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from batchprogress import AsyncClient, Batch, BatchState, JobOutcome, JobResult, Page

PAGE_SIZE = 50
"""Items of a page, as many as a person reads. A searched page holds up to one more read."""
SEARCHED_AT_A_TIME = 250
"""Items read in one call while searching; about 100 KB."""
JOBS_PAGE_SIZE = 250
"""Failed jobs of a page, about 100 KB."""
SHORT_PAGES_MAX = 10
"""Calls for one page: in each, the server searches 10,000 failures or 500 batches with labels, and may find
none."""
SEARCHED_MAX = 5_000
"""Items searched for one page: 20 calls, well below a second of the server's time."""

PAUSE_FACTOR = 1
"""A search pauses after each call for this many times as long as the call took: workers report beside it."""
SEARCH_SECONDS_MAX = 2.0
"""The time of a search after which it makes no further call, while others wait for their turn."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Selects the batches that a page shows."""

    state: str = ""
    """PROCESSING, COMPLETED or CANCELLED; empty for any state."""
    labels: tuple[tuple[str, str], ...] = ()
    """Label keys and values; a batch must have all of them."""
    text: str = ""
    """Text in the id, the name or a label, ignoring case; empty for any batch."""
    page_token: str = ""

    def matches(self, batch: Batch) -> bool:
        """Tell whether a batch contains the text."""
        sought = self.text.casefold()
        labels = (f"{key}={value}" for key, value in batch.labels.items())
        return any(sought in text.casefold() for text in (batch.batch_id, batch.display_name, *labels))


@dataclass(frozen=True, slots=True)
class Found(Generic[Item]):
    """The items of a page, and where the search continues."""

    items: tuple[Item, ...]
    next_page_token: str
    searched: int
    """Items searched for this page; 0 if the server filtered alone."""


async def list_batches(client: AsyncClient, sought: BatchFilter) -> Found[Batch]:
    """Return a page of batches, newest first."""
    batches = client.list(
        state=BatchState(sought.state.lower()) if sought.state else None,
        labels=dict(sought.labels),
        page_size=SEARCHED_AT_A_TIME if sought.text else PAGE_SIZE,
        page_token=sought.page_token,
    )
    if sought.text:
        return await _search(batches.pages(), sought.matches)
    page = await _one_page(batches.pages())
    return Found(page.items, page.next_page_token, searched=0)


async def list_failed_jobs(
    client: AsyncClient, batch_id: str, fingerprint: str, page_token: str
) -> Page[JobResult]:
    """Return a page of the jobs of a failure group, by job id; it may be short, even empty."""
    failed = client.results(
        batch_id,
        outcome=JobOutcome.FAILED,
        fingerprint=fingerprint,
        page_size=JOBS_PAGE_SIZE,
        page_token=page_token,
    )
    return await _one_page(failed.pages())


async def _one_page(pages: AsyncIterator[Page[Item]]) -> Page[Item]:
    """Join short pages of the server to one."""
    items: tuple[Item, ...] = ()
    calls = 0
    async for page in pages:
        items, calls = (*items, *page.items), calls + 1
        if len(items) >= PAGE_SIZE or calls == SHORT_PAGES_MAX:
            break
    return Page(items, page.next_page_token)


async def _search(pages: AsyncIterator[Page[Item]], is_sought: Callable[[Item], bool]) -> Found[Item]:
    """Read pages until one page of items is found or the search limit is reached."""
    found: Found[Item] = Found((), "", 0)
    asked = time.monotonic()
    until = asked + SEARCH_SECONDS_MAX
    async for page in pages:
        items = (*found.items, *filter(is_sought, page.items))
        found = Found(items, page.next_page_token, found.searched + len(page.items))
        if len(found.items) >= PAGE_SIZE or found.searched >= SEARCHED_MAX or time.monotonic() > until:
            break
        await asyncio.sleep(PAUSE_FACTOR * (time.monotonic() - asked))
        asked = time.monotonic()
    return found
