"""Every program that uses the database refuses an unusable one with one sentence and exit code 78."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from process.configuration import EXIT_BAD_CONFIGURATION
from tests.integration.store.accounts import account
from tests.integration.store.steps import on_mariadb

SECONDS_MAX = 60
"""Far above the time of Python's imports and a few statements."""
PROGRAMS = ("services.progress", "reconciler", "batches upgrade", "batches check")
ANY_PORT = {"PROGRESS_LISTEN": "127.0.0.1:0", "RECONCILER_JOB_STATUS_TARGET": "127.0.0.1:1"}


async def output_of(program: str, url: str) -> str:
    """Run a program that must exit with code 78; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *program.split(),
        env={**os.environ, **ANY_PORT, "BATCHES_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(SECONDS_MAX):
        out, _ = await process.communicate()
    assert process.returncode == EXIT_BAD_CONFIGURATION
    return out.decode()


@pytest.mark.more("starts each program")
@pytest.mark.parametrize("program", PROGRAMS)
@on_mariadb
async def test_a_wrong_password_is_one_sentence(database_url: str, program: str) -> None:
    async with account(database_url, password="s3cret") as url:
        output = await output_of(program, url)
    assert output.count("cannot use database ") == 1
    assert "as user application: the server does not accept this user and password; check both" in output
    assert "Traceback" not in output
    assert "s3cret" not in output


@pytest.mark.more("starts each program")
@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path, program: str) -> None:
    file = tmp_path / "batches.db"
    file.write_text("a letter to a friend" * 100, encoding="ascii")
    output = await output_of(program, f"sqlite+aiosqlite:///{file}")
    assert (
        output.count(f"cannot use SQLite file {file}: it is not an SQLite database; name another file") == 1
    )
    assert "Traceback" not in output


@pytest.mark.more("starts a program for each URL")
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql+asyncmy://app:s3cret@127.0.0.1:1", "names no database: end it with / and a name"),
        ("mysql+asyncmy://app:s3cret@127.0.0.1:1/d?sslmode=x", "has the unknown parameter sslmode"),
        ("mysql+asyncmy://app:s3cret@127.0.0.1:1/d?ssl_ca=/none.pem", "cannot be used (No such file"),
        ("sqlite+aiosqlite://", "names no SQLite file"),
    ],
)
async def test_a_url_that_cannot_be_used_is_one_line(url: str, sentence: str) -> None:
    (line,) = (await output_of("batches check", url)).splitlines()
    assert line.startswith("configuration: BATCHES_DATABASE_URL: ")
    assert sentence in line
    assert "s3cret" not in line
