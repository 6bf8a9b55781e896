"""An application in JavaScript verifies webhooks with npm's `standardwebhooks`."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from batches.delivery import DeliveryFilter
from batches.store.batch_store import BatchStore
from tests.integration.notifier.conftest import Start
from tests.integration.store.steps import create, on_sqlite
from tests.support.npm import packages
from tests.support.receiver import OTHER_SECRET, SECRET, subscription, write_subscriptions

pytestmark = [on_sqlite, pytest.mark.more("installs packages from npm")]

PROJECT = Path(__file__).parent / "npm"
SECONDS_MAX = 30.0


class NodeReceiver:
    """A process of node that receives webhooks.

    Args:
        process: the process.

    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.url = ""

    async def line(self) -> Any:
        """Return what it writes next, parsed as JSON."""
        assert self._process.stdout is not None
        async with asyncio.timeout(SECONDS_MAX):
            return json.loads(await self._process.stdout.readline())


@asynccontextmanager
async def node_receiver(folder: Path, secret: str) -> AsyncIterator[NodeReceiver]:
    """Run a receiver with a secret while the context is open."""
    modules = packages(PROJECT)
    for name in ("receiver.js", "package.json"):
        shutil.copy(PROJECT / name, folder)
    (folder / "node_modules").symlink_to(modules)
    process = await asyncio.create_subprocess_exec(
        "node", "receiver.js", secret, cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    try:
        one = NodeReceiver(process)
        one.url = f"http://127.0.0.1:{await one.line()}/hooks"
        yield one
    finally:
        process.kill()
        await process.wait()


async def test_library_of_npm_verifies_a_delivery(store: BatchStore, start: Start, tmp_path: Path) -> None:
    await store.want_events()
    await create(store, 0, size="Größe")
    async with (
        node_receiver(tmp_path, SECRET) as receiver,
        start(write_subscriptions(tmp_path, subscription(receiver.url))),
    ):
        received = await receiver.line()
    (delivery,) = (await store.list_deliveries(DeliveryFilter("batch"), before_key=None, size=1)).items
    assert received == {"id": delivery.delivery_id, "type": "batch.completed", "batchId": "batch"}


async def test_library_of_npm_refuses_a_delivery_with_another_secret(
    store: BatchStore, start: Start, tmp_path: Path
) -> None:
    await store.want_events()
    await create(store, 0)
    async with (
        node_receiver(tmp_path, OTHER_SECRET) as receiver,
        start(write_subscriptions(tmp_path, subscription(receiver.url))),
    ):
        received = await receiver.line()
    assert received["error"] == "No matching signature found"
