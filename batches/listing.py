"""Lists are read in pages: the filter of a list, and a page of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from batches import pace
from batches.batch import Batch, BatchState
from batches.result import JobOutcome

Item = TypeVar("Item")
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Selects the batches that match all of its parts; by default, every batch."""

    state: BatchState | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """A batch must carry each of these labels with exactly this value."""
    id_prefix: str = ""
    hides_others: bool = False
    """Whether the prefix is that of a caller, so that no page may tell anything about other batches."""
    stalled: bool = False
    with_failures: bool = False
    created_from: datetime | None = None
    created_before: datetime | None = None

    @property
    def searched_state(self) -> BatchState | None:
        """The only state that a batch may have."""
        return BatchState.PROCESSING if self.stalled else self.state

    @property
    def needs_rows(self) -> bool:
        """Whether some part can only be answered by the row of a batch, not by an index."""
        return self.stalled or self.with_failures or self.has_times

    @property
    def has_times(self) -> bool:
        """Whether the time of creation matters."""
        return self.created_from is not None or self.created_before is not None

    def still_selects(self, batch: Batch) -> bool:
        """Return whether a found batch has not changed in between so that it no longer matches."""
        has_failures = batch.tally.failed > 0 or not self.with_failures
        return has_failures and (not self.stalled or pace.has_stalled(batch, batch.read_time))


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Selects the results of a batch that match all of its parts; by default, every result."""

    outcome: JobOutcome | None = None
    fingerprint: int | None = None
    """Of the error, for failures alone (batches.fingerprint)."""
    job_id_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item, Key]):
    """Some items of a list."""

    items: list[Item]
    next_key: Key | None
    """The key after which the next page begins; None on the last page."""


@dataclass(frozen=True, slots=True)
class Created:
    """The batches that were created since the last look."""

    read_time: datetime
    """By the database's clock."""
    newest_key: int
    """Up to which key all batches are among `keys`; 0 without any batch."""
    keys: list[int]
    batches: list[Batch]
    """Those that were not known yet, in the order of their keys."""
