"""`python -m services`, which is `make serve`: server, gateway and notifier by one command."""

import asyncio
import os
import signal
import sys
from contextlib import suppress

import pytest

from database_servers.ports import free_port
from tests.support.eventually import eventually
from tests.support.gateway import SECONDS_MAX, Door
from tests.support.progress import ROOT

KILLED_BY_SIGTERM = 128 + signal.SIGTERM
Process = asyncio.subprocess.Process
pytestmark = pytest.mark.more("starts three programs as processes")


async def start(sqlite_url: str, port: int) -> Process:
    """Start all of them, the gateway on this port."""
    progress = f"127.0.0.1:{free_port()}"
    environment = {
        "BATCHES_DATABASE_URL": sqlite_url,
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_PROGRESS_TARGET": progress,
        "PROGRESS_LISTEN": progress,
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services"),
        cwd=ROOT,
        env=os.environ | environment,
        stderr=asyncio.subprocess.PIPE,
    )


async def created(port: int) -> bool:
    """Return whether a batch can be created through the gateway."""
    try:
        return (await Door(port).call("CreateBatch", batchId="b", totalJobs=1)).status == 200
    except OSError:  # it does not listen yet
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_all_serve_until_a_signal(sqlite_url: str, number: signal.Signals) -> None:
    port = free_port()
    process = await start(sqlite_url, port)
    await eventually(lambda: created(port))
    process.send_signal(number)
    async with asyncio.timeout(SECONDS_MAX):
        _, log = await process.communicate()
    assert process.returncode == 0
    assert log.count(b'"event": "stopped"') == 3, log.decode()


SIGNAL_AFTER_FIRST_START = """
import os, signal, sys
import services.__main__ as both

start = both._start

async def start_then_signal(name):
    program = await start(name)
    if program.returncode is None and not started:
        started.append(program)
        print(program.pid, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
    return program

started = []
both._start = start_then_signal
both.app()
"""
"""Sends the signal in the one moment that a test cannot hit from outside."""


async def test_signal_while_they_start_leaves_none_of_them_behind(sqlite_url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SIGNAL_AFTER_FIRST_START),
        cwd=ROOT,
        env=os.environ | {"BATCHES_DATABASE_URL": sqlite_url, "PROGRESS_LISTEN": "127.0.0.1:0"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS_MAX):
        printed = await process.stdout.readline()  # not to its end: a program that is left behind has it, too
        await process.wait()
    try:
        with pytest.raises(ProcessLookupError):
            os.kill(int(printed), 0)
    finally:
        with suppress(ProcessLookupError):
            os.kill(int(printed), signal.SIGKILL)
    assert process.returncode in {0, KILLED_BY_SIGTERM}  # 0 if its handler was installed in time


async def test_one_that_cannot_start_ends_the_others(sqlite_url: str) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    process = await start(sqlite_url, port)
    async with asyncio.timeout(SECONDS_MAX):
        _, log = await process.communicate()
    assert (process.returncode, f"cannot listen on 127.0.0.1:{port}" in log.decode()) == (78, True)
    server.close()
