"""Locks batches, and reads with them the attempts on which the verdicts on reports depend."""

from collections import defaultdict, namedtuple
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect

from batches.batch import Batch
from batches.errors import BatchNotFound
from batches.result import JobResult, StoredAttempt
from batches.store.attempts import attempt_statements, attempts_of
from batches.store.connections import AsyncConnection
from batches.store.rows import SELECT_WITH_HISTORY, to_batch
from batches.store.script import Statement, marks, run_prepared, run_script

KEYS_MAX = 10_000
"""Batches whose keys are remembered, in some 2 MB: far more than get results at the same time."""
DIALECTS_MAX = 16
"""Dialects for which the rows of batches are prepared: each pool has its own, and a server has three."""

# The last one is recent_history.
_COLUMNS = SELECT_WITH_HISTORY.selected_columns
_Row = namedtuple("_Row", [column.name for column in _COLUMNS])  # type: ignore[misc]  # noqa: PYI024


class BatchKeys:
    """Remembers the keys of batches, which never change: a batch that replaces another one has its own.

    Args:
        known: The keys that are known already, by batch_id.

    """

    def __init__(self, known: Mapping[str, int] | None = None) -> None:
        self._key_of = dict(known or {})

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._key_of)

    async def look_up(self, connection: AsyncConnection, batch_ids: Collection[str]) -> dict[str, int]:
        """Return the keys of batches by id; those of deleted ones may be among them."""
        found = {batch_id: self._key_of[batch_id] for batch_id in batch_ids if batch_id in self._key_of}
        unknown = [batch_id for batch_id in batch_ids if batch_id not in found]
        if unknown:
            query = f"SELECT batch_id, batch_key FROM batches WHERE batch_id IN ({marks(unknown)})"  # noqa: S608
            (rows,) = await run_script(connection, [Statement(query, unknown)])
            keys = {row[0]: row[1] for row in rows}
            self._remember(keys)
            found |= keys
        return found

    def forget(self, batch_ids: Iterable[str]) -> None:
        """Forget the keys of batches that no longer exist."""
        for batch_id in batch_ids:
            self._key_of.pop(batch_id, None)

    def _remember(self, keys: dict[str, int]) -> None:
        self._key_of.update(keys)
        while len(self._key_of) > KEYS_MAX:
            del self._key_of[next(iter(self._key_of))]


@dataclass(slots=True)
class Locked:
    """Batches, which are locked until the transaction ends, and recorded attempts of their jobs."""

    batches: list[Batch]
    attempts: dict[tuple[int, str], StoredAttempt]
    """By batch_key and job_id."""


async def lock_for(connection: AsyncConnection, results: Iterable[JobResult], keys: BatchKeys) -> Locked:
    """Lock the batches of results, as far as they exist, and read the recorded attempts of the jobs."""
    jobs: dict[str, list[str]] = defaultdict(list)
    for result in results:
        jobs[result.batch_id].append(result.job_id)
    return await lock_with_attempts(connection, jobs, keys)


async def lock_batches(
    connection: AsyncConnection, batch_ids: Iterable[str], keys: BatchKeys | None = None
) -> list[Batch]:
    """Lock the batches that exist until the transaction ends, and return them.

    Args:
        connection: The transaction.
        batch_ids: The batches.
        keys: The keys of batches that are known already.

    """
    locked = await lock_with_attempts(
        connection, dict.fromkeys(batch_ids, ()), BatchKeys() if keys is None else keys
    )
    return locked.batches


async def lock_batch(connection: AsyncConnection, batch_id: str) -> Batch:
    """Lock one batch until the transaction ends, and return it.

    Raises:
        BatchNotFound: there is no such batch.

    """
    batches = await lock_batches(connection, [batch_id])
    if not batches:
        raise BatchNotFound(batch_id)
    return batches[0]


async def lock_with_attempts(
    connection: AsyncConnection, jobs: Mapping[str, Sequence[str]], keys: BatchKeys
) -> Locked:
    """Lock batches, as far as they exist, and read the recorded attempts of their jobs.

    The keys of the batches are looked up first, so that the locks are acquired along the primary key, in the
    same order whatever plan the database chooses: replicas wait for each other and never deadlock. The
    attempts are read by a statement of its own, which sees what others committed before the locks were free.

    Args:
        connection: The transaction.
        jobs: The jobs whose attempts are read, by the batch_id of each batch to lock.
        keys: The keys of batches that are known already.

    """
    key_of = await keys.look_up(connection, jobs)
    if not key_of:
        return Locked([], {})
    wanted = ((key, job_id) for batch_id, key in key_of.items() for job_id in jobs[batch_id])
    reader = _reader(connection.dialect)
    locking, reading = reader.locking(sorted(key_of.values())), list(attempt_statements(wanted))
    if reading or len(key_of) > 1:
        rows, *attempts = await run_script(connection, [locking, *reading])
    else:
        rows, attempts = await run_prepared(connection, locking), []
    batches = [batch for batch in map(reader.batch, rows) if key_of.get(batch.batch_id) == batch.batch_key]
    locked = Locked(batches, attempts_of(attempts))
    # Deleted since, and another batch may have the id; after a fail-over that lost it, even the key.
    gone = key_of.keys() - {batch.batch_id for batch in batches}
    if gone:
        keys.forget(gone)
        others = await lock_with_attempts(connection, {batch_id: jobs[batch_id] for batch_id in gone}, keys)
        locked.batches += others.batches
        locked.attempts |= others.attempts
    return locked


class _Reader:
    """Makes the statement that locks batches, and the batches of its rows, as SQLAlchemy would."""

    def __init__(self, dialect: Dialect) -> None:
        implementations = [column.type.dialect_impl(dialect) for column in _COLUMNS]
        self._conversions = [
            (number, conversion)
            for number, one in enumerate(implementations)
            if (conversion := one.result_processor(dialect, None)) is not None
        ]
        self._select = str(SELECT_WITH_HISTORY.compile(dialect=dialect))
        self._lock = "" if dialect.name == "sqlite" else " FOR UPDATE"  # SQLite has one writer

    def locking(self, keys: Sequence[int]) -> Statement:
        """Return the statement that locks the batches with these keys."""
        where = f"WHERE batches.batch_key IN ({marks(keys)}) ORDER BY batches.batch_key{self._lock}"
        return Statement(f"{self._select} {where}", keys)

    def batch(self, values: Sequence[Any]) -> Batch:
        """Return the batch of a row."""
        converted = list(values)
        for number, conversion in self._conversions:
            converted[number] = conversion(converted[number])
        return to_batch(_Row(*converted), converted[-1])


_reader: Callable[[Dialect], _Reader] = lru_cache(maxsize=DIALECTS_MAX)(_Reader)
