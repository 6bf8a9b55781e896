"""Celery's result backends, filled by Celery: by its own backend, and by a real worker."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import islice
from pathlib import Path

import pytest
from celery import Celery, group, states
from celery.backends.database.models import TaskSet
from celery.backends.database.session import ResultModelBase
from celery.result import GroupResult
from redis import Redis
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from batches.result import JobOutcome
from batchprogress.integrations.celery_tables import GroupTable
from batchprogress.integrations.job_ids import job_ids
from services.job_status.source import BatchUnknown, JobStatus, QueueContradiction
from services.job_status.sources.celery import CelerySource, DatabaseResults, RedisResults
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.redis import QueueRedis
from tests.integration.job_status.celery_app import make_app
from tests.integration.job_status.conftest import READER
from tests.integration.job_status.processes import celery_worker
from tests.integration.job_status.queues import Database
from tests.integration.job_status.source_contract import BATCH, MIXED, SourceContract, listed

STATES = {"succeeded": states.SUCCESS, "failed": states.FAILURE, "running": states.STARTED}
WORK_SECONDS_MAX = 60.0
"""A worker is there after a second or two, on a busy machine later."""
POLL_SECONDS = 0.05
MANY = 2_001
"""In MySQL's BLOB of 65,535 bytes there is room for some 1,160."""

pytestmark = pytest.mark.xdist_group("redis")


class CeleryQueue:
    """A result backend, written by Celery's own code."""

    def __init__(self, app: Celery) -> None:
        """Take an application."""
        self.app = app

    async def create(self) -> None:
        """Do nothing: Celery makes what it needs."""

    async def put(self, batch_id: str, jobs: Mapping[str, str]) -> None:
        """Save a group and the results of its tasks; nothing is kept of one that waits."""
        GroupResult(batch_id, [self.app.AsyncResult(task_id) for task_id in jobs], app=self.app).save()
        for task_id, state in jobs.items():
            if state != "waiting":
                result = ValueError("why") if state == "failed" else None
                self.app.backend.store_result(task_id, result, STATES[state])

    async def cancel(self, batch_id: str) -> None:
        """Revoke what waits, as a worker writes it when it meets such a task."""
        for result in GroupResult.restore(batch_id, app=self.app).results:
            if result.state == states.PENDING:
                self.app.backend.mark_as_revoked(result.id, "revoked")


class RedisQueue(CeleryQueue):
    """With results in Redis."""

    async def break_off(self) -> None:
        """Take our account away, which also cuts its connections."""
        self.app.backend.client.acl_deluser(READER)


class TablesQueue(CeleryQueue):
    """With results in SQLite, the one database that Celery can write here, copied to another one."""

    def __init__(self, app: Celery, file: Path, url: str) -> None:
        """Take the application, its database and ours."""
        super().__init__(app)
        self._file = f"sqlite+aiosqlite:///{file}"
        self._url = url

    async def create(self) -> None:
        """Make Celery's tables in both."""
        self.app.backend.ResultSession().close()
        await self._copy()

    async def put(self, batch_id: str, jobs: Mapping[str, str]) -> None:
        """Save a group, and copy all rows as they are."""
        await super().put(batch_id, jobs)
        await self._copy()

    async def cancel(self, batch_id: str) -> None:
        """Revoke what waits, and copy all rows."""
        await super().cancel(batch_id)
        await self._copy()

    async def _copy(self) -> None:
        source, target = create_async_engine(self._file), create_async_engine(self._url)
        async with source.connect() as reading, target.begin() as writing:
            await writing.run_sync(ResultModelBase.metadata.drop_all)
            if writing.dialect.name in {"mysql", "mariadb"}:
                # Celery's own table holds no two task ids that differ by case only, which are no UUIDs.
                await writing.execute(text("ALTER DATABASE COLLATE utf8mb4_bin"))
            await writing.run_sync(ResultModelBase.metadata.create_all)
            for table in ResultModelBase.metadata.sorted_tables:
                rows = (await reading.execute(select(table))).mappings().all()
                if rows:
                    await writing.execute(insert(table), [dict(row) for row in rows])
        await source.dispose()
        await target.dispose()

    async def break_off(self) -> None:
        """Drop the tables."""
        engine = create_async_engine(self._url)
        async with engine.begin() as connection:
            await connection.run_sync(ResultModelBase.metadata.drop_all)
        await engine.dispose()


class CeleryContract(SourceContract):
    """What every source must do; but Celery revokes tasks, never a batch."""

    async def test_cancelled(self, queue: CeleryQueue, source: CelerySource) -> None:  # type: ignore[override]
        """Revoked tasks are skipped, and what runs is pending; the batch is not cancelled."""
        await queue.put(BATCH, MIXED)
        await queue.cancel(BATCH)
        counts = await source.batch_counts(BATCH)
        assert (counts.skipped, counts.pending, counts.cancelled) == (1, 1, False)


class TestRedis(CeleryContract):
    """Celery on Redis keeps the contract of every source, with an account that may only read."""

    @pytest.fixture
    async def queue(self, redis_url: str) -> AsyncIterator[RedisQueue]:
        """Return an application without tasks."""
        app = make_app(redis_url, redis_url)
        yield RedisQueue(app)
        app.close()

    @pytest.fixture
    async def source(self, reader_url: str) -> AsyncIterator[CelerySource]:
        """Return the source over it."""
        source = CelerySource(RedisResults(QueueRedis(reader_url)))
        yield source
        await source.close()

    async def test_pickles(self, queue: RedisQueue, source: CelerySource) -> None:
        """A result that is no JSON is a contradiction, and is never unpickled."""
        await queue.put("batch", {"a": "succeeded"})
        queue.app.backend.client.set("celery-task-meta-a", b"\x80\x04\x95.")
        with pytest.raises(QueueContradiction):
            await source.batch_counts("batch")

    async def test_another_kind_of_key(self, queue: RedisQueue, source: CelerySource) -> None:
        """A key that holds a list is a contradiction."""
        queue.app.backend.client.lpush("celery-taskset-meta-batch", "a")
        with pytest.raises(QueueContradiction):
            await source.batch_counts("batch")


@pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)
class TestDatabase(CeleryContract):
    """And so does Celery in a database; that each kind is read alike is tested below."""

    @pytest.fixture
    async def queue(self, new_database_url: str, tmp_path: Path) -> AsyncIterator[TablesQueue]:
        """Return an application without tasks."""
        file = tmp_path / "results.db"
        app = make_app("memory://", f"db+sqlite:///{file}")
        queue = TablesQueue(app, file, new_database_url)
        await queue.create()
        yield queue
        app.backend.session_manager.invalidate(app.backend.url)

    @pytest.fixture
    async def source(self, new_database_url: str) -> AsyncIterator[CelerySource]:
        """Return the source over it."""
        source = CelerySource(DatabaseResults(QueueDatabase(new_database_url), extended=True))
        yield source
        await source.close()

    async def test_pickled_group(
        self, source: CelerySource, queue: TablesQueue, new_database_url: str
    ) -> None:
        """A group that an older Celery saved is a contradiction, and is never unpickled."""
        await queue.put("new", {"a": "succeeded"})
        statement = f"INSERT INTO {TaskSet.__tablename__} (id, taskset_id, result) VALUES (7, 'old', :result)"  # noqa: S608
        await Database(new_database_url).run(statement, {"result": b"\x80\x04\x95."})
        with pytest.raises(QueueContradiction):
            await source.batch_counts("old")
        assert (await source.batch_counts("new")).finished


async def _read_alike(url: str, file: Path) -> None:
    app = make_app("memory://", f"db+sqlite:///{file}")
    queue = TablesQueue(app, file, url)
    await queue.create()
    await queue.put("batch", MIXED)
    source = CelerySource(DatabaseResults(QueueDatabase(url), extended=True))
    await source.check()
    counts = await source.batch_counts("batch")
    assert (counts.succeeded, counts.failed, counts.pending) == (2, 1, 2)
    assert await listed(source, "batch", 2) == [
        JobStatus("A", JobOutcome.FAILED, 1, "ValueError", "why"),
        JobStatus("a", JobOutcome.SUCCEEDED),
        JobStatus("b", None),
        JobStatus("c", None),
        JobStatus("d", JobOutcome.SUCCEEDED),
    ]
    with pytest.raises(BatchUnknown):
        await source.batch_counts("BATCH")
    await _parts_read_alike(queue, source)
    await _many_tasks_read_alike(queue, source)
    await source.close()


async def _parts_read_alike(queue: TablesQueue, source: CelerySource) -> None:
    """Parts belong to the batch of exactly this id, which may grow; without its own group it has expired."""
    for group_id, task_id in (("a_b 1", "e"), ("a_b 2", "f"), ("aXb 1", "g"), ("A_B 1", "h")):
        await queue.put(group_id, {task_id: "succeeded"})
    with pytest.raises(BatchUnknown):
        await source.batch_counts("a_b")
    await queue.put("a_b", {})
    counts = await source.batch_counts("a_b")
    assert (counts.total, counts.succeeded, counts.finished) == (2, 2, False)


async def _many_tasks_read_alike(queue: TablesQueue, source: CelerySource) -> None:
    """More tasks than MySQL has room for in a row, as our client saves them; only those of `add` may grow."""
    ids = list(islice(job_ids("many"), MANY))
    for _ in range(2):  # a call that is made again
        GroupTable(queue.app).save_all("whole", ids)
        GroupTable(queue.app).save_part("grown", "1", ids)
    await queue.put("of-one", {ids[-1]: "succeeded"})
    whole, grown = await source.batch_counts("whole"), await source.batch_counts("grown")
    assert (whole.total, whole.succeeded, grown.total, grown.succeeded) == (MANY, 1, MANY, 1)


async def test_each_database(new_database_url: str, tmp_path: Path) -> None:
    """Celery's tables are read alike in MySQL, MariaDB and SQLite."""
    await _read_alike(new_database_url, tmp_path / "results.db")


async def test_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    """And in PostgreSQL."""
    await _read_alike(postgresql_url, tmp_path / "results.db")


@pytest.fixture(scope="module")
def _workers(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Celery]]:
    """Run a worker for each kind of result backend; gives an application of each."""
    file = tmp_path_factory.mktemp("results") / "results.db"
    places = {
        "redis": (redis_url.replace("/0", "/1"), redis_url.replace("/0", "/1")),
        "database": (redis_url.replace("/0", "/2"), f"db+sqlite:///{file}"),
    }
    with celery_worker(*places["redis"]), celery_worker(*places["database"]):
        apps = {kind: make_app(*place) for kind, place in places.items()}
        for app in apps.values():  # a worker that is not there yet would miss that a task is revoked
            app.send_task("well").get(timeout=WORK_SECONDS_MAX)
        yield apps
        for app in apps.values():
            app.close()
        for number in (1, 2):
            with Redis.from_url(redis_url, db=number) as redis:
                redis.flushdb()


@pytest.fixture(params=["redis", "database"])
def app(request: pytest.FixtureRequest, _workers: dict[str, Celery]) -> Celery:
    """Return an application whose worker runs."""
    return _workers[request.param]


@pytest.fixture
async def real_source(app: Celery) -> AsyncIterator[CelerySource]:
    """Return the source over its result backend."""
    url = app.conf.result_backend
    if url.startswith("db+"):
        database = QueueDatabase(url.removeprefix("db+").replace("sqlite://", "sqlite+aiosqlite://"))
        source = CelerySource(DatabaseResults(database, extended=True))
    else:
        source = CelerySource(RedisResults(QueueRedis(url)))
    yield source
    await source.close()


async def until(source: CelerySource, batch_id: str, pending: int) -> None:
    """Wait until no more jobs than these are pending."""
    deadline = time.monotonic() + WORK_SECONDS_MAX
    while (await source.batch_counts(batch_id)).pending > pending:
        assert time.monotonic() < deadline
        await asyncio.sleep(POLL_SECONDS)


async def test_real_tasks(app: Celery, real_source: CelerySource) -> None:
    """Tasks that succeed, fail, are retried, keep no result or are revoked are told as they ended."""
    names = ("well", "badly", "at_the_third_try", "never", "untold")
    tasks = [app.tasks[name].s().set(task_id=name) for name in names]
    late = app.tasks["well"].s().set(task_id="revoked", countdown=1)
    result = group([*tasks, late]).apply_async()
    result.save()
    app.control.revoke("revoked")
    await until(real_source, result.id, pending=1)
    assert await listed(real_source, result.id, 4) == [
        JobStatus("at_the_third_try", JobOutcome.SUCCEEDED, 3),
        JobStatus("badly", JobOutcome.FAILED, 1, "ValueError", "no such row, 17"),
        JobStatus("never", JobOutcome.FAILED, 2, "KeyError", "row"),
        JobStatus("revoked", JobOutcome.SKIPPED, 1, "TaskRevokedError", "revoked"),
        JobStatus("untold", None),
        JobStatus("well", JobOutcome.SUCCEEDED),
    ]


async def test_listed_tasks(app: Celery, real_source: CelerySource) -> None:
    """Any tasks become a batch by one call; a task sent twice is one job."""
    results = [app.tasks["well"].apply_async(task_id=f"listed-{number % 2}") for number in range(4)]
    GroupResult("a batch's own id".replace(" ", "-"), results, app=app).save()
    await until(real_source, "a-batch's-own-id", pending=0)
    assert (await real_source.batch_counts("a-batch's-own-id")).succeeded == 2


async def test_expired(app: Celery, real_source: CelerySource) -> None:
    """A result that has expired is pending, never failed; a group that has is unknown."""
    result = group([app.tasks["badly"].s() for _ in range(3)]).apply_async()
    result.save()
    await until(real_source, result.id, pending=0)
    result.results[0].forget()
    counts = await real_source.batch_counts(result.id)
    assert (counts.failed, counts.pending) == (2, 1)
    result.delete()
    with pytest.raises(BatchUnknown):
        await real_source.batch_counts(result.id)
