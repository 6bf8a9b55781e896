"""Finds which of the watched batches have changed; the change feed reads this continuously."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, select

from batches.batch import Batch, Version
from batches.store import schema
from batches.store.connections import AsyncConnection
from batches.store.rows import SELECT_BATCH, to_batch

READ_BATCHES_MAX = 1_000
"""Batches looked up by one statement: few enough not to delay other reads."""

_table = schema.batches.c


async def read_changed(
    connection: AsyncConnection, versions: Mapping[str, Version]
) -> tuple[list[Batch], list[str]]:
    """Compare known versions, by batch_id, with the database.

    Revisions are compared, so neither clocks nor the order of commits can hide a change; times besides, for
    a history that a fail-over of the database has rewound.

    Returns:
        The batches whose version differs, and the ids of the batches that no longer exist.

    """
    query = select(_table.batch_id, _table.batch_key, _table.revision, _table.last_result_time)
    rows = await _rows(connection, query, list(versions))
    found = {row.batch_id: (row.batch_key, row.revision, row.last_result_time) for row in rows}
    changed = [batch_id for batch_id, version in found.items() if version != versions[batch_id]]
    gone = [batch_id for batch_id in versions if batch_id not in found]
    return [to_batch(row) for row in await _rows(connection, SELECT_BATCH, changed)], gone


async def _rows(connection: AsyncConnection, query: Select[Any], batch_ids: Sequence[str]) -> list[Row[Any]]:
    """Return the rows of a query for these batches, READ_BATCHES_MAX of them in each statement."""
    rows: list[Row[Any]] = []
    for begin in range(0, len(batch_ids), READ_BATCHES_MAX):
        portion = batch_ids[begin : begin + READ_BATCHES_MAX]
        rows += (await connection.execute(query.where(_table.batch_id.in_(portion)))).all()
    return rows
