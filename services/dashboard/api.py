"""The JSON that pages ask for; equal requests share one call to the progress server."""

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message

from batchprogress.v1 import progress_pb2 as pb
from services.dashboard import listing
from services.dashboard.convert import to_list, to_repair
from services.dashboard.listing import BatchFilter, Errors, Page
from services.dashboard.progress_client import ProgressClient
from services.dashboard.shared_answers import SharedAnswers

REPAIRS_MAX = 50
"""The newest repairs of a batch that a page shows; a batch is repaired once or a few times."""


class Api:
    """The JSON API of the page. Every method raises a DashboardError if it cannot answer."""

    def __init__(self, progress: ProgressClient, shared: SharedAnswers) -> None:
        self._progress = progress
        self._shared = shared

    async def batches(self, sought: BatchFilter) -> bytes:
        """Return a page of batches, newest first."""

        async def ask() -> bytes:
            return _page_json("batches", await listing.list_batches(self._progress, sought))

        return await self._shared.get(("batches", sought), ask)

    async def failure_groups(self, batch_id: str) -> bytes:
        """Return the failure groups of a batch, largest first."""

        async def ask() -> bytes:
            answer = await self._progress.list_failure_groups(batch_id)
            return _json(failure_groups=to_list(answer.failure_groups))

        return await self._shared.get(("failure groups", batch_id), ask)

    async def failed_jobs(self, batch_id: str, errors: Errors, page_token: str) -> bytes:
        """Return a page of the jobs that failed with one kind of error, by job id."""

        async def ask() -> bytes:
            page = await listing.list_failed_jobs(self._progress, batch_id, errors, page_token)
            return _page_json("job_results", page)

        return await self._shared.get(("failed jobs", batch_id, errors, page_token), ask)

    async def repairs(self, batch_id: str) -> bytes:
        """Return the repairs of a batch, newest first."""

        async def ask() -> bytes:
            request = pb.ListRepairsRequest(batch_id=batch_id, page_size=REPAIRS_MAX)
            answer = await self._progress.list_repairs(request)
            return _json(repairs=[to_repair(repair) for repair in answer.repairs])

        return await self._shared.get(("repairs", batch_id), ask)


def _page_json(name: str, page: Page[Any]) -> bytes:
    items: Iterable[Message] = page.items
    fields = {name: to_list(items), "next_page_token": page.next_page_token, "searched": page.searched}
    return _json(**fields)


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()
