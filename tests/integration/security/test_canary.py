"""Secrets do not leak into logs, errors or the list of processes."""

import asyncio
import secrets
from pathlib import Path
from typing import Any

import grpc

from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.limits import UNLIMITED
from rpc.callers.principal import Role
from rpc.callers.watch_tokens import WatchTokens
from tests.integration.security.conftest import Issuer, Tokens, bearing, write_keys
from tests.support.progress import ProgressProcess, progress_process, start

SECONDS_MAX = 30
METHOD = "/batchprogress.v1.ProgressService/ReportJobResult"


def visible_parts_of(pid: int) -> bytes:
    """Return the command line and the environment of a process."""
    folder = Path("/proc", str(pid))
    return (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()


async def test_tokens_and_keys_stay_secret(
    sqlite_url: str, tokens: Tokens, issuer: Issuer, tmp_path: Path
) -> None:
    """Valid and invalid tokens, broken requests and files replaced by garbage are never quoted."""
    canary = secrets.token_hex(16)
    right, signed = tokens.add("someone", *Role), issuer.sign(["reader"], sub="someone", jti=canary)
    url, key = tmp_path / "url", tmp_path / "issuer.pem"
    url.write_text(f"{sqlite_url}?cache={canary}", encoding="ascii")
    key.write_bytes(issuer.public_pem)
    watch_keys = write_keys(tmp_path / "watch-token-keys", canary)
    watch_token = WatchTokens(watch_keys, frozenset(), UNLIMITED).create("b", 60).text
    settings = {
        "BATCHES_DATABASE_URL_FILE": str(url),
        "PROGRESS_TOKENS_FILE": str(tokens.path),
        "PROGRESS_JWT_KEY_FILE": str(key),
        "PROGRESS_JWT_ALGORITHM": "ES256",
        "PROGRESS_JWT_AUDIENCE": "batchprogress",
        "PROGRESS_JWT_ISSUER": "https://issuer.example",
        "PROGRESS_WATCH_TOKEN_KEY_FILE": str(watch_keys),
        "PROGRESS_LOG_CALLS": "true",
    }
    answers: list[str] = []
    async with progress_process(None, **settings) as process:
        for token in (right, signed, watch_token, f"bp_{canary}", f"{signed}{canary}", f"bpw_{canary}"):
            answers += await answers_to(process, token, canary)
        tokens.path.write_text(f'token = "{canary}"', encoding="ascii")
        key.write_text(canary, encoding="ascii")
        write_keys(watch_keys, canary, canary, canary)
        await asyncio.sleep(1.1)  # files are checked once per second
        answers += await answers_to(process, right, canary)
        await process.logged("cannot be used")
        everything = process.log.encode() + visible_parts_of(process.pid) + "".join(answers).encode()
    for secret in (canary, right, signed, signed.split(".")[2], watch_token):
        assert secret.encode() not in everything
    assert b'"event": "call"' in everything


async def answers_to(process: ProgressProcess, token: str, canary: str) -> list[str]:
    """Make calls that fail in several ways; return all that the server answers."""
    answers = []
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
                answers.append(f"{error.details()} {error.trailing_metadata()}")
    assert len(answers) == len(calls)
    return answers


async def test_password_of_the_database_stays_secret(tmp_path: Path) -> None:
    """A server whose database does not answer says so without the URL, which is not in its environment."""
    canary = secrets.token_hex(16)
    url = tmp_path / "url"
    url.write_text(f"mysql+asyncmy://root:{canary}@127.0.0.1:1/none", encoding="ascii")
    process = await start(None, listen="127.0.0.1:0", BATCHES_DATABASE_URL_FILE=str(url))
    seen = visible_parts_of(process.pid)
    async with asyncio.timeout(SECONDS_MAX):
        _, output = await process.communicate()
    assert process.returncode == 1
    assert b"does not answer" in output
    assert canary.encode() not in output + seen
