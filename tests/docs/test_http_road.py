"""What the programs of docs/http.md and docs/php.md make of errors that are not our server's last word."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.docs.markdown import ROOT
from tests.docs.test_http import PROGRAM_SECONDS_MAX, SHOW, code, output_of, program
from tests.laravel.framework import framework

OURS = [{"type": "google.rpc.ErrorInfo", "debug": {"reason": "REASON", "domain": "batchprogress"}}]
FROM_THE_ROAD = [
    {"code": "not_found", "message": "by a proxy"},
    {"code": 404, "message": ["by a proxy"], "details": "no route"},
    {"code": "internal", "message": "by another product", "details": [{"debug": {"domain": "example.org"}}]},
    {"code": "canceled", "message": "the server stops", "details": OURS},
]
PHP_OF_LARAVEL = 13
END = 2
"""The flag of the last message of a stream."""


@asynccontextmanager
async def answering(*bodies: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer each request with the next body; yields the port, and the bodies that are left."""
    left = list(bodies)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = left.pop(0)
        head = f"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], left


def stream(*messages: dict[str, Any]) -> bytes:
    """Return a stream of messages, of which the last one is its end."""
    packed = [json.dumps(message).encode() for message in messages]
    flags = [*(0 for _ in packed[1:]), END]
    return b"".join(
        bytes([flag]) + len(raw).to_bytes(4, "big") + raw for flag, raw in zip(flags, packed, strict=True)
    )


@pytest.mark.more("starts Node")
async def test_the_javascript_ends_only_by_a_refusal_of_our_server(tmp_path: Path) -> None:
    batch = {"batch": {"revision": "1", "percentComplete": 100}}
    answers = [stream({"error": error}) for error in FROM_THE_ROAD]
    node = program("node")
    (tmp_path / "watch.mjs").write_text(code("js")[0], encoding="utf-8")
    async with answering(*answers, stream(batch, {})) as (port, left):
        (tmp_path / "show.mjs").write_text(SHOW.format(port=port), encoding="utf-8")
        async with output_of(node, "show.mjs", cwd=tmp_path) as out:
            assert await out.read() == b"100\n"
    assert left == []


@pytest.mark.more("unpacks PHP")
async def test_the_php_worker_ends_only_by_a_refusal_of_our_server() -> None:
    """With the PHP of this machine, or of Debian's packages."""
    refusal = {"code": "internal", "message": "a defect", "details": OURS}
    answers = [json.dumps(error).encode() for error in (*FROM_THE_ROAD, refusal)]
    php = (found,) if (found := shutil.which("php")) else framework(PHP_OF_LARAVEL).php
    worker = str(ROOT / "examples/php/http_worker.php")
    async with answering(*answers) as (port, left), asyncio.timeout(PROGRAM_SECONDS_MAX):
        process = await asyncio.create_subprocess_exec(
            *(*php, worker, f"http://127.0.0.1:{port}", "b", "1"), stderr=asyncio.subprocess.PIPE
        )
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (1, b"a defect\n")
    assert left == []
