"""The part of the store about the passes of the reconciler."""

from functools import partial

from batches.listing import Page
from batches.passes import SCHEDULED, BegunPass, Pass, PassKind, PassNumbers
from batches.server_info import ServerInfo
from batches.store import lease, passes, server_info
from batches.store.database import Database


class PassStore:
    """The operations on passes and their leases, one transaction each.

    Args:
        database: The database, already migrated; the caller closes it.

    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin_pass(
        self, kind: PassKind = SCHEDULED, retention_seconds: float = 0.0, *, trusts_clock: bool = False
    ) -> BegunPass:
        """Note that a pass of the reconciler begins.

        Args:
            kind: Who asked for it, and for what.
            retention_seconds: How long batches are kept after their end; 0 keeps them for ever.
            trusts_clock: Whether the clock is believed even if it has jumped ahead.

        """
        return await self._database.write(
            lambda c: passes.begin_pass(c, kind, retention_seconds, trusts_clock=trusts_clock)
        )

    async def end_pass(self, begun: BegunPass, numbers: PassNumbers) -> None:
        """Note that a pass has ended, and what it did."""
        await self._database.write(lambda c: passes.end_pass(c, begun, numbers))

    async def list_passes(self, *, before_key: int | None, size: int) -> Page[Pass, int]:
        """Return a page of the passes of the reconciler that are kept, newest first.

        Args:
            before_key: The next_key of the page before; None for the first page.
            size: The maximum number of passes on the page.

        """
        return await self._database.read(partial(passes.list_passes, before_key=before_key, size=size))

    async def read_server_info(self) -> ServerInfo:
        """Return the kind and version of the database, and when the last pass of the reconciler ended."""
        return await self._database.read(server_info.read_server_info)

    async def acquire_lease(self, name: str, holder: str, seconds: float) -> bool:
        """Acquire or renew a lease; return False if another holder has it."""
        return await self._database.write(lambda c: lease.acquire(c, name, holder, seconds))

    async def release_lease(self, name: str, holder: str) -> None:
        """Release a lease if this holder still has it."""
        await self._database.write(lambda c: lease.release(c, name, holder))
