"""python -m tests.faults.quick_notifier: a notifier that retries after fractions of a second, not of days."""

import asyncio

from batches.settings import DatabaseSettings
from process import logs
from process.configuration import load
from services.notifier import notifier
from services.notifier.settings import NotifierSettings
from services.notifier.wiring import notifier_process
from tests.faults.webhook_receiver import READY

RETRY_SECONDS = (0.1,) * 1_000
"""So many attempts that no webhook dies: the receiver accepts most of them."""
LEASE_SECONDS = 3.0
"""What a killed notifier has claimed is tried again after this time: longer than the longest attempt."""


async def notify() -> None:
    """Work until killed."""
    settings, database = load(NotifierSettings, DatabaseSettings), load(DatabaseSettings, NotifierSettings)
    async with notifier_process(settings, database, RETRY_SECONDS) as (_, working):
        print(READY, flush=True)
        await working


if __name__ == "__main__":
    logs.configure()
    notifier.LEASE_SECONDS = LEASE_SECONDS
    asyncio.run(notify())
