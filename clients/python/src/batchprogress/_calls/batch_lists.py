"""The call of Client that lists batches."""

from collections.abc import Mapping
from datetime import datetime

from batchprogress._calls import requests
from batchprogress._calls.batch_filter import BatchFilter
from batchprogress._calls.caller import Caller
from batchprogress._limits import PAGE_SIZE_MAX
from batchprogress.models import Batch, BatchState
from batchprogress.paging import Pages


class BatchLists:
    """Lists batches."""

    _caller: Caller

    def list(  # noqa: PLR0913  # filters, by keyword only
        self,
        *,
        state: BatchState | None = None,
        labels: Mapping[str, str] | None = None,
        batch_id_prefix: str = "",
        stalled: bool = False,
        with_failures: bool = False,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        page_size: int = PAGE_SIZE_MAX,
        page_token: str = "",
    ) -> Pages[Batch]:
        """List batches, newest first. Each page is read when the iteration reaches it.

        Args:
            state: only batches in this state. Default: all.
            labels: only batches that carry all of these labels.
            batch_id_prefix: only batches whose ids begin with this text. Default: all.
            stalled: only batches that have a stall_reason. Default: all.
            with_failures: only batches with failed jobs. Default: all.
            created_from: only batches created at this time, which has a time zone, or later. Default: all.
            created_before: only batches created before this time, which has a time zone. Default: all.
            page_size: the number of batches to read at a time, 1 to 1,000.
            page_token: where to begin: the next_page_token of an earlier page. Default: at the newest.

        Returns:
            The batches, to be iterated over, by item or by page. With filters, pages may be short or empty.
            The `total_size` of the first page is the number of all, up to 10,000; None if it is unknown.

        Raises:
            ValueError: a time has no time zone.
            ServerTooOld: the server ignores a filter, as those of 0.1 do with all but state and labels.
            CallFailed: when the iteration reads a page.

        Example:
            >>> for batch in client.list(state=BatchState.PROCESSING):
            ...     print(batch.batch_id, batch.percent_complete)

        """
        selected = BatchFilter(
            state, labels or {}, batch_id_prefix, stalled, with_failures, created_from, created_before
        )
        return Pages(
            lambda token: self._caller.answer(requests.batches_page(selected, page_size, token)),
            page_token,
        )
