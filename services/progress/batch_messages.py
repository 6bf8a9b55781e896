"""Makes the messages of batches; what the reconciler found is read only for those that have stalled.

A batch that moves costs no query more, and reports do not come here at all.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence

from batches import pace
from batches.batch import Batch
from batches.errors import DatabaseUnavailable
from batches.stall import Findings
from batchprogress.v1 import progress_pb2 as pb
from services.progress.convert import BatchConverter, shared_message
from services.progress.slices import Slices
from services.progress.watch import Snapshot

ReadFindings = Callable[[Collection[int]], Awaitable[dict[int, Findings]]]
"""Reads what the reconciler found about batches, by batch_key."""


class BatchMessages:
    """Makes the messages of batches as they are now.

    Args:
        converter: makes a message.
        read_findings: reads what the reconciler found.
        slices: gives way to other calls while many messages are made.

    """

    def __init__(self, converter: BatchConverter, read_findings: ReadFindings, slices: Slices) -> None:
        self._converter = converter
        self._read_findings = read_findings
        self._slices = slices

    def of_changed(self, batch: Batch) -> pb.Batch:
        """Return the message of a batch that a request has changed, without what the reconciler found."""
        return self._converter.to_batch(batch)

    async def of(self, batches: Sequence[Batch]) -> list[pb.Batch]:
        """Return the messages of batches that were just read."""
        stalled = [one.batch_key for one in batches if pace.has_stalled(one, one.read_time)]
        findings = await self._findings(stalled)
        return await self._slices.each(
            lambda one: self._converter.to_batch(one, findings.get(one.batch_key)), batches
        )

    async def of_snapshot(self, snapshot: Snapshot) -> pb.WatchBatchResponse:
        """Return the message of a watched batch; its watchers share it. It must not be changed."""
        message = shared_message(snapshot)
        if message is not None:
            return message
        batch = snapshot.batch
        stalled = [batch.batch_key] if pace.has_stalled(batch, snapshot.database_time()) else []
        findings = await self._findings(stalled)
        return self._converter.to_watch_response(snapshot, findings.get(batch.batch_key))

    async def of_snapshots(self, snapshots: Sequence[Snapshot]) -> list[pb.Batch]:
        """Return the messages of watched batches; they must not be changed."""
        made = [shared_message(snapshot) is not None for snapshot in snapshots]
        stalled = [
            snapshot.batch.batch_key
            for snapshot, is_made in zip(snapshots, made, strict=True)
            if not is_made and pace.has_stalled(snapshot.batch, snapshot.database_time())
        ]
        findings = await self._findings(stalled)
        return await self._slices.each(
            lambda one: self._converter.to_watch_response(one, findings.get(one.batch.batch_key)).batch,
            snapshots,
        )

    async def _findings(self, keys: Collection[int]) -> dict[int, Findings]:
        """Read what was found; nothing while the database is away, since the batches were read already."""
        if not keys:
            return {}
        try:
            return await self._read_findings(keys)
        except DatabaseUnavailable:
            return {}
