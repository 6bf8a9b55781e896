"""What a caller may see and use: the batches under its prefix, within its limits.

A batch with another prefix is answered like a batch that was never created, before the store is asked:
the answers do not differ.
"""

from types import TracebackType

from batches.errors import BatchNotFound
from batches.new_batch import NewBatch
from rpc.answers.request_checks import REQUEST_BYTES
from rpc.callers.principal import caller
from services.progress.errors import ForeignBatchId
from services.progress.group_commit import Call, GroupCommit


def is_visible(batch_id: str) -> bool:
    """Return whether the batch may exist for the caller."""
    return caller().owns(batch_id)


def require_visible(batch_id: str) -> str:
    """Return the id of a batch that the caller asks for.

    Raises:
        BatchNotFound: the batch does not exist for the caller.

    """
    if not is_visible(batch_id):
        raise BatchNotFound(batch_id)
    return batch_id


def require_creatable(new: NewBatch) -> NewBatch:
    """Return a batch that the caller creates.

    Raises:
        ForeignBatchId: its id does not have the caller's prefix.

    """
    if not caller().owns(new.batch_id):
        raise ForeignBatchId(caller().batch_prefix)
    return new


def admit(size: int, group_commit: GroupCommit) -> Call:
    """Reserve room for the results of a call of the caller, before they are looked at.

    All that were sent count, valid or not, until they are answered, even if the call is cancelled meanwhile.

    Args:
        size: the number of results that were sent.
        group_commit: records results.

    Returns:
        The call, for `group_commit.record` or `group_commit.leave`.

    Raises:
        CallerResultsFull, BacklogFull, ShuttingDown: as `GroupCommit.admit`.

    """
    principal = caller()
    return group_commit.admit(
        size, REQUEST_BYTES.get(), principal.usage, principal.limits.results_in_flight_max
    )


class OpenWatch:
    """Counts a watch of the caller while the context is open."""

    __slots__ = ("_usage",)

    def __enter__(self) -> None:
        """Count the watch.

        Raises:
            Refusal: the caller has too many open watches.

        """
        principal = caller()
        principal.usage.acquire_watch(principal.limits)
        self._usage = principal.usage

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _frames: TracebackType | None
    ) -> None:
        """Stop counting the watch."""
        self._usage.release_watch()
