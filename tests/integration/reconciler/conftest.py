"""An empty database and an empty queue."""

from collections.abc import AsyncIterator

import pytest

from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.reconciler.scenes import Scene
from tests.support.queue_fake import QueueFake, served


@pytest.fixture
async def scene(database_url: str, database: Database, store: BatchStore) -> AsyncIterator[Scene]:
    """Return an empty database and an empty queue."""
    queue = QueueFake()
    async with served(queue) as target:
        yield Scene(database_url, database, store, queue, target)
