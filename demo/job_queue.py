"""The queue of the story: a SQLite table with one row a job, which its workers keep true.

It plays the queue a user already runs. `services.job_status` reads it with the source job_table,
whose CREATE TABLE this is.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from demo.plan import Job, Plan

BUSY_SECONDS_MAX = 10.0
"""Nine processes write, each for milliseconds; whoever waits ten seconds waits for a dead one."""
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
    """Create the table with every job of the batch running: each has its worker at once."""
    with closing(_connect(file)) as connection:
        # WAL: readers, the job-status server, never hold up workers. It is a property of the file.
        connection.execute("PRAGMA journal_mode = WAL")
        with connection:
            connection.execute(_CREATE)
            rows = [(plan.batch_id, job.job_id) for job in plan.jobs]
            connection.executemany("INSERT INTO jobs VALUES (?, ?, 'running', 1, NULL, NULL)", rows)


def count_ended(file: Path) -> int:
    """Return how many jobs have ended by the queue's own word."""
    with closing(_connect(file)) as connection:
        (ended,) = connection.execute("SELECT count(*) FROM jobs WHERE state <> 'running'").fetchone()
        return int(ended)


class QueueWriter:
    """Ends jobs in the table: one transaction carries all that ended while the last one was written."""

    def __init__(self, connection: sqlite3.Connection, batch_id: str) -> None:
        """Take a connection that is used by nobody else."""
        self._connection = connection
        self._batch_id = batch_id
        self._unwritten: dict[str, Job] = {}
        self._writing = asyncio.Lock()

    async def end(self, job: Job) -> None:
        """Return once the queue has kept how the job ended."""
        self._unwritten[job.job_id] = job
        async with self._writing:
            if job.job_id in self._unwritten:  # else whoever held the lock before us took it along
                jobs, self._unwritten = self._unwritten, {}
                await asyncio.to_thread(self._write, jobs.values())

    def _write(self, jobs: Iterable[Job]) -> None:
        rows = [(_state(job), job.error_type, job.error_message, self._batch_id, job.job_id) for job in jobs]
        with self._connection:
            self._connection.executemany(_END, rows)


@contextmanager
def queue_writer(file: Path, batch_id: str) -> Iterator[QueueWriter]:
    """Open the table for writing."""
    with closing(_connect(file)) as connection:
        yield QueueWriter(connection, batch_id)


def _state(job: Job) -> str:
    return "failed" if job.error_type else "succeeded"


def _connect(file: Path) -> sqlite3.Connection:
    """Connect with BEGIN IMMEDIATE: a deferred transaction meets SQLITE_BUSY without waiting."""
    return sqlite3.connect(
        file, timeout=BUSY_SECONDS_MAX, isolation_level="IMMEDIATE", check_same_thread=False
    )
