"""`report --from -`: many results from a pipe."""

import asyncio
import json

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.cli.command import SECONDS_MAX, CommandLine
from tests.support.progress import Served

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)


def line(job_id: object, outcome: str = "succeeded", **more: object) -> str:
    """Return a line of the input."""
    return json.dumps({"job_id": job_id, "outcome": outcome, **more}) + "\n"


async def test_every_line_becomes_a_result(progress: Served, cli: CommandLine) -> None:
    """The lines may need several calls, and the last one may lack a line break."""
    await progress.create("b", 10_005)
    lines = [line(f"j{index}") for index in range(10_003)]
    lines += [line("f", "failed", attempt=2, error_type="E", error="e"), line("s", "skipped").rstrip()]
    ended = await cli.run("report", "b", "--from", "-", text="".join(lines))
    assert (ended.code, ended.out, ended.err) == (0, "10,005 recorded\n", "")
    batch = await progress.get("b")
    assert (batch.state, batch.succeeded_jobs, batch.failed_jobs, batch.skipped_jobs) == (
        pb.BATCH_STATE_COMPLETED,
        10_003,
        1,
        1,
    )


async def test_lines_of_many_batches_need_no_argument(progress: Served, cli: CommandLine) -> None:
    """A batch that does not exist refuses its own lines alone."""
    for batch_id in ("b1", "b2"):
        await progress.create(batch_id, 2)
    text = "".join(line("j", batch_id=batch_id) for batch_id in ("b1", "b2", "b3"))
    ended = await cli.run("report", "--from", "-", "--json", text=text)
    assert [(one["batch_id"], one["disposition"]) for one in ended.json] == [
        ("b1", "DISPOSITION_RECORDED"),
        ("b2", "DISPOSITION_RECORDED"),
        ("b3", "DISPOSITION_UNSPECIFIED"),
    ]
    assert (ended.code, [(await progress.get(one)).succeeded_jobs for one in ("b1", "b2")]) == (4, [1, 1])


async def test_a_refused_line_is_named_and_the_others_are_counted(progress: Served, cli: CommandLine) -> None:
    """The exit code is 6."""
    await progress.create("b", 9)
    ended = await cli.run("report", "b", "--from", "-", text=line("1") + line("1", "failed") + line("2"))
    assert (ended.code, ended.out) == (6, "2 recorded, 1 refused\n")
    assert ended.err.startswith("batchprogress: line 2: attempt 1 of job 1")
    answers = (
        await cli.run("report", "b", "--from", "-", "--json", text=line("1") + line("1", "failed"))
    ).json
    assert [(one["job_id"], one["disposition"]) for one in answers] == [
        ("1", "DISPOSITION_DUPLICATE"),
        ("1", "DISPOSITION_UNSPECIFIED"),
    ]
    assert answers[1]["error"]["reason"] == "RESULT_CONFLICT"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("{", "it is not JSON"),
        ("[]\n", "it is not a JSON object"),
        (line(17), "job_id must be a string"),
        (line("j", "done"), "outcome must be one of"),
        (line("j", attempt=0), "attempt must be from 1"),
        (line("j", jobid="x"), "there is no field 'jobid'"),
    ],
)
async def test_a_malformed_line_ends_the_command_with_2(
    progress: Served, cli: CommandLine, bad: str, why: str
) -> None:
    """The error has the number of the line and the reason; the lines before it are sent."""
    await progress.create("b", 9)
    ended = await cli.run("report", "b", "--from", "-", text=line("1") + "\n" + bad)
    assert (ended.code, ended.out) == (2, "1 recorded\n")
    assert ended.err.startswith(f"batchprogress: line 3 is not a report: {why}")
    assert (await progress.get("b")).succeeded_jobs == 1


async def test_lines_are_sent_as_they_arrive(progress: Served, cli: CommandLine) -> None:
    """A result is recorded while the pipe is still open."""
    await progress.create("b", 9)
    async with cli.running("report", "b", "--from", "-") as command:
        await command.write(line("1"))
        async with asyncio.timeout(SECONDS_MAX):
            async for message in progress.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b")):
                if message.batch.succeeded_jobs == 1:
                    break
        ended = await command.ended()
    assert (ended.code, ended.out) == (0, "1 recorded\n")
