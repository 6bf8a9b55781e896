"""Watchers of fault 9: each reconnects several times, then watches a batch to its end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from batchprogress.v1 import progress_pb2 as pb
from tests.faults.ledger import Sighting
from tests.support.progress import Stub

WATCH_ENDS = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
"""Codes of a watch whose server dies; it resumes on another server."""


@dataclass(slots=True)
class Watcher:
    """A watcher of one batch, which reconnects several times and then watches to the end."""

    stub: Stub
    sighting: Sighting
    stays: Sequence[float]
    """Seconds before each reconnect."""
    reading_pause_seconds: float = 0.0
    final: pb.Batch | None = None
    final_at: float = 0.0

    @property
    def is_slow(self) -> bool:
        """Whether it pauses after each message."""
        return self.reading_pause_seconds > 0

    async def come_and_go(self) -> None:
        """Watch for the time of each stay."""
        for seconds in self.stays:
            try:
                async with asyncio.timeout(seconds):
                    await self.watch_on()
            except TimeoutError:
                continue

    async def watch_on(self) -> None:
        """Watch to the end, resuming when a server dies."""
        while self.final is None:
            request = pb.WatchBatchRequest(
                batch_id=self.sighting.batch_id, after_revision=self.sighting.last_revision
            )
            try:
                async for message in self.stub.WatchBatch(request, wait_for_ready=True):
                    self._see(message.batch)
                    await asyncio.sleep(self.reading_pause_seconds)
            except grpc.aio.AioRpcError as error:
                if error.code() not in WATCH_ENDS:
                    raise

    def _see(self, batch: pb.Batch) -> None:
        self.sighting.see(batch.revision, batch.succeeded_jobs + batch.failed_jobs + batch.skipped_jobs)
        if batch.state != pb.BATCH_STATE_PROCESSING:
            self.final = batch
            self.final_at = asyncio.get_running_loop().time()
