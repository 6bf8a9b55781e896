"""`check`: compares the tallies of a batch with its listed results."""

import pytest

from batches.batch import Tally
from batches.repair import RepairPlan
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.cli.command import CommandLine
from tests.integration.store.steps import execute
from tests.support.progress import Served

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)


async def test_check_passes_if_tallies_agree(progress: Served, cli: CommandLine, store: BatchStore) -> None:
    """Results that a repair took over as counts are not missing: exit 0."""
    for batch_id in ("a", "b"):
        await progress.create(batch_id, 5)
        await progress.report(batch_id, "j1")
        await progress.report(batch_id, "j2", pb.JOB_OUTCOME_FAILED)
    revision = (await progress.get("b")).revision
    plan = RepairPlan("b", revision, "r", closes=True, total_jobs=5, unattributed=Tally(2, 0, 1))
    await store.write_repair(plan)
    ended = await cli.run("check", "a", "b")
    expected = "a: 2 results, no differences\nb: 2 results, no differences\n"
    assert (ended.code, ended.out, ended.err) == (0, expected, "")


async def test_check_reports_a_difference(progress: Served, cli: CommandLine, database: Database) -> None:
    """A tally that the results do not add up to is shown with both numbers: exit 1."""
    await progress.create("a", 5)
    await progress.report("a", "j1")
    await execute(database, "UPDATE batches SET succeeded_jobs = 3")
    ended = await cli.run("check", "a", "--json")
    assert ended.code == 1
    found = ["2 results are not listed, 0 came as counts"]
    assert ended.json == [{"batch_id": "a", "results": 1, "differences": found}]


async def test_check_of_an_unknown_batch_fails(cli: CommandLine) -> None:
    """The exit code is 4, as in every command."""
    ended = await cli.run("check", "nope")
    assert (ended.code, ended.out) == (4, "")
