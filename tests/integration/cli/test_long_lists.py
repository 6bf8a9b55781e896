"""A long list is written as its pages arrive, in memory that does not grow."""

import asyncio

import pytest

from batches.store.database import Database
from tests.integration.cli.command import SECONDS_MAX, CommandLine
from tests.integration.store.year import insert_year
from tests.support.memory import resident_kib

BATCHES = 8_000
FEW, MANY = 1_500, 6_500
"""Rows that were read from the pipe, which does not hold what is left: the command still runs."""
GROWTH_KIB_MAX = 8 * 1024
"""Two pages of a thousand batches; all of them would take three times as much."""


@pytest.mark.more("lists thousands of batches")
async def test_table_of_many_batches_is_streamed(cli: CommandLine, database: Database) -> None:
    await insert_year(database, BATCHES, seed=1)
    async with cli.running("list", "--limit", str(BATCHES)) as command, asyncio.timeout(2 * SECONDS_MAX):
        stdout = command.process.stdout
        assert stdout is not None
        peaks = []
        for rows in (FEW, MANY - FEW):
            for _ in range(rows):
                assert await stdout.readline()
            peaks.append(resident_kib(command.process.pid, "VmHWM"))
        few, many = peaks
        assert many - few < GROWTH_KIB_MAX
        assert len((await command.ended()).lines) == 1 + BATCHES - MANY
