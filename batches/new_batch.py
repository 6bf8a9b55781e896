"""A batch that is to be created, and what its id finds if there is one already. Pure."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from batches.batch import Batch, BatchState
from batches.errors import BatchConflict, BatchEnded
from batches.failure_limit import FailureLimit


class IfEnded(enum.IntEnum):
    """What happens to a batch of the same id that has ended. The numbers equal those of the contract."""

    RETURN = 0
    ERROR = 1
    REPLACE = 2


@dataclass(frozen=True, slots=True)
class Creation:
    """How the batch that has the id was created, and whether it has ended."""

    batch_key: int
    total_jobs: int
    sealed: bool
    request_id: str | None
    state: BatchState
    complete_time: datetime | None
    failure_limit: FailureLimit | None = None

    @property
    def limit_text(self) -> str:
        """The limit of failed jobs in words."""
        return f"a limit of {self.failure_limit}" if self.failure_limit else "no limit of failed jobs"


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch that is to be created."""

    batch_id: str
    total_jobs: int
    sealed: bool = True
    display_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    request_id: str | None = None
    """Identifies the request: a retry finds the batch that it created, even if it has ended since."""
    if_ended: IfEnded = IfEnded.RETURN
    failure_limit: FailureLimit | None = None
    notify_url: str | None = None
    """Gets the events of the batch; never returned."""

    def replaces(self, existing: Creation) -> bool:
        """Return whether the new batch takes the place of an existing one, which is returned otherwise.

        Raises:
            BatchConflict: the existing batch was created with other numbers or another limit.
            BatchEnded: the existing batch has ended, and if_ended is ERROR.

        """
        is_retry = self.request_id is not None and self.request_id == existing.request_id
        if existing.complete_time is not None and not is_retry:
            if self.if_ended is IfEnded.REPLACE:
                return True
            if self.if_ended is IfEnded.ERROR:
                raise BatchEnded(self.batch_id, existing.state.name, existing.complete_time)
        created = (existing.total_jobs, existing.sealed, existing.failure_limit)
        if created != (self.total_jobs, self.sealed, self.failure_limit):
            limit = existing.limit_text if existing.failure_limit != self.failure_limit else ""
            raise BatchConflict(self.batch_id, existing.total_jobs, sealed=existing.sealed, limit=limit)
        return False

    def created(self, now: datetime) -> Batch:
        """Return the batch at its creation; one that is sealed and has no jobs completes at once."""
        batch = Batch(
            batch_key=0,  # the database assigns it
            batch_id=self.batch_id,
            display_name=self.display_name,
            labels=self.labels,
            sealed=self.sealed,
            announced_jobs=self.total_jobs,
            failure_limit=self.failure_limit,
            create_time=now,
            read_time=now,
        )
        return batch.with_end()
