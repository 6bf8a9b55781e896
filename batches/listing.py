"""Lists are read in pages: the filter of a list, and a page of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

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
