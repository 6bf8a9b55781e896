"""A page of a year of batches reads a bounded number of rows, whatever filters are combined."""

from datetime import timedelta
from typing import Any

import pytest

from batches.batch import BatchState
from batches.listing import BatchFilter
from batches.store import listings
from batches.store.database import Database
from tests.faults.conftest import FULL
from tests.integration.store.test_label_search import counted
from tests.integration.store.year import INCIDENT, YEAR, insert_year
from tests.support.samples import NOON

BATCHES = 232_000 if FULL else 12_000
SEED = 21
PAGE = 50
READ_MAX = 9_000
"""Rows and index entries: four for each of the 2,000 batches that a page searches, and those before them."""
SORTED_READ_MAX = 28_000
"""With a prefix that is not the caller's own, up to 20,000 entries of its index besides."""
INSTRUCTIONS_A_READ = 20
"""Instructions of SQLite's virtual machine for a read."""

LABELS: dict[str, dict[str, str]] = {
    "any": {},
    "on most": {"env": "production"},
    "on some": {"team": "team-3"},
    "rare": {"tenant": "tenant-3"},
    "on three": INCIDENT,
    "on none": {"env": "none"},
    "never meet": {"site": "west", "region": "west"},
    "on old ones": {"half": "first"},
    "five": {"env": "production", "site": "west", "half": "first", "team": "team-3", "tenant": "tenant-3"},
}
REST: dict[str, dict[str, Any]] = {
    "all": {},
    "under way": {"state": BatchState.PROCESSING},
    "completed": {"state": BatchState.COMPLETED},
    "cancelled": {"state": BatchState.CANCELLED},
    "stalled": {"stalled": True},
    "with failures": {"with_failures": True},
    "of the last month": {"created_from": NOON + YEAR * 0.92},
    "of the first month": {"created_before": NOON + YEAR * 0.08},
    "of a day": {"created_from": NOON + YEAR / 2, "created_before": NOON + YEAR / 2 + timedelta(days=1)},
    "cancelled with failures, old": {
        "state": BatchState.CANCELLED,
        "with_failures": True,
        "created_before": NOON + YEAR * 0.1,
    },
    "with a prefix": {"id_prefix": "a-"},
    "with a prefix, stalled": {"id_prefix": "a-", "stalled": True},
}


@pytest.mark.more("inserts a year of batches")
async def test_page_of_any_filters_reads_a_bounded_number_of_rows(database: Database) -> None:
    print("seed", SEED)
    await insert_year(database, BATCHES, SEED)
    reads = {}
    async with database.engine.connect() as connection:
        for label, labels in LABELS.items():
            for rest, parts in REST.items():
                selected = BatchFilter(labels=labels, **parts)
                async with counted(connection) as cost:
                    await listings.list_batches(connection, selected=selected, before_key=None, size=PAGE)
                is_sqlite = connection.dialect.name == "sqlite"
                bound = SORTED_READ_MAX if selected.id_prefix else READ_MAX
                reads[label, rest] = cost.units, bound * (INSTRUCTIONS_A_READ if is_sqlite else 1)
    assert {name: one for name, one in reads.items() if one[0] > one[1]} == {}
