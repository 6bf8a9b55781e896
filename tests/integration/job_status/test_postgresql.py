"""The sources that read tables, on a real PostgreSQL."""

from collections.abc import AsyncIterator

import grpc
import pytest
from sqlalchemy import make_url

from services.job_status.source import BatchUnknown, QueueUnavailable
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.job_table import JobTableSource
from services.job_status.sources.laravel import LaravelSource
from tests.integration.job_status.answers import refused
from tests.integration.job_status.queues import JobTableQueue, LaravelQueue
from tests.integration.job_status.servers import serving
from tests.integration.job_status.source_contract import SourceContract, listed

pytestmark = pytest.mark.xdist_group("postgresql")


class TestLaravel(SourceContract):
    """Laravel keeps the contract of every source on PostgreSQL too."""

    @pytest.fixture
    async def queue(self, postgresql_url: str) -> LaravelQueue:
        """Return an application without batches."""
        queue = LaravelQueue(postgresql_url)
        await queue.create()
        return queue

    @pytest.fixture
    async def source(self, postgresql_url: str) -> AsyncIterator[LaravelSource]:
        """Return the source over it."""
        source = LaravelSource(QueueDatabase(postgresql_url), "job_batches")
        yield source
        await source.close()

    async def test_backslash(self, queue: LaravelQueue, source: LaravelSource) -> None:
        """A backslash in an id is a character, no escape."""
        await queue.put(r"a\x41", {"a": "succeeded"})
        assert (await source.batch_counts(r"a\x41")).total == 1
        for other in ("aA", r"a\\x41"):
            with pytest.raises(BatchUnknown):
                await source.batch_counts(other)


class TestJobTable(SourceContract):
    """And so does a job table."""

    knows_the_end = False

    @pytest.fixture
    async def queue(self, postgresql_url: str) -> JobTableQueue:
        """Return the documented table, empty."""
        queue = JobTableQueue(postgresql_url)
        await queue.create()
        return queue

    @pytest.fixture
    async def source(self, postgresql_url: str) -> AsyncIterator[JobTableSource]:
        """Return the source over it."""
        source = JobTableSource(QueueDatabase(postgresql_url), "jobs")
        yield source
        await source.close()

    async def test_order(self, queue: JobTableQueue, source: JobTableSource) -> None:
        """Jobs are listed in the order of their ids' bytes."""
        ids = ["b", "a", "B", "A", "_", "10", "9", "~", "!", "\\"]
        await queue.put("batch", dict.fromkeys(ids, "waiting"))
        assert [status.job_id for status in await listed(source, "batch", 2)] == sorted(ids)


@pytest.mark.parametrize("change", [{"database": "missing"}, {"port": 1}, {"username": "stranger"}])
async def test_away(change: dict[str, str], postgresql_url: str) -> None:
    """A database, a server and a user that are not there are a queue that does not answer."""
    url = make_url(postgresql_url).set(**change)  # type: ignore[arg-type]
    source = LaravelSource(QueueDatabase(url.render_as_string(hide_password=False)), "job_batches")
    with pytest.raises(QueueUnavailable):
        await source.batch_counts("batch")
    await source.close()


async def test_served(postgresql_url: str) -> None:
    """The server takes the URL of PostgreSQL; what the driver says stays in it."""
    async with serving("laravel", postgresql_url) as client:
        answer = await refused(client.counts("batch"))
        assert (answer.code, answer.message) == (
            grpc.StatusCode.UNAVAILABLE,
            "The queue does not answer; nothing is known.",
        )
        queue = LaravelQueue(postgresql_url)
        await queue.create()
        await queue.put("batch", {"a": "succeeded"})
        assert (await client.counts("batch")).finished
