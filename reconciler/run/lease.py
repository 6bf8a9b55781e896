"""A lease in the database keeps a second pass out; it is renewed while the pass runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import structlog

from batches.errors import DatabaseUnavailable
from batches.store.batch_store import BatchStore
from reconciler.run.deadline import Deadline, StopReason

LEASE_NAME = "reconciler"
LEASE_SECONDS = 60.0
"""How long the lease of a killed pass keeps the next one out; passes are minutes apart."""
RENEW_SECONDS = 20.0
"""A third of the lease: two renewals may fail before it is lost."""

_log = structlog.get_logger()


@asynccontextmanager
async def hold_lease(
    store: BatchStore,
    deadline: Deadline,
    *,
    seconds: float = LEASE_SECONDS,
    renew_seconds: float = RENEW_SECONDS,
) -> AsyncIterator[bool]:
    """Hold the lease during the block; yield False if another pass has it.

    Args:
        store: Where the lease is kept.
        deadline: Stopped when another pass has taken the lease.
        seconds: How long the lease lasts without a renewal.
        renew_seconds: The time between renewals.

    Raises:
        DatabaseUnavailable: The database did not answer the request for the lease.

    """
    holder = uuid4().hex
    if not await store.acquire_lease(LEASE_NAME, holder, seconds):
        yield False
        return
    renewing = asyncio.create_task(_renew(store, deadline, holder, seconds, renew_seconds))
    try:
        yield True
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        with suppress(DatabaseUnavailable):  # the lease then expires by itself
            await store.release_lease(LEASE_NAME, holder)


async def _renew(
    store: BatchStore, deadline: Deadline, holder: str, seconds: float, renew_seconds: float
) -> None:
    while True:
        await asyncio.sleep(renew_seconds)
        try:
            if not await store.acquire_lease(LEASE_NAME, holder, seconds):
                deadline.stop(StopReason.LEASE_LOST)
                return
        except DatabaseUnavailable:
            _log.warning("the lease was not renewed")
