"""What a pass does for webhooks: it tells that batches have recovered, and deletes what is old."""

from datetime import datetime

from batches.store.batch_store import BatchStore
from reconciler.run.deadline import Deadline


async def tell_recovered(store: BatchStore, deadline: Deadline) -> None:
    """Write the events of the batches that got a result since they were stuck.

    Args:
        store: Where batches are kept.
        deadline: When the pass stops; the next one continues.

    Raises:
        DatabaseUnavailable: the database does not answer.

    """
    while not deadline.is_over and await store.tell_recovered():
        pass


async def purge_webhooks(store: BatchStore, deadline: Deadline, before: datetime) -> None:
    """Delete the deliveries that ended before that time, and events for which no notifier has come since.

    Args:
        store: Where batches are kept.
        deadline: When the pass stops; the next one continues.
        before: Up to when it is deleted.

    Raises:
        DatabaseUnavailable: the database does not answer.

    """
    while not deadline.is_over and await store.purge_webhooks(before):
        pass
