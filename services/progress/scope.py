"""What a caller may know and use: batches under its token's prefix, and so many results at a time.

A batch of another prefix is answered as one that was never created, before the store is
asked: nothing tells the two apart.
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
"""Records results and returns an answer for each; calls what it is given when they are under way no more."""


def own(batch_id: str) -> str:
    """Return the id of a batch that is asked for; raises BatchNotFound if the caller may not know of it."""
    if not caller().owns(batch_id):
        raise BatchNotFound(batch_id)
    return batch_id


def creatable(new: NewBatch) -> NewBatch:
    """Return a batch that is to be created; raises ForeignBatchId if its id is not the caller's to give."""
    if not caller().owns(new.batch_id):
        raise ForeignBatchId(caller().batch_prefix)
    return new


async def record(results: Sequence[JobResult], submit: Submit) -> list[Answer]:
    """Record the caller's results within its limits; each of a batch that it may not know is refused."""
    who = caller()
    if not who.batch_prefix:
        return await _record_of(who, results, submit)
    known = [result for result in results if who.owns(result.batch_id)]
    answers = iter(await _record_of(who, known, submit) if known else [])
    return [
        next(answers) if who.owns(result.batch_id) else BatchNotFound(result.batch_id) for result in results
    ]


async def _record_of(who: Principal, results: Sequence[JobResult], submit: Submit) -> list[Answer]:
    """Count the results until their group is recorded: giving up the call takes none of them back."""
    who.usage.take_results(len(results), who.limits)
    return await submit(results, partial(who.usage.give_results, len(results)))


@contextmanager
def watching() -> Iterator[None]:
    """Count a watch of the caller while the context is open; raises Refusal if it holds too many."""
    who = caller()
    who.usage.take_watch(who.limits)
    try:
        yield
    finally:
        who.usage.give_watch()
