"""The JSON that pages ask for; equal requests share one call to the progress server."""

import json
from typing import Any

from batchprogress import Page
from services.dashboard import listing
from services.dashboard.convert import to_fields, to_list, to_repair
from services.dashboard.listing import BatchFilter, Found
from services.dashboard.progress_client import ProgressClient
from services.dashboard.shared_answers import SharedAnswers

GROUPS_PAGE_SIZE = 100
"""Failure groups that a page shows at a time."""
REPAIRS_MAX = 50
"""The newest repairs of a batch that a page shows; a batch is repaired once or a few times."""


class Api:
    """The JSON API of the page. Every method raises a DashboardError if it cannot answer."""

    def __init__(self, progress: ProgressClient, shared: SharedAnswers) -> None:
        self._progress = progress
        self._client = progress.client
        self._shared = shared

    async def batches(self, sought: BatchFilter) -> bytes:
        """Return a page of batches, newest first."""

        async def ask() -> bytes:
            with self._progress.translated():
                found = await listing.list_batches(self._client, sought)
                return _page_json("batches", found, searched=found.searched)

        return await self._shared.get(("batches", sought), ask, is_search=bool(sought.text))

    async def failure_groups(self, batch_id: str, page_token: str) -> bytes:
        """Return a page of the failure groups of a batch, largest first."""

        async def ask() -> bytes:
            with self._progress.translated():
                groups = self._client.failures(batch_id, page_size=GROUPS_PAGE_SIZE, page_token=page_token)
                page = await anext(groups.pages())
                return _page_json("failure_groups", page, total_size=page.total_size)

        return await self._shared.get(("failure groups", batch_id, page_token), ask)

    async def failed_jobs(self, batch_id: str, fingerprint: str, page_token: str) -> bytes:
        """Return a page of the jobs of a failure group, by job id."""

        async def ask() -> bytes:
            with self._progress.translated():
                found = await listing.list_failed_jobs(self._client, batch_id, fingerprint, page_token)
                return _page_json("job_results", found)

        return await self._shared.get(("failed jobs", batch_id, fingerprint, page_token), ask, is_search=True)

    async def pending_jobs(self, batch_id: str) -> bytes:
        """Return the jobs that were pending in the queue when the reconciler last looked, and why it left."""

        async def ask() -> bytes:
            with self._progress.translated():
                return json.dumps(to_fields((await self._client.pending_jobs(batch_id)).message)).encode()

        return await self._shared.get(("pending jobs", batch_id), ask)

    async def repairs(self, batch_id: str) -> bytes:
        """Return the repairs of a batch, newest first."""

        async def ask() -> bytes:
            with self._progress.translated():
                page = await anext(self._client.repairs(batch_id, page_size=REPAIRS_MAX).pages())
                return _json(repairs=[to_repair(repair) for repair in page.items])

        return await self._shared.get(("repairs", batch_id), ask)


def _page_json(name: str, page: Found[Any] | Page[Any], **fields: int | None) -> bytes:
    return _json(**{name: to_list(page.items)}, next_page_token=page.next_page_token, **fields)


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()
