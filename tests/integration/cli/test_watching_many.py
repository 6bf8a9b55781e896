"""`watch --label`: all batches that match, until Ctrl-C."""

import json
import signal

import pytest

from batchprogress.v1 import progress_pb2 as pb
from database_servers.ports import free_port
from tests.integration.cli.command import CommandLine
from tests.support.progress import Served

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)

DATA = ("watch", "--label", "team=data")


async def create(progress: Served, batch_id: str, total_jobs: int = 1, team: str = "data") -> None:
    """Create a batch with a label."""
    request = pb.CreateBatchRequest(batch_id=batch_id, total_jobs=total_jobs, labels={"team": team})
    await progress.stub.CreateBatch(request)


async def test_lines_show_batches_that_match_until_ctrl_c(progress: Served, cli: CommandLine) -> None:
    """New batches and ends are shown, and no batch of another label or prefix."""
    await create(progress, "sync-1")
    await create(progress, "mails")
    await create(progress, "sync-sales", team="sales")
    async with cli.running(*DATA, "--prefix", "sync-") as command:
        assert await command.prints("") == "sync-1: 0/1, 0 %\n"
        await progress.report("sync-1", "j", pb.JOB_OUTCOME_FAILED)
        assert await command.prints("") == "sync-1: 1/1, 100 %, 1 failed, completed\n"
        await create(progress, "sync-2")
        assert await command.prints("") == "sync-2: 0/1, 0 %\n"
        command.process.send_signal(signal.SIGINT)
        ended = await command.ended()
    assert (ended.code, ended.out, ended.err) == (130, "", "")


@pytest.mark.more("starts the command once more for another view")
async def test_json_has_an_object_for_each_state(progress: Served, cli: CommandLine) -> None:
    await create(progress, "b")
    async with cli.running(*DATA, "--json") as command:
        first = json.loads(await command.prints(""))
        await progress.report("b", "j")
        last = json.loads(await command.prints(""))
    assert (first["batch_id"], first["state"]) == ("b", "BATCH_STATE_PROCESSING")
    assert (last["batch_id"], last["state"]) == ("b", "BATCH_STATE_COMPLETED")


async def test_an_ended_batch_stands_above_the_bars(progress: Served, cli: CommandLine) -> None:
    async with cli.in_terminal(*DATA) as terminal:
        await terminal.shows("waiting for batches")
        await create(progress, "a", 2)
        await terminal.shows(r"a +━+ +0 % +0/2")
        await create(progress, "b")
        await terminal.shows(r"a +━+ +0 % +0/2\s+b +━+ +0 % +0/1")
        await progress.report("b", "j")
        await terminal.shows(r"b +━+ +100 % +1/1 +completed\s+a +━+ +0 % +0/2")
        terminal.process.send_signal(signal.SIGINT)
        assert await terminal.ended() == 130
        assert "Traceback" not in terminal.text


@pytest.mark.more("waits for two seconds without an answer")
async def test_it_says_that_it_waits_for_the_server(cli: CommandLine) -> None:
    """It gives up after --timeout."""
    server = f"127.0.0.1:{free_port()}"
    async with cli.running(*DATA, "--server", server, "--timeout", "3") as command:
        await command.warns(f"waiting for the server at {server}")
        await command.warns(f"the server at {server} did not answer for 3 s")
        assert (await command.ended()).code == 5


@pytest.mark.more("starts the command three times")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "give the IDs of batches, or --label, or --prefix"),
        (("b", "--label", "team=data"), "give either IDs, or --label and --prefix"),
        (("--label", "team"), "'team' is not KEY=VALUE"),
    ],
)
async def test_batches_are_given_in_one_way(
    cli: CommandLine, arguments: tuple[str, ...], sentence: str
) -> None:
    ended = await cli.run("watch", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err
