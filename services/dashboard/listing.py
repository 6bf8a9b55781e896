"""Pages of batches and of failed jobs, searched beyond what ProgressService filters by.

ProgressService filters batches by state and labels, and results by outcome. Text, and the
kind of an error, are looked for here: in so many of the newest batches, or of the first
failed jobs, at a time. A page then says how many it looked at and where to look on.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from batchprogress.v1 import progress_pb2 as pb
from services.dashboard.likeness import fits
from services.dashboard.progress_client import ProgressClient

PAGE_SIZE = 50
"""Items of a page: as many as a person looks through. A searched page has more, up to its last read's end."""
SEARCHED_AT_A_TIME = 250
"""Read at a time when searching: 100 KB."""
SEARCHED_MAX = 5_000
"""Of one page: 20 reads, well below a second of the server's time."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Which batches a page shows."""

    state: str = ""
    """PROCESSING, COMPLETED or CANCELLED; empty is any."""
    labels: tuple[tuple[str, str], ...] = ()
    """Labels with values; a batch has all of them."""
    text: str = ""
    """In the id, the name or a label, in upper or lower case; empty is any."""
    page_token: str = ""

    def matches(self, batch: pb.Batch) -> bool:
        """Tell whether the text is in a batch."""
        sought = self.text.casefold()
        labels = (f"{key}={value}" for key, value in batch.labels.items())
        return any(sought in text.casefold() for text in (batch.batch_id, batch.display_name, *labels))


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors that are alike, as a group of failures tells."""

    error_type: str
    """Empty is that of failures reported without one."""
    template: str = ""
    """What their messages have in common, with <*> for each part that varies; empty is any."""

    def include(self, result: pb.JobResult) -> bool:
        """Tell whether a job failed with one of them."""
        return result.error_type == self.error_type and fits(result.error_message, self.template)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """What was found, and where to look on."""

    items: list[Item]
    next_page_token: str
    searched: int
    """How many were looked at for it; 0 if nothing had to be searched for."""


async def list_batches(progress: ProgressClient, sought: BatchFilter) -> Page[pb.Batch]:
    """Return a page of batches, newest first."""
    request = pb.ListBatchesRequest(
        state=pb.BatchState.Value(f"BATCH_STATE_{sought.state or 'UNSPECIFIED'}"),
        labels=dict(sought.labels),
        page_token=sought.page_token,
    )
    if not sought.text:
        request.page_size = PAGE_SIZE
        answer = await progress.list_batches(request)
        return Page(list(answer.batches), answer.next_page_token, 0)
    pages = _pages(progress.list_batches, request, "batches")
    return await _search(pages, sought.matches)


async def list_failed_jobs(
    progress: ProgressClient, batch_id: str, errors: Errors, page_token: str
) -> Page[pb.JobResult]:
    """Return a page of the jobs that failed with such an error, by job id."""
    request = pb.ListJobResultsRequest(
        batch_id=batch_id, outcome=pb.JOB_OUTCOME_FAILED, page_token=page_token
    )
    pages = _pages(progress.list_job_results, request, "job_results")
    return await _search(pages, errors.include)


async def _pages(
    method: Callable[[Any], Any],
    request: Any,
    items: str,
) -> AsyncGenerator[tuple[list[Any], str], None]:
    """Yield the items of each page, and the token of the page after it."""
    request.page_size = SEARCHED_AT_A_TIME
    while True:
        answer = await method(request)
        yield list(getattr(answer, items)), answer.next_page_token
        request.page_token = answer.next_page_token
        if not request.page_token:
            return


async def _search(
    pages: AsyncGenerator[tuple[list[Item], str], None], is_sought: Callable[[Item], bool]
) -> Page[Item]:
    """Read pages until a page's worth is found, or as many were looked at as may be."""
    page: Page[Item] = Page([], "", 0)
    async with aclosing(pages):
        async for items, token in pages:
            page = Page([*page.items, *filter(is_sought, items)], token, page.searched + len(items))
            if len(page.items) >= PAGE_SIZE or page.searched >= SEARCHED_MAX:
                break
    return page
