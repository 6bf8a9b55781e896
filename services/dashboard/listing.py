"""Pages of batches and failed jobs, with filters that ProgressService does not have.

ProgressService filters batches by state and labels, and results by outcome. Text and the kind of an
error are searched here, in a bounded number of items a page. A page tells how many items were
searched and where the search continues.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from batchprogress.v1 import progress_pb2 as pb
from services.dashboard.likeness import fits
from services.dashboard.progress_client import ProgressClient

PAGE_SIZE = 50
"""Items of a page, as many as a person reads. A searched page holds up to one more read."""
SEARCHED_AT_A_TIME = 250
"""Items read in one call while searching; about 100 KB."""
SEARCHED_MAX = 5_000
"""Items searched for one page: 20 calls, well below a second of the server's time."""

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

    def matches(self, batch: pb.Batch) -> bool:
        """Tell whether a batch contains the text."""
        sought = self.text.casefold()
        labels = (f"{key}={value}" for key, value in batch.labels.items())
        return any(sought in text.casefold() for text in (batch.batch_id, batch.display_name, *labels))


@dataclass(frozen=True, slots=True)
class Errors:
    """Selects the errors of one failure group."""

    error_type: str
    """The type of the error; empty for failures that were reported without one."""
    template: str = ""
    """The template of their messages, with <*> for each part that varies; empty for any message."""

    def include(self, result: pb.JobResult) -> bool:
        """Tell whether a job failed with one of these errors."""
        return result.error_type == self.error_type and fits(result.error_message, self.template)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """The items found, and where the search continues."""

    items: list[Item]
    next_page_token: str
    searched: int
    """Items searched for this page; 0 if the server filtered alone."""


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
    """Return a page of the jobs that failed with one kind of error, by job id."""
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
    """Yield the items of each page and the token of the next page."""
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
    """Read pages until one page of items is found or the search limit is reached."""
    page: Page[Item] = Page([], "", 0)
    async with aclosing(pages):
        async for items, token in pages:
            page = Page([*page.items, *filter(is_sought, items)], token, page.searched + len(items))
            if len(page.items) >= PAGE_SIZE or page.searched >= SEARCHED_MAX:
                break
    return page
