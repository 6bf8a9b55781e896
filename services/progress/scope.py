"""What a caller may see and use: the batches under its prefix, within its limits.

A batch with another prefix is answered like a batch that was never created, before the store is asked:
the answers do not differ.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from batches.batch import NewBatch
from batches.errors import BatchNotFound
from batches.result import JobResult
from rpc.callers.principal import Principal, caller
from services.progress.errors import ForeignBatchId
from services.progress.group_commit import Answer

Submit = Callable[[Sequence[JobResult], Callable[[], None]], Awaitable[list[Answer]]]
"""Records results, returns an answer for each, and calls its second argument when they are answered."""


def require_visible(batch_id: str) -> str:
    """Return the id of a batch that the caller asks for.

    Raises:
        BatchNotFound: the batch does not exist for the caller.

    """
    if not caller().owns(batch_id):
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


async def record_within_limits(results: Sequence[JobResult], submit: Submit) -> list[Answer]:
    """Record the caller's results.

    Args:
        results: at least one result.
        submit: records results.

    Returns:
        An answer for each; BatchNotFound for a result of a batch that does not exist for the caller.

    Raises:
        Refusal: the caller has too many results in flight; nothing was recorded.

    """
    principal = caller()
    if not principal.batch_prefix:
        return await _record(principal, results, submit)
    visible = [result for result in results if principal.owns(result.batch_id)]
    answers = iter(await _record(principal, visible, submit) if visible else [])
    return [
        next(answers) if principal.owns(result.batch_id) else BatchNotFound(result.batch_id)
        for result in results
    ]


async def _record(principal: Principal, results: Sequence[JobResult], submit: Submit) -> list[Answer]:
    """Count the results until their group is recorded, even if the call is cancelled meanwhile."""
    principal.usage.acquire_results(len(results), principal.limits)
    return await submit(results, partial(principal.usage.release_results, len(results)))


@contextmanager
def open_watch() -> Iterator[None]:
    """Count a watch of the caller while the context is open.

    Raises:
        Refusal: the caller has too many open watches.

    """
    principal = caller()
    principal.usage.acquire_watch(principal.limits)
    try:
        yield
    finally:
        principal.usage.release_watch()
