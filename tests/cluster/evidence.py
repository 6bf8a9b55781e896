"""Compares every node with the ledger, and the nodes with each other."""

from collections.abc import Sequence

from sqlalchemy import select, text

from batches.store import schema
from batches.store.database import Database
from tests.faults import evidence
from tests.faults.ledger import Findings, Ledger


async def findings(ledger: Ledger, urls: Sequence[str]) -> list[Findings]:
    """Return what is wrong on each node; all of them must hold the same rows."""
    digests = [await _digest(url) for url in urls]
    assert digests == [digests[0]] * len(urls)
    return [await evidence.findings(ledger, url) for url in urls]


async def _digest(url: str) -> dict[str, int]:
    """Return the checksum of each table."""
    tables = [table.name for table in schema.metadata.sorted_tables]
    database = Database(url, connections_max=1)
    try:
        async with database.engine.connect() as connection:
            # A read waits for what other nodes have committed; CHECKSUM does not.
            await connection.execute(select(schema.batches.c.batch_key).limit(1))
            rows = await connection.execute(text(f"CHECKSUM TABLE {', '.join(tables)}"))
            return {name.partition(".")[2]: checksum for name, checksum in rows}
    finally:
        await database.close()
