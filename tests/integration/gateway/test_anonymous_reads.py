"""Reads without a token: shared between those that allow it, and with no others."""

from pathlib import Path

from structlog.testing import capture_logs

from rpc.callers.principal import Role
from tests.integration.gateway.conftest import Serve
from tests.integration.security.conftest import Tokens
from tests.support.gateway import PROGRESS, Door, gateway
from tests.support.progress import Served

SHARED = {"cache-control": "max-age=60"}


def _own(tokens: Tokens, folder: Path) -> Path:
    path = folder / "token"
    path.write_text(tokens.add("gateway", Role.READER, Role.OPERATOR), encoding="ascii")
    return path


async def test_a_caller_with_a_token_gets_no_answer_of_others(
    serve: Serve, tokens: Tokens, tmp_path: Path
) -> None:
    """Its token may be for fewer batches, or for none."""
    operator = {"authorization": f"Bearer {tokens.add('ann', Role.OPERATOR)}"}
    own = _own(tokens, tmp_path)
    async with (
        serve(tokens_file=tokens.path) as server,
        gateway(f"127.0.0.1:{server.port}", token_file=own) as door,
    ):
        assert (await Door(door.port, headers=operator).call("CreateBatch", batchId="b")).status == 200
        assert (await Door(door.port, headers=SHARED).call("GetBatch", batchId="b")).status == 200
        for token in (operator["authorization"], "Bearer wrong", ""):
            mine = Door(door.port, headers={**SHARED, "authorization": token})
            assert (await mine.call("GetBatch", batchId="b")).status in {401, 403}


async def test_a_caller_reads_what_it_has_written(door: Door, progress: Served) -> None:
    """An older answer is only for those that allow it."""
    await progress.create("b", 2)
    page = Door(door.port, headers=SHARED)
    seen: list[str] = []
    for job_id in ("1", "2"):
        await page.call("GetBatch", batchId="b")
        await progress.report("b", job_id)
        answers = [await client.call("GetBatch", batchId="b") for client in (door, page)]
        seen.extend(answer.json["batch"]["succeededJobs"] for answer in answers)
    assert seen[0::2] == ["1", "2"]
    assert seen[1] == "0"


async def test_a_refused_token_of_the_gateway_is_logged_once(
    serve: Serve, tokens: Tokens, tmp_path: Path
) -> None:
    """Callers without a token are told that its operator can mend it."""
    file = tmp_path / "token"
    file.write_text("wrong", encoding="ascii")
    with capture_logs() as logs:
        async with (
            serve(tokens_file=tokens.path) as server,
            gateway(f"127.0.0.1:{server.port}", token_file=file) as door,
        ):
            answers = [await door.call("ListBatches") for _ in range(3)]
    assert {(one.status, one.error.reason) for one in answers} == {(503, "TOKEN_REFUSED")}
    assert [log["event"] for log in logs if log["log_level"] == "warning"].count(
        "the progress server refuses the gateway's own token"
    ) == 1


async def test_a_gateway_for_reads_has_no_methods_that_write(progress: Served) -> None:
    await progress.create("b", 1)
    async with gateway(f"127.0.0.1:{progress.port}", read_only=True) as door:
        assert (await door.call("GetBatch", batchId="b")).status == 200
        for method in ("CreateBatch", "ReportJobResult", "ReportJobResults", "CancelBatch"):
            assert (await door.post(f"/{PROGRESS}/{method}", b"{}")).status == 404
        async with door.watch("b") as frames:
            assert (await anext(frames)).json["batch"]["batchId"] == "b"
