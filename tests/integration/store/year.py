"""A year of batches with labels, drawn from a seed and inserted in bulk."""

import random
from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from batches.batch import BatchState
from batches.store import schema
from batches.store.database import Database
from batches.store.rows import changing_values
from tests.integration.store.steps import update_statistics
from tests.support.samples import BATCH, NOON

YEAR = timedelta(days=365)
TEAMS = 20
BATCHES_A_TENANT = 50
"""A tenant is a rare label: a page of it reads further than its batches reach."""
UNDER_WAY_EVERY, CANCELLED_EVERY, FAILED_EVERY = 400, 50, 20
ROWS_A_STATEMENT = 1_000

INCIDENT = {"incident": "4711"}
"""A label of three batches, in the first tenth of the year."""

_Rows = tuple[list[dict[str, Any]], list[dict[str, Any]]]


async def insert_year(database: Database, batches: int, seed: int) -> None:
    """Insert batches that were created over a year, with four to six labels each."""
    chance = random.Random(seed)
    for first in range(0, batches, ROWS_A_STATEMENT):
        rows, labels = _rows(chance, range(first, min(first + ROWS_A_STATEMENT, batches)), batches)

        async with database.engine.begin() as connection:
            await connection.execute(insert(schema.batches), rows)
            await connection.execute(insert(schema.batch_labels), labels)
    await update_statistics(database)


def _rows(chance: random.Random, numbers: range, batches: int) -> _Rows:
    """Return the rows of batches and of their labels."""
    rows = [_row(chance, number, batches) for number in numbers]
    labels = [
        {"label_key": name, "label_value": value, "batch_key": row["batch_key"]}
        for row in rows
        for name, value in row["labels"].items()
    ]
    return rows, labels


def _row(chance: random.Random, number: int, batches: int) -> dict[str, Any]:
    created = NOON + YEAR * (number / batches)
    state = BatchState.COMPLETED
    if number % UNDER_WAY_EVERY == 0:
        state = BatchState.PROCESSING
    elif number % CANCELLED_EVERY == 0:
        state = BatchState.CANCELLED
    return {
        **changing_values(BATCH),
        "batch_key": number + 1,
        "batch_id": f"{chance.choice('abc')}-{number}",
        "display_name": f"Import {number}",
        "labels": _labels(chance, number, batches),
        "created_total_jobs": BATCH.announced_jobs,
        "created_sealed": True,
        "state": int(state),
        "succeeded_jobs": 10 - (number % FAILED_EVERY == 0),
        "failed_jobs": int(number % FAILED_EVERY == 0),
        "create_time": created,
        "first_result_time": created,
        "last_result_time": created,
        "complete_time": None if state is BatchState.PROCESSING else created + timedelta(minutes=1),
    }


def _labels(chance: random.Random, number: int, batches: int) -> dict[str, str]:
    """Return the labels of a batch. `site` and `region` are on half of the batches each and never meet."""
    labels = {
        "env": chance.choices(["production", "staging", "test"], [90, 8, 2])[0],
        "team": f"team-{chance.randrange(TEAMS)}",
        "tenant": f"tenant-{chance.randrange(max(1, batches // BATCHES_A_TENANT))}",
        ("site" if number % 2 else "region"): "west",
        "half": "first" if number < batches // 2 else "second",
    }
    return labels | INCIDENT if number in {batches // 30, batches // 20, batches // 10} else labels
