"""Celery's results, as Celery's own code stores them in Redis and in databases."""

import zlib
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path

import pytest
from celery.backends.database.models import TaskSet

from batches.result import JobOutcome
from batchprogress.integrations.celery_tables import GroupTable
from batchprogress.integrations.job_ids import job_ids
from services.job_status.source import BatchUnknown, JobStatus, QueueContradiction
from services.job_status.sources.celery import GROUP_BYTES_MAX, CelerySource
from services.job_status.sources.celery_redis import RedisResults
from services.job_status.sources.celery_tables import DatabaseResults, celery_tables
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.redis import QueueRedis
from tests.integration.job_status.celery_app import make_app
from tests.integration.job_status.celery_queues import RedisQueue, TablesQueue
from tests.integration.job_status.queues import Database
from tests.integration.job_status.source_contract import MIXED, SourceContract, listed

MANY = 2_001
"""A BLOB of MySQL (65,535 bytes) holds about 1,160 task ids."""
PICKLE = b"\x80\x04\x95."
MARK = b"\x00celery-compressed\x00"
UNREADABLE = {
    "a pickle": PICKLE,
    "a text that ends": b'{"status": "SUCCESS", "result": [',
    "no state": b'{"result": 1}',
    "a number of 5,000 digits": b'{"status": "SUCCESS", "retries": ' + b"9" * 5_000 + b"}",
    "retries beyond the contract": b'{"status": "SUCCESS", "retries": 2147483647}',
    "retries that are a text": b'{"status": "SUCCESS", "retries": "2"}',
    "a damaged compressed result": MARK + b"application/x-gzip\x00" + zlib.compress(b"{}")[2:],
    "a compressed result that ends": MARK + b"application/x-gzip\x00" + zlib.compress(bytes(range(99)))[:9],
    "an unknown compression": MARK + b"application/x-brotli\x00abc",
}

pytestmark = pytest.mark.xdist_group("redis")


class TestRedis(SourceContract):
    """Celery with results in Redis, read with a read-only account."""

    cancels_batches = False

    @pytest.fixture
    async def queue(self, redis_url: str) -> AsyncIterator[RedisQueue]:
        """Yield an application without tasks."""
        app = make_app(redis_url, redis_url)
        yield RedisQueue(app)
        app.close()

    @pytest.fixture
    async def source(self, reader_url: str) -> AsyncIterator[CelerySource]:
        """Yield the source over the queue."""
        source = CelerySource(RedisResults(QueueRedis(reader_url)))
        yield source
        await source.close()

    @pytest.mark.parametrize("payload", UNREADABLE.values(), ids=UNREADABLE)
    async def test_unreadable_result_is_pending_with_a_problem(
        self, payload: bytes, queue: RedisQueue, source: CelerySource
    ) -> None:
        """The other tasks of the batch are not affected."""
        await queue.put("batch", {"a": "succeeded", "b": "succeeded"})
        queue.app.backend.client.set("celery-task-meta-a", payload)
        unreadable, other = await listed(source, "batch", 10)
        assert (unreadable.outcome, other) == (None, JobStatus("b", JobOutcome.SUCCEEDED))
        assert unreadable.problem.startswith("its ")
        counts = await source.batch_counts("batch")
        assert (counts.succeeded, counts.pending, counts.finished) == (1, 1, False)

    async def test_result_of_another_type_is_pending_with_a_problem(
        self, queue: RedisQueue, source: CelerySource
    ) -> None:
        """It is not the string that Celery writes."""
        await queue.put("batch", {"a": "succeeded"})
        queue.app.backend.client.delete("celery-task-meta-a")
        queue.app.backend.client.lpush("celery-task-meta-a", "x")
        (status,) = await listed(source, "batch", 10)
        assert status == JobStatus("a", None, problem="its key in Redis holds another type of value")

    @pytest.mark.parametrize(
        "group", [b"\x00celery-compressed\x00application/x-gzip\x00x", b'{"result": [', PICKLE]
    )
    async def test_damaged_group_is_a_contradiction(
        self, group: bytes, queue: RedisQueue, source: CelerySource
    ) -> None:
        """It is neither an error of the service nor an empty batch."""
        queue.app.backend.client.set("celery-taskset-meta-batch", group)
        with pytest.raises(QueueContradiction):
            await source.batch_counts("batch")

    async def test_task_id_that_no_text_can_hold_is_a_contradiction(
        self, queue: RedisQueue, source: CelerySource
    ) -> None:
        """JSON can escape half a character, which Redis cannot be asked for."""
        group = b'{"result": [["batch", null], [[["\\udce9", null], null]]]}'
        queue.app.backend.client.set("celery-taskset-meta-batch", group)
        with pytest.raises(QueueContradiction, match="id of a task"):
            await source.job_page("batch", None, 10)

    async def test_key_of_another_type_is_a_contradiction(
        self, queue: RedisQueue, source: CelerySource
    ) -> None:
        """The key holds a list."""
        queue.app.backend.client.lpush("celery-taskset-meta-batch", "a")
        with pytest.raises(QueueContradiction):
            await source.batch_counts("batch")


@pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)
class TestDatabase(SourceContract):
    """Celery with results in SQLite; the tests below read the other databases."""

    cancels_batches = False

    @pytest.fixture
    async def queue(self, new_database_url: str, tmp_path: Path) -> AsyncIterator[TablesQueue]:
        """Yield an application without tasks."""
        file = tmp_path / "results.db"
        app = make_app("memory://", f"db+sqlite:///{file}")
        queue = TablesQueue(app, file, new_database_url)
        await queue.create()
        yield queue
        app.backend.session_manager.invalidate(app.backend.url)

    @pytest.fixture
    async def source(self, new_database_url: str) -> AsyncIterator[CelerySource]:
        """Yield the source over the queue."""
        source = CelerySource(DatabaseResults(QueueDatabase(new_database_url), celery_tables(extended=True)))
        yield source
        await source.close()

    async def test_pickled_group_is_a_contradiction(
        self, source: CelerySource, queue: TablesQueue, new_database_url: str
    ) -> None:
        """Older versions of Celery save groups as pickles. It is never unpickled."""
        await queue.put("new", {"a": "succeeded"})
        await _insert_group(new_database_url, "old", PICKLE)
        with pytest.raises(QueueContradiction):
            await source.batch_counts("old")
        assert (await source.batch_counts("new")).finished

    async def test_large_group_with_a_similar_id_does_not_count(
        self, source: CelerySource, queue: TablesQueue, new_database_url: str
    ) -> None:
        """An underscore in the id is not a wildcard: the size of the other group is irrelevant."""
        await queue.put("a_b", {"a": "succeeded"})
        await _insert_group(new_database_url, "aXb 1", bytes(GROUP_BYTES_MAX))
        assert (await source.batch_counts("a_b")).total == 1

    async def test_group_without_tasks_may_grow(self, source: CelerySource, queue: TablesQueue) -> None:
        """`CeleryProgress.add` saves an empty group first, and its tasks in parts later."""
        await queue.put("begun", {})
        counts = await source.batch_counts("begun")
        assert (counts.total, counts.finished) == (0, False)


async def _insert_group(url: str, group_id: str, result: bytes) -> None:
    statement = f"INSERT INTO {TaskSet.__tablename__} (id, taskset_id, result) VALUES (7, :id, :result)"  # noqa: S608
    await Database(url).run(statement, {"id": group_id, "result": result})


async def _check_backend(url: str, file: Path) -> None:
    app = make_app("memory://", f"db+sqlite:///{file}")
    queue = TablesQueue(app, file, url)
    await queue.create()
    await queue.put("batch", MIXED)
    source = CelerySource(DatabaseResults(QueueDatabase(url), celery_tables(extended=True)))
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
    await _check_parts(queue, source)
    await _check_many_tasks(queue, source)
    await source.close()


async def _check_parts(queue: TablesQueue, source: CelerySource) -> None:
    """Parts belong to the batch with exactly this id, which may grow; without its own group it is unknown."""
    parts = {"a_b 1": "e", "a_b 2": "f", "aXb 1": "g", "A_B 1": "h"}
    await queue.put_all({group_id: {task_id: "succeeded"} for group_id, task_id in parts.items()})
    with pytest.raises(BatchUnknown):
        await source.batch_counts("a_b")
    await queue.put("a_b", {})
    counts = await source.batch_counts("a_b")
    assert (counts.total, counts.succeeded, counts.finished) == (2, 2, False)


async def _check_many_tasks(queue: TablesQueue, source: CelerySource) -> None:
    """More tasks than fit in a row of MySQL are saved in several rows; only a batch of `add` may grow."""
    ids = list(islice(job_ids("many"), MANY))
    for _ in range(2):  # a repeated call changes nothing
        GroupTable(queue.app).save_all("whole", ids)
        GroupTable(queue.app).save_part("grown", "1", ids)
    await queue.put("of-one", {ids[-1]: "succeeded"})
    whole, grown = await source.batch_counts("whole"), await source.batch_counts("grown")
    assert (whole.total, whole.succeeded, grown.total, grown.succeeded) == (MANY, 1, MANY, 1)


async def test_tables_are_read_in_each_database(new_database_url: str, tmp_path: Path) -> None:
    """The databases are MySQL, MariaDB and SQLite."""
    await _check_backend(new_database_url, tmp_path / "results.db")


async def test_tables_are_read_in_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    await _check_backend(postgresql_url, tmp_path / "results.db")
