"""A lease that is renewed for as long as its holder works."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import structlog

from batches.errors import DatabaseUnavailable
from batches.store.batch_store import BatchStore

LEASE_SECONDS = 60.0
"""How long the lease of a killed holder keeps the next one out."""
RENEW_SECONDS = 20.0
"""A third of the lease: two renewals may fail before it is lost."""

_log = structlog.get_logger()


@asynccontextmanager
async def hold_lease(
    store: BatchStore,
    name: str,
    lost: Callable[[], object],
    *,
    seconds: float = LEASE_SECONDS,
    renew_seconds: float = RENEW_SECONDS,
) -> AsyncIterator[bool]:
    """Hold a lease during the block; yield False if another holder has it.

    Args:
        store: Where the lease is kept.
        name: What is leased.
        lost: Called when another holder has taken the lease.
        seconds: How long the lease lasts without a renewal.
        renew_seconds: The time between renewals.

    Raises:
        DatabaseUnavailable: The database did not answer the request for the lease.

    """
    holder = uuid4().hex
    if not await store.acquire_lease(name, holder, seconds):
        yield False
        return

    async def renew() -> None:
        while True:
            await asyncio.sleep(renew_seconds)
            try:
                if not await store.acquire_lease(name, holder, seconds):
                    lost()
                    return
            except DatabaseUnavailable:
                _log.warning("the lease was not renewed", lease=name)

    renewing = asyncio.create_task(renew())
    try:
        yield True
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        with suppress(DatabaseUnavailable):  # the lease then expires by itself
            await store.release_lease(name, holder)
