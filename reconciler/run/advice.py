"""Tells people about batches that stay as they are."""

from batches.store.batch_store import BatchStore
from reconciler.decision.by_person import with_advice
from reconciler.decision.not_repaired import NotRepaired
from reconciler.queue.port import QueueFault, QueueTimeout
from reconciler.run.queue_errors import left_by
from reconciler.run.result import BatchInProgress
from reconciler.run.workers import Repair


class Adviser:
    """Adds to the reason why a batch was left since when nothing has changed, and what a person can do.

    Args:
        repair: Repairs a batch; returns why no more was done.
        store: Where the looks of earlier passes are kept.
        after_seconds: How long a batch may stay unchanged before a person is needed.

    """

    def __init__(self, repair: Repair, store: BatchStore, after_seconds: float) -> None:
        self._repair = repair
        self._store = store
        self._after_seconds = after_seconds

    async def repair(self, batch: BatchInProgress) -> NotRepaired | None:
        """Repair a batch; return why no more was done, with the advice."""
        try:
            left = await self._repair(batch)
        except (QueueFault, QueueTimeout) as error:  # what else may be raised concerns more than this batch
            left = left_by(error)
        if left is None:
            return None
        key = batch.current.batch_key
        look = (await self._store.read_findings([key]))[key].look
        return with_advice(left, batch.current, batch.pending, look, self._after_seconds)
