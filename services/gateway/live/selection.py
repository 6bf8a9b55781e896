"""Which batches a viewer of many wants to see. Pure."""

from dataclasses import dataclass
from typing import Any

from batchprogress.v1 import progress_pb2 as pb


@dataclass(frozen=True, slots=True)
class Selection:
    """All batches with some labels whose ids begin with something."""

    labels: tuple[tuple[str, str], ...]
    """In the order of their keys, so that equal selections are equal."""
    id_prefix: str

    def within(self, prefix: str) -> "Selection | None":
        """Return the part whose ids begin with the prefix of a token, too; None if there can be none."""
        if prefix.startswith(self.id_prefix):
            return Selection(self.labels, prefix)
        return self if self.id_prefix.startswith(prefix) else None

    def fields(self) -> dict[str, Any]:
        """Return the selection as the fields that WatchBatches and ListBatches share."""
        return {"labels": dict(self.labels), "batch_id_prefix": self.id_prefix}


def to_selection(request: pb.WatchBatchesRequest) -> Selection:
    """Return the selection of a request."""
    return Selection(tuple(sorted(request.labels.items())), request.batch_id_prefix)
