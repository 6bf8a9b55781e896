"""The sources that read tables, with a real PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext

import grpc
import pytest
from sqlalchemy import literal, make_url, select

from services.job_status.source import BatchUnknown, QueueUnavailable
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.job_table import JobTableSource
from services.job_status.sources.laravel import LaravelSource
from tests.integration.job_status.answers import refused
from tests.integration.job_status.laravel_cells import LaravelCells
from tests.integration.job_status.queues import Database, JobTableQueue, LaravelQueue
from tests.integration.job_status.servers import serving
from tests.integration.job_status.source_contract import SourceContract, listed

pytestmark = pytest.mark.xdist_group("postgresql")


class TestLaravel(SourceContract, LaravelCells):
    """The contract of every source, and the documentation's column, for Laravel."""

    @pytest.fixture
    async def queue(self, postgresql_url: str) -> LaravelQueue:
        """Return an application without batches."""
        queue = LaravelQueue(postgresql_url)
        await queue.create()
        return queue

    @pytest.fixture
    async def source(self, postgresql_url: str) -> AsyncIterator[LaravelSource]:
        """Yield the source over the queue."""
        source = LaravelSource(QueueDatabase(postgresql_url), "job_batches")
        yield source
        await source.close()

    async def test_backslash_in_an_id_is_not_an_escape(
        self, queue: LaravelQueue, source: LaravelSource
    ) -> None:
        """It is compared like any other character."""
        await queue.put(r"a\x41", {"a": "succeeded"})
        assert (await source.batch_counts(r"a\x41")).total == 1
        for other in ("aA", r"a\\x41"):
            with pytest.raises(BatchUnknown):
                await source.batch_counts(other)


class TestJobTable(SourceContract):
    """The contract of every source, for a job table."""

    knows_the_end = False

    @pytest.fixture
    async def queue(self, postgresql_url: str) -> JobTableQueue:
        """Return the documented table, empty."""
        queue = JobTableQueue(postgresql_url)
        await queue.create()
        return queue

    @pytest.fixture
    async def source(self, postgresql_url: str) -> AsyncIterator[JobTableSource]:
        """Yield the source over the queue."""
        source = JobTableSource(QueueDatabase(postgresql_url), "jobs")
        yield source
        await source.close()

    async def test_jobs_are_listed_in_the_byte_order_of_their_ids(
        self, queue: JobTableQueue, source: JobTableSource
    ) -> None:
        """Punctuation and upper case are not ignored."""
        ids = ["b", "a", "B", "A", "_", "10", "9", "~", "!", "\\"]
        await queue.put("batch", dict.fromkeys(ids, "waiting"))
        assert [status.job_id for status in await listed(source, "batch", 2)] == sorted(ids)


@pytest.mark.parametrize("change", [{"database": "missing"}, {"port": 1}, {"username": "stranger"}])
async def test_missing_database_server_or_user_is_unavailable(
    change: dict[str, str], postgresql_url: str
) -> None:
    """No batch is reported as unknown."""
    url = make_url(postgresql_url).set(**change)  # type: ignore[arg-type]
    source = LaravelSource(QueueDatabase(url.render_as_string(hide_password=False)), "job_batches")
    with pytest.raises(QueueUnavailable):
        await source.batch_counts("batch")
    await source.close()


async def test_closed_connections_are_replaced(postgresql_url: str) -> None:
    """A query after a restart of the database succeeds at once."""
    queue, database = JobTableQueue(postgresql_url), QueueDatabase(postgresql_url)
    await queue.create()
    source = JobTableSource(database, "jobs")
    await source.check()
    await Database(postgresql_url).run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await source.check()
    await source.close()


async def test_server_does_not_reveal_the_text_of_the_driver(postgresql_url: str) -> None:
    """It serves the batch once the table exists."""
    async with serving("laravel", postgresql_url) as client:
        answer = await refused(client.counts("batch"))
        assert (answer.code, answer.message) == (
            grpc.StatusCode.UNAVAILABLE,
            "The queue is unavailable.",
        )
        queue = LaravelQueue(postgresql_url)
        await queue.create()
        await queue.put("batch", {"a": "succeeded"})
        assert (await client.counts("batch")).finished


@pytest.mark.parametrize(
    ("mode", "outcome"), [("disable", nullcontext()), ("require", pytest.raises(QueueUnavailable))]
)
async def test_sslmode_says_whether_connections_are_encrypted(
    mode: str, outcome: AbstractContextManager[object], postgresql_url: str
) -> None:
    """The server of the tests has no certificate."""
    database = QueueDatabase(f"{postgresql_url}?sslmode={mode}")
    try:
        with outcome:
            await database.rows(select(literal(1)))
    finally:
        await database.close()
