"""Which batches a list contains, and whether a server has listed only those. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from batchprogress._calls.call_errors import Subject
from batchprogress._calls.convert import STATE_NUMBERS
from batchprogress.errors import ServerTooOld
from batchprogress.models import Batch, BatchState
from batchprogress.paging import Page
from batchprogress.v1 import progress_pb2 as pb


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Selects the batches that match all of its parts; by default, every batch.

    Raises:
        ValueError: a time has no time zone.

    """

    state: BatchState | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    id_prefix: str = ""
    stalled: bool = False
    with_failures: bool = False
    created_from: datetime | None = None
    created_before: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("created_from", "created_before"):
            time = getattr(self, name)
            if time is not None and time.tzinfo is None:
                raise ValueError(f"{name} must have a time zone, as datetime.now(timezone.utc) has")

    def request(self, page_size: int, page_token: str) -> pb.ListBatchesRequest:
        """Return the request for a page."""
        return pb.ListBatchesRequest(
            state=pb.BATCH_STATE_UNSPECIFIED if self.state is None else STATE_NUMBERS[self.state],
            labels=self.labels,
            page_size=page_size,
            page_token=page_token,
            batch_id_prefix=self.id_prefix,
            stalled=self.stalled,
            with_failures=self.with_failures,
            created_from=_timestamp(self.created_from),
            created_before=_timestamp(self.created_before),
        )

    def check(self, page: Page[Batch], subject: Subject, _seconds: float) -> None:
        """Raise ServerTooOld if the server has ignored a part of the filter, as those of 0.1 do."""
        if all(self._selects(batch) for batch in page.items):
            return
        detail = "the server does not know all filters and returned other batches, too"
        raise ServerTooOld(f"{subject}: {detail}: upgrade the server", reason="FILTER_IGNORED", detail=detail)

    def _selects(self, batch: Batch) -> bool:
        return (
            batch.batch_id.startswith(self.id_prefix)
            and (not self.stalled or bool(batch.stall_reason))
            and (not self.with_failures or batch.failed_jobs > 0)
            and (self.created_from is None or batch.create_time >= self.created_from)
            and (self.created_before is None or batch.create_time < self.created_before)
        )


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp
