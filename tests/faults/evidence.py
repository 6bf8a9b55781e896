"""Compares the database with the ledger after all reports have ended."""

from sqlalchemy import select

from batches.result import JobOutcome
from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.faults.ledger import Findings, Job, Ledger, compare


async def findings(ledger: Ledger, database_url: str) -> Findings:
    """Read all rows and check all counters, after all reports have ended."""
    database = Database(database_url, connections_max=2)
    try:
        rows = await _rows(database)
        miscounted = [
            f"{one.batch_id}: {one.name} {one.kept} != {one.expected}"
            async for page in BatchStore(database).check()
            for one in page.differences
        ]
    finally:
        await database.close()
    return compare(ledger, rows, miscounted)


async def _rows(database: Database) -> dict[Job, JobOutcome]:
    batches, results = schema.batches.c, schema.job_results.c
    query = select(batches.batch_id, results.job_id, results.outcome).join(
        schema.batches, batches.batch_key == results.batch_key
    )
    async with database.engine.connect() as connection:
        found = await connection.execute(query)
        return {(batch_id, job_id): JobOutcome(outcome) for batch_id, job_id, outcome in found}
