"""The commands and programs of docs/http.md, run against a real gateway."""

import asyncio
import json
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.docs.markdown import ROOT, blocks
from tests.support import not_run
from tests.support.gateway import gateway, gateway_process
from tests.support.progress import served

PAGE = ROOT / "docs" / "http.md"
PROGRAM_SECONDS_MAX = 30
SHOW = """
import {{ watch }} from "./watch.mjs";
for await (const batch of watch("http://127.0.0.1:{port}", "b")) console.log(batch.percentComplete);
"""


def code(language: str) -> list[str]:
    """Return the code blocks of the page in a language."""
    return [block.text for block in blocks(PAGE) if block.language == language]


def documents(text: str) -> list[Any]:
    """Return the JSON documents in a text, one after the other."""
    found = []
    while text := text.lstrip():
        document, end = json.JSONDecoder().raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


def program(name: str) -> str:
    """Return the path of a program; the test is not run without it."""
    return shutil.which(name) or not_run.without(f"{name} is not installed")


@asynccontextmanager
async def output_of(*command: str, cwd: Path) -> AsyncIterator[asyncio.StreamReader]:
    """Run a program while the context is open; it must end well."""
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PROGRAM_SECONDS_MAX):
            yield process.stdout
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()


async def test_the_commands_work(sqlite_url: str, tmp_path: Path) -> None:
    program("curl")
    async with served(sqlite_url) as progress, gateway(f"127.0.0.1:{progress.port}") as door:
        commands = "set -e\n" + "".join(code("sh")).replace("127.0.0.1:8080", f"127.0.0.1:{door.port}")
        async with output_of("sh", "-c", commands, cwd=tmp_path) as out:
            answers = documents((await out.read()).decode())
    created, reported, read, got, plain, history, listed = answers
    assert (created["batch"]["totalJobs"], reported["disposition"]) == ("2", "DISPOSITION_RECORDED")
    assert (read["batch"]["batchId"], got["batch"]["percentComplete"]) == ("import-1", 50)
    assert history["points"][-1]["succeededJobs"] == "1"
    assert [one["batchId"] for one in (plain["batch"], *listed["batches"])] == ["import-1", "import-1"]


async def test_curl_shows_the_events_on_the_page(sqlite_url: str, tmp_path: Path) -> None:
    program("curl")
    command, _, shown = next(text for text in code("console") if "/v1/batch/events" in text).partition("\n")
    async with served(sqlite_url) as progress, gateway(f"127.0.0.1:{progress.port}") as door:
        await progress.create("import-1", 2)
        await progress.report("import-1", "17")
        command = command.removeprefix("$ ").replace("127.0.0.1:8080", f"127.0.0.1:{door.port}")
        async with output_of("sh", "-c", command, cwd=tmp_path) as out:
            begin = await out.readuntil(b'"percentComplete": 50')
            await progress.report("import-1", "18")
            output = (begin + await out.read()).decode()
    first_fields = re.compile(r"^(event: .*|id: .*|data: .{75})", re.MULTILINE)
    assert first_fields.findall(output) == first_fields.findall(shown)


async def test_the_error_on_the_page_is_what_the_gateway_answers(sqlite_url: str) -> None:
    async with served(sqlite_url) as progress, gateway(f"127.0.0.1:{progress.port}") as door:
        answer = (await door.call("GetBatch", batchId="import-2")).json
    answer["details"] = [one for one in answer["details"] if one["type"] != "google.rpc.RequestInfo"]
    assert [json.loads(text) for text in code("json")] == [answer]


@pytest.mark.more("starts node and two gateways")
async def test_the_javascript_watches_through_a_restart_of_the_gateway(
    sqlite_url: str, tmp_path: Path
) -> None:
    node = program("node")
    (tmp_path / "watch.mjs").write_text(code("js")[0], encoding="utf-8")
    async with served(sqlite_url) as progress, AsyncExitStack() as stack:
        await progress.create("b", 2)
        target = f"127.0.0.1:{progress.port}"
        async with gateway_process(target) as first:
            (tmp_path / "show.mjs").write_text(SHOW.format(port=first.port), encoding="utf-8")
            out = await stack.enter_async_context(output_of(node, "show.mjs", cwd=tmp_path))
            assert await out.readline() == b"0\n"
            first.send(signal.SIGTERM)
            await first.ended()
        await progress.report("b", "1")
        async with gateway(target, listen=first.target):
            assert await out.readline() == b"50\n"
            await progress.report("b", "2")
            assert await out.read() == b"100\n"
            await stack.aclose()
