"""Which batches a pass looks at."""

from collections.abc import AsyncGenerator

from batches.batch import Batch
from batches.store.batch_store import BatchStore

PAGE_BATCHES = 200
"""Batches read at once; each is read again where it has changed when its turn comes."""


def is_stuck(batch: Batch, stuck_after_seconds: float) -> bool:
    """Whether a batch got no result for so long, by the database's clock."""
    return (batch.read_time - batch.quiet_since).total_seconds() >= stuck_after_seconds


async def every(store: BatchStore) -> AsyncGenerator[Batch]:
    """Yield the batches that have not ended, by key."""
    after_key = 0
    while page := await store.list_processing(after_key=after_key, size=PAGE_BATCHES):
        for batch in page:
            yield batch
        after_key = page[-1].batch_key


async def stuck(store: BatchStore, stuck_after_seconds: float) -> AsyncGenerator[Batch]:
    """Yield those of them that are stuck."""
    async for batch in every(store):
        if is_stuck(batch, stuck_after_seconds):
            yield batch


async def one(batch: Batch) -> AsyncGenerator[Batch]:
    """Yield this batch, whatever it is at."""
    yield batch
