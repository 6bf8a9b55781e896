"""A secret that was seeded everywhere is found nowhere: not in a log, an error, or the list of processes."""

import asyncio
import secrets
from pathlib import Path
from typing import Any

import grpc

from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from tests.integration.security.conftest import Issuer, Tokens, bearing
from tests.support.progress import ProgressProcess, progress_process, start

SECONDS_MAX = 30
METHOD = "/batchprogress.v1.ProgressService/ReportJobResult"


def seen_of(pid: int) -> bytes:
    """Return what other users of the machine, and this one, see of a process."""
    folder = Path("/proc", str(pid))
    return (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()


async def test_tokens_and_keys_stay_secret(
    sqlite_url: str, tokens: Tokens, issuer: Issuer, tmp_path: Path
) -> None:
    """Right and wrong tokens, broken requests, and files that are replaced by garbage: none is quoted."""
    canary = secrets.token_hex(16)
    right, signed = tokens.add("someone", *Role), issuer.sign(["reader"], sub="someone", jti=canary)
    url, key = tmp_path / "url", tmp_path / "issuer.pem"
    url.write_text(f"{sqlite_url}?cache={canary}", encoding="ascii")
    key.write_bytes(issuer.public_pem)
    settings = {
        "BATCHES_DATABASE_URL_FILE": str(url),
        "PROGRESS_TOKENS_FILE": str(tokens.path),
        "PROGRESS_JWT_KEY_FILE": str(key),
        "PROGRESS_JWT_ALGORITHM": "ES256",
        "PROGRESS_JWT_AUDIENCE": "batchprogress",
        "PROGRESS_JWT_ISSUER": "https://issuer.example",
        "PROGRESS_LOG_CALLS": "true",
    }
    learnt: list[str] = []
    async with progress_process(None, **settings) as process:
        for token in (right, signed, f"bp_{canary}", f"{signed}{canary}"):
            learnt += await answers_to(process, token, canary)
        tokens.path.write_text(f'token = "{canary}"', encoding="ascii")
        key.write_text(canary, encoding="ascii")
        await asyncio.sleep(1.1)  # a file is looked at once a second
        learnt += await answers_to(process, right, canary)
        await process.logged("cannot be used")
        everything = process.log.encode() + seen_of(process.pid) + "".join(learnt).encode()
    for secret in (canary, right, signed, signed.split(".")[2]):
        assert secret.encode() not in everything
    assert b'"event": "call"' in everything


async def answers_to(process: ProgressProcess, token: str, canary: str) -> list[str]:
    """Make calls that fail in several ways; return everything that is answered."""
    learnt = []
    calls: tuple[tuple[str, bytes], ...] = (
        (METHOD, b"\xff" + canary.encode()),
        (METHOD, pb.ReportJobResultRequest(job_id="j", error_message=canary).SerializeToString()),
        ("/batchprogress.v1.ProgressService/Nothing", b""),
        ("/batchprogress.v1.ProgressService/GetBatch", pb.GetBatchRequest(batch_id="b").SerializeToString()),
    )
    async with bearing(process.port, token) as client:
        raw: Any = client.channel
        for method, message in calls:
            try:
                await raw.unary_unary(method)(message)
            except grpc.aio.AioRpcError as error:
                learnt.append(f"{error.details()} {error.trailing_metadata()}")
    assert len(learnt) == len(calls)
    return learnt


async def test_a_databases_password_stays_secret(tmp_path: Path) -> None:
    """A server whose database is away says so without the URL, and nobody sees it in the environment."""
    canary = secrets.token_hex(16)
    url = tmp_path / "url"
    url.write_text(f"mysql+asyncmy://root:{canary}@127.0.0.1:1/none", encoding="ascii")
    process = await start(None, listen="127.0.0.1:0", BATCHES_DATABASE_URL_FILE=str(url))
    seen = seen_of(process.pid)
    async with asyncio.timeout(SECONDS_MAX):
        _, said = await process.communicate()
    assert process.returncode == 1
    assert b"the database does not answer" in said
    assert canary.encode() not in said + seen
