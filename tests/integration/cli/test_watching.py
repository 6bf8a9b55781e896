"""`watch`: lines, JSON and bars in a terminal, and the exit codes."""

import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise

import grpc
import pytest

from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from database_servers.ports import free_port
from tests.integration.cli.command import CommandLine
from tests.integration.store.steps import execute
from tests.support.progress import Served, Stub, progress_process, stub_of

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)

COLOURS = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d|38|48)[;\d]*m")
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


async def ended_batches(progress: Served) -> None:
    """Create a batch for each way to end."""
    for batch_id, outcome in (("good", pb.JOB_OUTCOME_SUCCEEDED), ("bad", pb.JOB_OUTCOME_FAILED)):
        await progress.create(batch_id, 1)
        await progress.report(batch_id, "j", outcome)
    await progress.create("cancelled", 1)
    await progress.stub.CancelBatch(pb.CancelBatchRequest(batch_id="cancelled"))


async def test_the_exit_code_tells_how_the_batches_ended(progress: Served, cli: CommandLine) -> None:
    """0 without failures, 1 with some, 3 cancelled, 4 not found; of several batches the highest."""
    await ended_batches(progress)
    for batch_ids, code in (("good", 0), ("bad good bad", 1), ("cancelled bad", 3), ("nope cancelled", 4)):
        ended = await cli.run("watch", *batch_ids.split())
        assert ended.code == code
        shown = sorted(line.partition(":")[0] for line in ended.lines)
        assert shown == sorted(set(batch_ids.split()) - {"nope"})


@pytest.mark.more("takes six seconds")
async def test_a_log_has_a_line_every_ten_percent(progress: Served, cli: CommandLine) -> None:
    """The lines are plain, and the last one shows the end."""
    await progress.create("b", 50)
    async with cli.running("watch", "b") as command, cli.running("watch", "b", "--json") as witness:
        lines = [await command.prints("b: 0/50, 0 %")]
        for index in range(50):
            await progress.report("b", f"j{index}", pb.JOB_OUTCOME_SKIPPED)
            await witness.prints(f'"revision": {index + 2},')  # each state was there to be shown
        ended = await command.ended()
    lines += ended.lines
    percents = [int(re.findall(r"(\d+) %", line)[0]) for line in lines]
    assert percents[-1] == 100
    assert all(after - before >= 10 for before, after in pairwise(percents[:-1]))
    assert lines[-1] == "b: 50/50, 100 %, 50 skipped, completed"
    assert (ended.code, "\x1b" in "".join(lines)) == (0, False)


async def test_json_has_a_line_for_each_change(progress: Served, cli: CommandLine) -> None:
    """Revisions rise, and the last line shows the end."""
    await progress.create("b", 5)
    async with cli.running("watch", "b", "--json") as command:
        await command.prints('"revision": 1,')
        for index in range(5):
            await progress.report("b", f"j{index}")
        ended = await command.ended()
    revisions = [batch["revision"] for batch in ended.json]
    assert revisions == sorted(set(revisions))
    assert (ended.json[-1]["state"], ended.json[-1]["succeeded_jobs"]) == ("BATCH_STATE_COMPLETED", 5)


@pytest.mark.more("waits for five silent seconds")
async def test_a_stall_is_shown(progress: Served, cli: CommandLine, database: Database) -> None:
    """The stream brings no message about it."""
    await progress.create("b", 5)
    async with cli.running("watch", "b") as command:
        await command.prints("b: 0/5, 0 %\n")
        await execute(database, "UPDATE batches SET create_time = :then", then="2026-01-01 00:00:00.000000")
        assert await command.prints("5 of 5 jobs pending") != ""


async def test_a_terminal_shows_a_bar_for_each_batch(progress: Served, cli: CommandLine) -> None:
    """A bar has the name of its batch; at the end all bars show how the batches ended."""
    await ended_batches(progress)
    request = pb.CreateBatchRequest(batch_id="b", total_jobs=4, display_name="November")
    await progress.stub.CreateBatch(request)
    async with cli.in_terminal("watch", "good", "bad", "b") as terminal:
        await terminal.shows(r"November +━+ +0 % +0/4")
        await progress.report("b", "j0", pb.JOB_OUTCOME_FAILED)
        await terminal.shows(r"November +\S+ +━* *25 % +1/4 +1 failed, \S+/s, \S+ left")
        for index in range(1, 4):
            await progress.report("b", f"j{index}")
        assert await terminal.ended() == 1
        await terminal.shows(
            r"good .*100 % +1/1 +completed\s+bad .*1 failed, completed\s+Nov.*1 failed, comp"
        )
        assert COLOURS.search(terminal.raw)
        assert terminal.raw.rfind(SHOW_CURSOR) > terminal.raw.rfind(HIDE_CURSOR)


async def test_no_color_switches_colours_off(progress: Served, cli: CommandLine) -> None:
    """Neither tables nor bars have colours."""
    await ended_batches(progress)
    for command, code in ((("watch", "bad", "cancelled"), 3), (("list",), 0)):
        async with cli.in_terminal(*command, NO_COLOR="1") as terminal:
            await terminal.shows("bad .*1 failed")
            assert await terminal.ended() == code
            assert COLOURS.search(terminal.raw) is None


async def test_ctrl_c_ends_a_watch_with_130(progress: Served, cli: CommandLine) -> None:
    """It prints no traceback, and the terminal has its cursor again."""
    await progress.create("b", 4)
    async with cli.in_terminal("watch", "b") as terminal:
        await terminal.shows("0/4")
        terminal.process.send_signal(signal.SIGINT)
        assert await terminal.ended() == 130
        await terminal.shows("0/4")
        assert "Traceback" not in terminal.text
        assert terminal.raw.rfind(SHOW_CURSOR) > terminal.raw.rfind(HIDE_CURSOR)
    async with cli.running("watch", "b", "--json") as command:
        await command.prints('"revision": 1,')
        command.process.send_signal(signal.SIGINT)
        ended = await command.ended()
        assert (ended.code, ended.out, ended.err) == (130, "", "")


@pytest.mark.more("restarts a server below the command; the client's watches are tested alone")
async def test_a_watch_continues_after_a_restart(database_url: str) -> None:
    """It says that it waits; no state is shown twice, and the end is shown."""
    listen = f"127.0.0.1:{free_port()}"
    cli = CommandLine(listen)
    async with AsyncExitStack() as watches:
        async with reporting(database_url, listen) as stub:
            await stub.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=2))
            await stub.ReportJobResult(job("j1"))
            command = await watches.enter_async_context(cli.running("watch", "b", "--json"))
            terminal = await watches.enter_async_context(cli.in_terminal("watch", "b"))
            seen = [await command.prints('"revision": 2,')]
            await terminal.shows("1/2")
        await command.warns(f"waiting for the server at {listen}")
        await terminal.shows(f"waiting for the server at {listen}")
        async with reporting(database_url, listen) as stub:
            await command.warns("answers again")
            await stub.ReportJobResult(job("j2"))
            ended = await command.ended()
            assert (ended.code, await terminal.ended()) == (0, 0)
        await terminal.shows(r"answers again[^W]*2/2 +completed")
    revisions = [json.loads(line)["revision"] for line in [*seen, *ended.lines]]
    assert revisions == [2, 3]


def job(job_id: str) -> pb.ReportJobResultRequest:
    """Return the report of a succeeded job."""
    return pb.ReportJobResultRequest(batch_id="b", job_id=job_id, outcome=pb.JOB_OUTCOME_SUCCEEDED)


@asynccontextmanager
async def reporting(database_url: str, listen: str) -> AsyncIterator[Stub]:
    """Run a server that is killed at the end of the context; yield a stub of it."""
    async with (
        progress_process(database_url, listen=listen) as server,
        grpc.aio.insecure_channel(server.target) as channel,
    ):
        yield stub_of(channel)
