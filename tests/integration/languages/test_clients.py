"""The clients for Node and Go, as somebody runs them who has copied their folder."""

import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from tests.integration.languages.programs import Ended, Programs
from tests.integration.security.conftest import Tokens
from tests.support.certificates import Authority
from tests.support.progress import progress_process, served

pytestmark = [pytest.mark.more("runs programs of Node and Go"), pytest.mark.xdist_group("languages")]

JOBS = 1037
BEFORE_THE_KILL = 1200
"""Of the reports, of which each job has two."""
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
USAGE, NOT_FOUND, REFUSED = 2, 4, 6


async def test_each_job_reported_twice_is_counted_once_through_a_restart(
    programs: Programs, tmp_path: Path
) -> None:
    """The server is killed in the middle, and the rest is reported while it is away."""
    url = f"sqlite+aiosqlite:///{tmp_path}/t.db"
    jobs = [job for job in range(JOBS) for _ in range(2)]
    async with AsyncExitStack() as stack:
        async with progress_process(url) as server:
            target = server.target
            created = await programs.run("create", "b", str(JOBS), server=target)
            assert created == Ended(0, [f"b: {JOBS} jobs"], "")
            watching = await stack.enter_async_context(programs.running("watch", "b", server=target))
            assert await watching.line() == f"0 % 0 of {JOBS}, 0 failed PROCESSING"
            worker = await stack.enter_async_context(programs.running("worker", "b", server=target))
            await worker.write(*jobs[:BEFORE_THE_KILL])
            assert "PROCESSING" in await watching.line()  # some are recorded
            server.send(signal.SIGKILL)
            await server.ended()
        await worker.write(*jobs[BEFORE_THE_KILL:])
        async with progress_process(url, listen=target):
            reported, watched = await worker.ended(), await watching.ended()
    assert (reported.code, watched.code) == (0, 0), (reported, watched)
    counts = dict(line.split(": ") for line in reported.lines)
    assert sum(map(int, counts.values())) == len(jobs)
    assert set(counts) == {"RECORDED", "DUPLICATE"}
    assert watched.lines[-1] == f"100 % {JOBS} of {JOBS}, 0 failed COMPLETED"
    assert watched.errors.startswith("waiting for the server: ")


async def test_an_unknown_batch_is_a_sentence_and_an_exit_code(programs: Programs, tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db") as progress:
        target = f"127.0.0.1:{progress.port}"
        watched = await programs.run("watch", "unknown", server=target)
        reported = await programs.run("worker", "unknown", *map(str, range(12)), server=target)
    advice = "check the id, and that the batch was created on this server"
    assert watched == Ended(NOT_FOUND, [], f"there is no batch unknown at {target}: {advice}\n")
    assert (reported.code, reported.lines) == (NOT_FOUND, ["BATCH_NOT_FOUND: 12"])
    first, tenth = reported.errors.splitlines()
    assert "of batch unknown is not counted: BATCH_NOT_FOUND" in first
    assert tenth.endswith("(10 for this reason so far)")


async def test_certificates_are_read_again_for_each_connection(programs: Programs, tmp_path: Path) -> None:
    """The server restarts with a certificate of another authority."""
    url = f"sqlite+aiosqlite:///{tmp_path}/t.db"
    tls = {"BATCHPROGRESS_CA": str(tmp_path / "ca.pem")}
    first, second = Authority("first"), Authority("second")
    async with AsyncExitStack() as stack:
        async with progress_process(url, **_tls_of_a_server(first, tmp_path)) as server:
            target = server.target
            assert (await programs.run("create", "b", "1", server=target, **tls)).code == 0
            watching = await stack.enter_async_context(programs.running("watch", "b", server=target, **tls))
            assert "PROCESSING" in await watching.line()
        async with progress_process(url, listen=target, **_tls_of_a_server(second, tmp_path)):
            assert (await programs.run("worker", "b", "17", server=target, **tls)).code == 0
            watched = await watching.ended()
    assert (watched.code, watched.lines[-1]) == (0, "100 % 1 of 1, 0 failed COMPLETED")


def _tls_of_a_server(authority: Authority, folder: Path) -> dict[str, str]:
    """Write the files of a server and of its clients; return the settings of the server."""
    authority.write(folder)
    certificate, key = authority.sign("server").write(folder, "server")
    return {"PROGRESS_TLS_CERTIFICATE_FILE": str(certificate), "PROGRESS_TLS_KEY_FILE": str(key)}


async def test_a_refused_report_does_not_fail_its_neighbours(programs: Programs, tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db") as progress:
        await progress.create("b", 3)
        jobs = ("1", "2", "not an id", "x" * MESSAGE_BYTES_MAX, "3")
        async with programs.running("worker", "b", server=f"127.0.0.1:{progress.port}") as worker:
            await worker.write(*jobs)
            reported = await worker.ended()
        batch = await progress.get("b")
    assert (batch.succeeded_jobs, batch.state) == (3, pb.BATCH_STATE_COMPLETED)
    assert reported.code == REFUSED
    assert sorted(reported.lines) == ["INVALID_FIELD: 1", "MESSAGE_TOO_LARGE: 1", "RECORDED: 3"]


async def test_tls_and_token_come_from_the_environment_of_the_python_client(
    programs: Programs, tmp_path: Path
) -> None:
    tokens = Tokens(tmp_path / "tokens.toml")
    authority = Authority("tests")
    certificate, key = authority.sign("worker").write(tmp_path, "worker")
    token_file = tmp_path / "token"
    token_file.write_text(tokens.add("all", Role.OPERATOR, Role.WORKER, Role.READER) + "\n", encoding="utf-8")
    settings = {
        "BATCHPROGRESS_CA": str(tmp_path / "ca.pem"),
        "BATCHPROGRESS_CERTIFICATE": str(certificate),
        "BATCHPROGRESS_KEY": str(key),
    }
    secured = {**authority.mutual_tls(tmp_path), "tokens_file": tokens.path}
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db", **secured) as progress:
        target = f"127.0.0.1:{progress.port}"
        refused = await programs.run("create", "b", "1", server=target, **settings)
        assert (refused.code, "needs a valid token" in refused.errors) == (REFUSED, True), refused
        settings["BATCHPROGRESS_TOKEN_FILE"] = str(token_file)
        for name, *arguments in (("create", "b", "1"), ("worker", "b", "17"), ("watch", "b")):
            ended = await programs.run(name, *arguments, server=target, **settings)
            assert ended.code == 0, ended
        missing = await programs.run(
            "watch", "b", server=target, **{**settings, "BATCHPROGRESS_CA": "/missing"}
        )
    assert (missing.code, "/missing" in missing.errors) == (USAGE, True)
