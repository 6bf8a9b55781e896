"""The queue of the story: an SQLite table with one row per job, which the workers update.

It stands for the queue that a user already has. `services.job_status` reads it with the source job_table,
which this CREATE TABLE is for.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from demo.plan import Job, Plan

BUSY_SECONDS_MAX = 10.0
"""Nine processes write, each for milliseconds."""
_CREATE = """
    CREATE TABLE jobs (
        batch_id VARCHAR(128) NOT NULL,
        job_id VARCHAR(128) NOT NULL,
        state VARCHAR(16) NOT NULL,
        attempt INTEGER,
        error_type VARCHAR(200),
        error_message TEXT,
        PRIMARY KEY (batch_id, job_id)
    )
"""
_END = "UPDATE jobs SET state = ?, error_type = ?, error_message = ? WHERE batch_id = ? AND job_id = ?"


def create_queue(file: Path, plan: Plan) -> None:
    """Create the table with every job of the batch running, since each has a worker from the start."""
    with closing(_connect(file)) as connection:
        # WAL, kept in the file: the job-status server reads without blocking the workers.
        connection.execute("PRAGMA journal_mode = WAL")
        with connection:
            connection.execute(_CREATE)
            rows = [(plan.batch_id, job.job_id) for job in plan.jobs]
            connection.executemany("INSERT INTO jobs VALUES (?, ?, 'running', 1, NULL, NULL)", rows)


def count_ended(file: Path) -> int:
    """Return how many jobs have ended in the queue."""
    with closing(_connect(file)) as connection:
        (ended,) = connection.execute("SELECT count(*) FROM jobs WHERE state <> 'running'").fetchone()
        return int(ended)


class QueueWriter:
    """Writes the ends of jobs; one transaction holds all that ended during the last one.

    Args:
        connection: A connection that nothing else uses.
        batch_id: The batch of the jobs.

    """

    def __init__(self, connection: sqlite3.Connection, batch_id: str) -> None:
        self._connection = connection
        self._batch_id = batch_id
        self._unwritten: dict[str, Job] = {}
        self._writing = asyncio.Lock()

    async def end(self, job: Job) -> None:
        """Return after the queue has stored how the job ended."""
        self._unwritten[job.job_id] = job
        async with self._writing:
            if job.job_id in self._unwritten:  # otherwise the last holder of the lock wrote this job, too
                jobs, self._unwritten = self._unwritten, {}
                await asyncio.to_thread(self._write, jobs.values())

    def _write(self, jobs: Iterable[Job]) -> None:
        rows = [(_state(job), job.error_type, job.error_message, self._batch_id, job.job_id) for job in jobs]
        with self._connection:
            self._connection.executemany(_END, rows)


@contextmanager
def queue_writer(file: Path, batch_id: str) -> Iterator[QueueWriter]:
    """Open the table to write the ends of jobs."""
    with closing(_connect(file)) as connection:
        yield QueueWriter(connection, batch_id)


def _state(job: Job) -> str:
    return "failed" if job.error_type else "succeeded"


def _connect(file: Path) -> sqlite3.Connection:
    """Connect with BEGIN IMMEDIATE, since a deferred transaction fails with SQLITE_BUSY without waiting."""
    return sqlite3.connect(
        file, timeout=BUSY_SECONDS_MAX, isolation_level="IMMEDIATE", check_same_thread=False
    )
