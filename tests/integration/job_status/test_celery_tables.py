"""The parts of a batch in Celery's table of groups: a missing part is always noticed."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery
from celery.result import GroupResult
from sqlalchemy.exc import IntegrityError

from batchprogress.integrations.celery_tables import GroupTable
from services.job_status.source import BatchUnknown
from services.job_status.sources.celery import CelerySource
from services.job_status.sources.celery_tables import DatabaseResults, celery_tables
from services.job_status.sources.database import QueueDatabase
from tests.integration.job_status.celery_app import make_app


class SlowTable(GroupTable):
    """The table of a program that another program overtakes after the first read."""

    def _value(self, group_id: str, task_ids: Sequence[str]) -> bytes:
        GroupTable(self._app).save_part("b", "other", ["other"])
        return super()._value(group_id, task_ids)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Celery]:
    """Yield an application with results in a database."""
    app = make_app("memory://", f"db+sqlite:///{tmp_path}/results.db")
    yield app
    app.close()


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[CelerySource]:
    """Yield the source over its result backend."""
    database = QueueDatabase(f"sqlite+aiosqlite:///{tmp_path}/results.db")
    source = CelerySource(DatabaseResults(database, celery_tables(extended=True)))
    yield source
    await source.close()


async def test_first_parts_of_two_concurrent_programs_are_both_saved(
    app: Celery, source: CelerySource
) -> None:
    """Both programs find no part of the batch, and both save its own group."""
    SlowTable(app).save_part("b", "own", ["own"])
    assert (await source.batch_counts("b")).total == 2


async def test_batch_is_unknown_once_its_first_part_has_expired(app: Celery, source: CelerySource) -> None:
    """Parts are kept for thirty days longer than results. The batch stays unknown when more are added."""
    table = GroupTable(app)
    table.save_part("b", "1", ["a"])
    _advance(app, timedelta(days=29))
    table.save_part("b", "2", ["b"])
    assert (await source.batch_counts("b")).total == 2
    _advance(app, timedelta(days=3))
    table.save_part("b", "3", ["c"])
    with pytest.raises(BatchUnknown):
        await source.batch_counts("b")


async def test_many_tasks_are_saved_all_or_none(app: Celery, source: CelerySource) -> None:
    """A batch is never partially known."""
    table = GroupTable(app)
    ids = [str(number) for number in range(2_001)]
    GroupResult("b run 2", [], app=app).save()  # the id of its last row
    with pytest.raises(IntegrityError):
        table.save_all("b", ids)
    with pytest.raises(BatchUnknown):
        await source.batch_counts("b")


def _advance(app: Celery, time: timedelta) -> None:
    """Make all groups older, and let Celery delete the expired ones."""
    row = app.backend.taskset_cls
    with app.backend.ResultSession() as session:
        for one in session.query(row):
            one.date_done -= time
        session.commit()
    app.backend.cleanup()
