"""What the package for Laravel keeps while the gateway is away, or refuses its token."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rpc.callers.principal import Role
from tests.integration.security.conftest import Tokens
from tests.laravel.framework import Framework
from tests.laravel.ports import free_port
from tests.support.eventually import SECONDS_MAX
from tests.support.gateway import gateway
from tests.support.progress import served

SCRIPT = Path(__file__).parent / "fill_outbox.php"
JOBS = 70_000
"""More than the outbox keeps."""


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Return the URL of a new database."""
    return f"sqlite+aiosqlite:///{tmp_path}/batches.db"


async def test_full_buffer_is_told_once_and_what_it_kept_is_sent(
    laravel_13: Framework, database: str
) -> None:
    port = free_port()
    async with served(database) as progress:
        await progress.create("sync", JOBS)
        async with (
            filled(laravel_13, port, JOBS) as (process, told),
            gateway(f"127.0.0.1:{progress.port}", listen=f"127.0.0.1:{port}"),
        ):
            await process.communicate(b"\n")
        kept = (await progress.get("sync")).succeeded_jobs
    assert told.count("results are lost") == 1
    assert 40_000 < kept < JOBS


async def test_results_are_kept_until_the_token_in_the_file_is_right(
    laravel_13: Framework, database: str, tmp_path: Path
) -> None:
    tokens, token_file = Tokens(tmp_path / "tokens.json"), tmp_path / "token"
    right = tokens.add("app", Role.WORKER, Role.OPERATOR)
    token_file.write_text("wrong", encoding="ascii")
    async with (
        served(database, tokens_file=tokens.path) as progress,
        gateway(f"127.0.0.1:{progress.port}") as door,
        filled(laravel_13, door.port, 1, TOKEN_FILE=str(token_file)) as (process, told),
    ):
        token_file.write_text(f"{right}\n", encoding="ascii")
        output, _ = await process.communicate(b"\n")
    assert "HTTP 401 TOKEN_INVALID" in told
    assert b"a result was refused: BATCH_NOT_FOUND" in output  # so it was let in


@asynccontextmanager
async def filled(
    laravel: Framework, port: int, jobs: int, **environment: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Let a process fill an outbox; yields it and what it logged. It sends what is left after a line."""
    pipe = asyncio.subprocess.PIPE
    command = (*laravel.php, str(SCRIPT), f"http://127.0.0.1:{port}", "sync", str(jobs))
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, env=os.environ | environment
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS_MAX):
            yield process, (await process.stdout.readuntil(b"filled\n")).decode()
    finally:
        if process.returncode is None:
            process.kill()
