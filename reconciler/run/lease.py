"""What keeps a second pass from doing the same work: a lease in the database, renewed while it runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import structlog

from batches.errors import DatabaseUnavailable
from batches.store.batch_store import BatchStore
from reconciler.run.deadline import PassEnd

LEASE_NAME = "reconciler"
LEASE_SECONDS = 60.0
"""How long the lease of a pass that was killed keeps the next one out; passes are minutes apart."""
RENEW_SECONDS = 20.0
"""A third of it: two renewals may fail before the lease is lost."""

_log = structlog.get_logger()


@asynccontextmanager
async def held(
    store: BatchStore, end: PassEnd, *, seconds: float = LEASE_SECONDS, renew_seconds: float = RENEW_SECONDS
) -> AsyncIterator[bool]:
    """Hold the lease; False if another pass has it. Raises DatabaseUnavailable if it cannot be asked for."""
    holder = uuid4().hex
    if not await store.acquire_lease(LEASE_NAME, holder, seconds):
        yield False
        return
    renewing = asyncio.create_task(_renew(store, end, holder, seconds, renew_seconds))
    try:
        yield True
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        with suppress(DatabaseUnavailable):  # then it frees itself
            await store.release_lease(LEASE_NAME, holder)


async def _renew(store: BatchStore, end: PassEnd, holder: str, seconds: float, renew_seconds: float) -> None:
    """Renew for ever; end the pass if another one has taken the lease."""
    while True:
        await asyncio.sleep(renew_seconds)
        try:
            if not await store.acquire_lease(LEASE_NAME, holder, seconds):
                end.cut("another pass took its lease")
                return
        except DatabaseUnavailable:
            _log.warning("the lease was not renewed")
