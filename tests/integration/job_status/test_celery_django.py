"""django-celery-results, as a real worker writes its tables."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from batches.result import JobOutcome
from services.job_status.source import BatchUnknown, JobStatus
from services.job_status.sources.celery import CelerySource
from services.job_status.sources.celery_tables import DatabaseResults, django_tables
from services.job_status.sources.database import QueueDatabase
from tests.integration.job_status.django_tables import copy_tables
from tests.integration.job_status.processes import CHECKOUT, celery_worker, program
from tests.integration.job_status.servers import serving
from tests.integration.job_status.source_contract import WORK_SECONDS_MAX, listed, wait_until_pending

APP = "tests.integration.job_status.django_app"
BATCH = "Sync-2026"

pytestmark = [pytest.mark.xdist_group("redis"), pytest.mark.more("runs a Django application")]


@pytest.fixture(scope="module")
def application(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run an application and its worker; yields the SQLite file of its results."""
    file = tmp_path_factory.mktemp("django") / "results.db"
    broker = redis_url.replace("/0", "/3")
    with program("-m", APP, BATCH, QUEUE_BROKER=broker, QUEUE_BACKEND=str(file)) as enqueuing:
        assert enqueuing.wait(WORK_SECONDS_MAX) == 0
    with celery_worker(broker, str(file), app=APP):
        yield file
    with Redis.from_url(broker) as redis:
        redis.flushdb()


def _source(url: str) -> CelerySource:
    return CelerySource(DatabaseResults(QueueDatabase(url), django_tables()))


async def _check(source: CelerySource) -> None:
    """The tables keep no number of retries, and no state of a task that has not begun."""
    await source.check()
    await wait_until_pending(source, BATCH, pending=1)
    assert await listed(source, BATCH, 2) == [
        JobStatus("fail", JobOutcome.FAILED, 1, "ValueError", "no such row, 17", "fail"),
        JobStatus("fail_twice", JobOutcome.FAILED, 1, "KeyError", "row", "fail_twice"),
        JobStatus("never-sent", None),
        JobStatus("succeed", JobOutcome.SUCCEEDED, display_name="succeed"),
        JobStatus("succeed_at_third_attempt", JobOutcome.SUCCEEDED, display_name="succeed_at_third_attempt"),
    ]
    for another in (BATCH.upper(), "another"):
        with pytest.raises(BatchUnknown):
            await source.batch_counts(another)
    await source.close()


async def test_results_of_a_real_worker_are_read(application: Path) -> None:
    """A setting selects the tables."""
    url = f"sqlite+aiosqlite:///{application}"
    await _check(_source(url))
    async with serving("celery", url, celery_django=True) as client:
        counts = await client.counts(BATCH)
    assert (counts.succeeded, counts.failed, counts.pending, counts.finished) == (2, 2, 1, False)


async def test_tables_are_read_in_each_database(application: Path, new_database_url: str) -> None:
    """The databases are MySQL, MariaDB and SQLite."""
    await _check(_source(f"sqlite+aiosqlite:///{application}"))
    await copy_tables(application, new_database_url)
    await _check(_source(new_database_url))


async def test_tables_are_read_in_postgresql(application: Path, postgresql_url: str) -> None:
    await _check(_source(f"sqlite+aiosqlite:///{application}"))
    await copy_tables(application, postgresql_url)
    await _check(_source(postgresql_url))


def test_tables_of_the_tests_are_those_of_the_migrations(application: Path) -> None:
    """A new version of django-celery-results may add columns."""
    script = (
        "import sqlite3, sys; from tests.integration.job_status.django_tables import METADATA\n"
        "connection = sqlite3.connect(sys.argv[1])\n"
        "for table in METADATA.sorted_tables:\n"
        "    found = {row[1] for row in connection.execute(f'PRAGMA table_info({table.name})')}\n"
        "    assert found == set(table.c.keys()), found"
    )
    subprocess.run([sys.executable, "-c", script, str(application)], cwd=CHECKOUT, check=True)
