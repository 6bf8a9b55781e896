"""Celery result backends as queues, written by Celery's own code."""

from collections.abc import Mapping
from pathlib import Path

from celery import Celery, states
from celery.backends.database.session import ResultModelBase
from celery.result import GroupResult
from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.integration.job_status.conftest import READER

STATES = {"succeeded": states.SUCCESS, "failed": states.FAILURE, "running": states.STARTED}


class CeleryQueue:
    """The result backend of an application."""

    def __init__(self, app: Celery) -> None:
        self.app = app

    async def create(self) -> None:
        """Do nothing: Celery creates what it needs."""

    async def put(self, batch_id: str, jobs: Mapping[str, str]) -> None:
        """Save a group and the results of its tasks; a waiting task has no result."""
        GroupResult(batch_id, [self.app.AsyncResult(task_id) for task_id in jobs], app=self.app).save()
        for task_id, state in jobs.items():
            if state != "waiting":
                result = ValueError("why") if state == "failed" else None
                self.app.backend.store_result(task_id, result, STATES[state])

    async def cancel(self, batch_id: str) -> None:
        """Revoke waiting tasks, as a worker does when it receives one."""
        for result in GroupResult.restore(batch_id, app=self.app).results:
            if result.state == states.PENDING:
                self.app.backend.mark_as_revoked(result.id, "revoked")


class RedisQueue(CeleryQueue):
    """A result backend in Redis."""

    async def make_unavailable(self) -> None:
        """Delete our account, which also closes its connections."""
        self.app.backend.client.acl_deluser(READER)


class TablesQueue(CeleryQueue):
    """A result backend in SQLite, the only database that Celery can write here, copied to another database.

    Args:
        app: the application.
        file: its database.
        url: the URL of the database to copy to.

    """

    def __init__(self, app: Celery, file: Path, url: str) -> None:
        super().__init__(app)
        self._file = f"sqlite+aiosqlite:///{file}"
        self._url = url

    async def create(self) -> None:
        """Create Celery's tables in both databases."""
        self.app.backend.ResultSession().close()
        engine = create_async_engine(self._url)
        async with engine.begin() as connection:
            if connection.dialect.name in {"mysql", "mariadb"}:
                # Celery's own column rejects two task ids that differ only by case; its ids are UUIDs.
                await connection.execute(text("ALTER DATABASE COLLATE utf8mb4_bin"))
            await connection.run_sync(ResultModelBase.metadata.create_all)
        await engine.dispose()

    async def put(self, batch_id: str, jobs: Mapping[str, str]) -> None:
        """Save a group, and copy all rows."""
        await self.put_all({batch_id: jobs})

    async def put_all(self, batches: Mapping[str, Mapping[str, str]]) -> None:
        """Save groups, and copy all rows."""
        for batch_id, jobs in batches.items():
            await super().put(batch_id, jobs)
        await self._copy()

    async def cancel(self, batch_id: str) -> None:
        """Revoke waiting tasks, and copy all rows."""
        await super().cancel(batch_id)
        await self._copy()

    async def _copy(self) -> None:
        source, target = create_async_engine(self._file), create_async_engine(self._url)
        async with source.connect() as reading, target.begin() as writing:
            for table in ResultModelBase.metadata.sorted_tables:
                await writing.execute(delete(table))
                rows = (await reading.execute(select(table))).mappings().all()
                if rows:
                    await writing.execute(insert(table), [dict(row) for row in rows])
        await source.dispose()
        await target.dispose()

    async def make_unavailable(self) -> None:
        """Drop the tables."""
        engine = create_async_engine(self._url)
        async with engine.begin() as connection:
            await connection.run_sync(ResultModelBase.metadata.drop_all)
        await engine.dispose()
