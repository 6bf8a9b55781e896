"""Fixtures of the notifier's tests: a receiver, and notifiers on SQLite."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from batches.settings import DatabaseSettings
from services.notifier.settings import NotifierSettings
from services.notifier.wiring import NotifierProcess, notifier_process
from tests.support.receiver import Receiver, receiver

QUICK = (0.01,) * 9
"""A schedule with as many attempts as the real one."""

Start = Callable[..., AbstractAsyncContextManager[NotifierProcess]]


@pytest.fixture
async def hooks() -> AsyncIterator[Receiver]:
    """Return a receiver."""
    async with receiver() as one:
        yield one


@pytest.fixture
def start(database_url: str) -> Start:
    """Return what starts a notifier with a file of subscriptions and other settings."""

    @asynccontextmanager
    async def started(
        file: Path | None, schedule: tuple[float, ...] = QUICK, **settings: object
    ) -> AsyncIterator[NotifierProcess]:
        options = {"allow_private_addresses": True, "subscriptions_file": file, **settings}
        database = DatabaseSettings(database_url=SecretStr(database_url))
        async with notifier_process(NotifierSettings.model_validate(options), database, schedule) as (one, _):
            yield one

    return started
