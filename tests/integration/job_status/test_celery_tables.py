"""Which tasks a batch has, in Celery's table of groups: no part is ever missing without its being noticed."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery
from celery.result import GroupResult
from sqlalchemy.exc import IntegrityError

from batchprogress.integrations.celery_tables import GroupTable
from services.job_status.source import BatchUnknown
from services.job_status.sources.celery import CelerySource, DatabaseResults
from services.job_status.sources.database import QueueDatabase
from tests.integration.job_status.celery_app import make_app


class SlowTable(GroupTable):
    """That of a program which another one is ahead of, once it has looked."""

    def _value(self, group_id: str, task_ids: Sequence[str]) -> bytes:
        GroupTable(self._app).save_part("b", "other", ["other"])
        return super()._value(group_id, task_ids)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Celery]:
    """Return an application with results in a database."""
    app = make_app("memory://", f"db+sqlite:///{tmp_path}/results.db")
    yield app
    app.close()


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[CelerySource]:
    """Return the source over it."""
    database = QueueDatabase(f"sqlite+aiosqlite:///{tmp_path}/results.db")
    source = CelerySource(DatabaseResults(database, extended=True))
    yield source
    await source.close()


async def test_two_first_parts(app: Celery, source: CelerySource) -> None:
    """Two programs that add the first parts at once both find the batch begun, and both parts are there."""
    SlowTable(app).save_part("b", "own", ["own"])
    assert (await source.batch_counts("b")).total == 2


async def test_expiry(app: Celery, source: CelerySource) -> None:
    """Parts are kept for thirty days more than results; with the first one gone nothing is known for good."""
    table = GroupTable(app)
    table.save_part("b", "1", ["a"])
    _after(app, timedelta(days=29))
    table.save_part("b", "2", ["b"])
    assert (await source.batch_counts("b")).total == 2
    _after(app, timedelta(days=3))
    table.save_part("b", "3", ["c"])
    with pytest.raises(BatchUnknown):
        await source.batch_counts("b")


async def test_all_or_none(app: Celery, source: CelerySource) -> None:
    """Of many tasks all are saved or none: a batch is never known in part."""
    table = GroupTable(app)
    ids = [str(number) for number in range(2_001)]
    GroupResult("b run 2", [], app=app).save()  # where the last of its rows would be
    with pytest.raises(IntegrityError):
        table.save_all("b", ids)
    with pytest.raises(BatchUnknown):
        await source.batch_counts("b")


def _after(app: Celery, time: timedelta) -> None:
    """Let time go by, and Celery delete what has expired."""
    row = app.backend.taskset_cls
    with app.backend.ResultSession() as session:
        for one in session.query(row):
            one.date_done -= time
        session.commit()
    app.backend.cleanup()
