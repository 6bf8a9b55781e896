"""`delete`: asks at a terminal, and nowhere else."""

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.cli.command import CommandLine
from tests.support.progress import Served

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)


async def cancelled(progress: Served) -> None:
    """Create a batch with a result, and cancel it."""
    request = pb.CreateBatchRequest(batch_id="b", total_jobs=2, display_name="Mails of November")
    await progress.stub.CreateBatch(request)
    await progress.report("b", "j")
    await progress.stub.CancelBatch(pb.CancelBatchRequest(batch_id="b"))


async def exists(progress: Served) -> bool:
    """Return whether there is a batch."""
    return bool((await progress.stub.ListBatches(pb.ListBatchesRequest())).batches)


@pytest.mark.parametrize(("answer", "code", "is_deleted"), [("y", 0, True), ("", 1, False)])
async def test_terminal_is_asked(
    progress: Served, cli: CommandLine, answer: str, code: int, *, is_deleted: bool
) -> None:
    """The question names the batch; no answer is a no."""
    await cancelled(progress)
    async with cli.in_terminal("delete", "b") as terminal:
        await terminal.shows(r"Delete batch b \(Mails of November\), cancelled, 1 result\?")
        terminal.type(f"{answer}\n")
        await terminal.shows("b: deleted" if is_deleted else "batchprogress: nothing was deleted")
        assert await terminal.ended() == code
    assert await exists(progress) is not is_deleted


async def test_script_says_yes(progress: Served, cli: CommandLine) -> None:
    """Without --yes nothing is sent. With it, the command may be repeated."""
    await cancelled(progress)
    refused = await cli.run("delete", "b")
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    assert await exists(progress)
    ended = await cli.run("delete", "b", "--yes")
    assert (ended.code, ended.out, ended.err) == (0, "b: deleted\n", "")
    assert not await exists(progress)
    assert (await cli.run("delete", "b", "--yes", "--json")).json == [{"batch_id": "b"}]


async def test_batch_that_is_processing_is_refused(progress: Served, cli: CommandLine) -> None:
    await progress.create("b", 1)
    ended = await cli.run("delete", "b", "--yes")
    assert (ended.code, ended.out) == (6, "")
    assert ended.err.endswith("only a batch that has ended can be deleted: cancel it first\n")
