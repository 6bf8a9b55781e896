"""python -m services.job_status, as operators run it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.job_status.settings import JobStatusSettings
from tests.integration.job_status.queues import JobTableQueue
from tests.integration.job_status.servers import Client

CHECKOUT = Path(__file__).parents[3]
PROCESS_SECONDS_MAX = 30.0
"""How long a start or an end may take on a busy machine before the test fails."""


@asynccontextmanager
async def _process(*arguments: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the server; kill it at the end if it still runs."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("JOB_STATUS_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.job_status", *arguments),
        cwd=CHECKOUT,
        env={**own, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PROCESS_SECONDS_MAX):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _run(*arguments: str, **variables: str) -> tuple[int | None, str, str]:
    """Run the server to its end; return its exit code, standard output and standard error."""
    async with _process(*arguments, **variables) as process:
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def _event(process: asyncio.subprocess.Process, name: str) -> Mapping[str, Any]:
    """Wait for an event in the log."""
    assert process.stderr is not None
    async for line in process.stderr:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == name:
            return event
    raise AssertionError(name)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_process_serves_until_a_stop_signal(stop: signal.Signals, queue_url: str) -> None:
    """It logs its ports, serves, and exits 0 after the signal."""
    queue = JobTableQueue(queue_url)
    await queue.create()
    await queue.put("batch", {"a": "succeeded"})
    settings = {"DATABASE_URL": queue_url, "SOURCE": "job_table", "LISTEN": "127.0.0.1:0"}
    async with _process(**{f"JOB_STATUS_{name}": value for name, value in settings.items()}) as process:
        serving = await _event(process, "serving")
        assert serving["source"] == "job_table"
        async with grpc.aio.insecure_channel(f"127.0.0.1:{serving['port']}") as channel:
            assert (await Client(channel).counts("batch")).succeeded == 1
        process.send_signal(stop)
        await _event(process, "stopped")
        assert await process.wait() == 0


MISSING = {
    "laravel": "JOB_STATUS_DATABASE_URL: the source laravel needs it",
    "job_table": "JOB_STATUS_DATABASE_URL: the source job_table needs it",
    "celery": "JOB_STATUS_REDIS_URL or JOB_STATUS_DATABASE_URL: the source celery needs one of them",
    "rq": "JOB_STATUS_REDIS_URL: the source rq needs it",
    "kubernetes": "JOB_STATUS_KUBERNETES_NAMESPACE: the source kubernetes needs it",
}


FIRST, *OTHERS = MISSING


@pytest.mark.parametrize(
    "source", [FIRST, *(pytest.param(source, marks=pytest.mark.more("another source")) for source in OTHERS)]
)
async def test_missing_setting_exits_78(source: str) -> None:
    """One line names the setting that the source needs."""
    code, _, err = await _run(JOB_STATUS_SOURCE=source)
    assert code == 78
    assert err.splitlines() == [f"configuration: {MISSING[source]}"]


BAD_SETTINGS = {
    "a driver that blocks": ("DATABASE_URL", "mysql+pymysql://user:s3cret@host/db", "is not async"),
    "not a URL": ("DATABASE_URL", "s3cret", "is not a database URL"),
    "a source that does not exist": (
        "SOURCE",
        "redis",
        "must be one of laravel, job_table, celery, rq, kubernetes",
    ),
    "not a Redis URL": ("REDIS_URL", "http://s3cret", "is not a Redis URL"),
    "an address that does not exist": ("LISTEN", "256.0.0.1:1", "cannot listen on"),
    "a drain in words": ("DRAIN_SECONDS", "long", "number"),
}


@pytest.mark.parametrize(("name", "value", "sentence"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
async def test_invalid_setting_exits_78(name: str, value: str, sentence: str) -> None:
    """One sentence names the problem, without secrets or a stack trace."""
    settings = {"JOB_STATUS_DATABASE_URL": "sqlite+aiosqlite:///queue.db", f"JOB_STATUS_{name}": value}
    code, _, err = await _run(**settings)
    (line,) = (line for line in err.splitlines() if line.startswith("configuration: "))
    assert (code, sentence in line) == (78, True)
    assert "Traceback" not in err
    assert "s3cret" not in err


async def test_help_explains_every_setting() -> None:
    """It does so even if no setting is set."""
    code, out, _ = await _run("--help")
    assert code == 0
    for name in JobStatusSettings.model_fields:
        assert f"JOB_STATUS_{name.upper()}" in out
