"""Finds which of the watched batches have changed; the change feed reads this continuously."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from batches.batch import Batch
from batches.store import schema
from batches.store.rows import SELECT_BATCH, to_batch

READ_BATCHES_MAX = 1_000
"""Batches looked up by one statement: few enough not to delay other reads."""

_table = schema.batches.c


async def read_changed(
    connection: AsyncConnection, revisions: Mapping[str, int]
) -> tuple[list[Batch], list[str]]:
    """Compare known revisions, by batch_id, with the database.

    Revisions are compared instead of times, so neither clocks nor the order of commits can hide a change.

    Returns:
        The batches whose revision differs, and the ids of the batches that no longer exist.

    """
    found = await _read_revisions(connection, list(revisions))
    changed = [batch_id for batch_id, revision in found.items() if revision != revisions[batch_id]]
    gone = [batch_id for batch_id in revisions if batch_id not in found]
    return await _read_batches(connection, changed), gone


async def _read_revisions(connection: AsyncConnection, batch_ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for portion in _portions(batch_ids):
        query = select(_table.batch_id, _table.revision).where(_table.batch_id.in_(portion))
        found.update((row.batch_id, row.revision) for row in await connection.execute(query))
    return found


async def _read_batches(connection: AsyncConnection, batch_ids: Sequence[str]) -> list[Batch]:
    batches: list[Batch] = []
    for portion in _portions(batch_ids):
        query = SELECT_BATCH.where(_table.batch_id.in_(portion))
        batches += [to_batch(row) for row in await connection.execute(query)]
    return batches


def _portions(batch_ids: Sequence[str]) -> list[Sequence[str]]:
    begins = range(0, len(batch_ids), READ_BATCHES_MAX)
    return [batch_ids[begin : begin + READ_BATCHES_MAX] for begin in begins]
