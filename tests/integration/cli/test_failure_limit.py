"""A failure limit on the command line: `create` sets it, `watch` and `show` say that it was exceeded."""

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.cli.command import CommandLine
from tests.support.progress import Served

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)


async def test_cancelled_batch_says_that_too_many_jobs_failed(progress: Served, cli: CommandLine) -> None:
    """The exit code of `watch` is that of a cancelled batch."""
    assert (await cli.run("create", "b", "--total", "9", "--max-failed-jobs", "1")).out == "b\n"
    for job_id in ("1", "2"):
        await progress.report("b", job_id, pb.JOB_OUTCOME_FAILED)
    watched = await cli.run("watch", "b")
    assert (watched.code, watched.lines[-1]) == (
        3,
        "b: 2/9, 22 %, 2 failed, cancelled: more than 1 job failed",
    )
    shown = (await cli.run("show", "b")).lines
    assert {"state        cancelled: more than 1 job failed", "may fail     1 job"} <= set(shown)


@pytest.mark.more("starts the command for one option more")
async def test_limit_may_be_a_share(progress: Served, cli: CommandLine) -> None:
    await cli.run("create", "b", "--total", "9", "--max-failed-percent", "0")
    limit = (await progress.get("b")).failure_limit
    assert (limit.WhichOneof("limit"), limit.percent) == ("percent", 0)


async def test_two_limits_are_refused_before_anything_is_sent(progress: Served, cli: CommandLine) -> None:
    options = ("--max-failed-jobs", "1", "--max-failed-percent", "1")
    ended = await cli.run("create", "b", "--total", "1", *options)
    assert (ended.code, ended.out) == (2, "")
    assert "--max-failed-percent" in ended.err
    assert not (await progress.stub.ListBatches(pb.ListBatchesRequest())).batches
