"""Viewers that do not read."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest

from services.gateway.web import http_connection
from tests.support.events import events, path_of
from tests.support.eventually import eventually
from tests.support.gateway import Door, gateway
from tests.support.progress import Served

JOBS = 12
RECEIVED_BYTES_MAX = 4_096
LABELS = {f"label-{number}": "é" * 200 for number in range(32)}
"""An event of 40 KB, so that a few of them fill what the kernel keeps for a client."""


@pytest.mark.more("waits for a time to pass")
async def test_a_viewer_that_does_not_read_delays_nobody_and_loses_its_place(
    progress: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "UNREAD_SECONDS_MAX", 1.0)
    async with gateway(f"127.0.0.1:{progress.port}", viewers_max=2) as door:
        created = await door.call("CreateBatch", batchId="b", totalJobs=JOBS, labels=LABELS)
        assert created.status == HTTPStatus.OK
        async with _unread(door), events(door, "b") as found:
            await anext(found)
            await eventually(lambda: _is_full(door))
            for number in range(1, JOBS):
                await progress.report("b", str(number))
                while int((await anext(found)).json["succeededJobs"]) < number:
                    pass
            await eventually(lambda: _has_place(door))
            await progress.report("b", str(JOBS))
            assert [event.name async for event in found][-1] == "ended"


@asynccontextmanager
async def _unread(door: Door) -> AsyncIterator[None]:
    """View the batch without reading anything."""
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES_MAX)
        slow.settimeout(0)
        await asyncio.get_running_loop().sock_connect(slow, ("127.0.0.1", door.port))
        slow.send(f"GET {path_of('b')} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        yield


async def _is_full(door: Door) -> bool:
    return not await _has_place(door)


async def _has_place(door: Door) -> bool:
    """Return whether there is a place for another viewer, of a batch that does not exist."""
    return (await door.send("GET", path_of("none"))).status == HTTPStatus.NOT_FOUND
