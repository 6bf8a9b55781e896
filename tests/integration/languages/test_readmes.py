"""The code in the READMEs of the clients for Node and Go runs, and TypeScript knows Node's types."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.docs.markdown import blocks
from tests.integration.languages.programs import LANGUAGES, RUN_SECONDS_MAX, Programs, node_programs
from tests.support.go import go
from tests.support.progress import ROOT, served

pytestmark = [pytest.mark.more("runs programs of Node and Go"), pytest.mark.xdist_group("languages")]

GO_PROGRAM = """package main

import (
	"context"
	"fmt"
	"log"

	"batchprogress"
	pb "batchprogress/v1"
)

func syncRow(int) error {{ return nil }}

func run(ctx context.Context) error {{
{block}
	return err
}}

func main() {{
	if err := run(context.Background()); err != nil {{
		log.Fatal(err)
	}}
}}
"""
USAGE = """
import { BatchState, CallFailed, Client, Disposition } from "@batchprogress/node";

const client = new Client({ server: "progress:50051", tokenFile: "/run/secrets/token" });
const { batch } = await client.call("createBatch", { batchId: "b", totalJobs: 3n });
const total: bigint | undefined = batch?.totalJobs;
const reporter = client.reporter("b", { log: (sentence: string) => console.log(sentence) });
const answer = await reporter.failed("1", new Error("x"), { attempt: 2 });
console.log(total, answer.disposition === Disposition.RECORDED, answer.error?.reason);
for await (const state of client.watch("b")) console.log(state.state === BatchState.CANCELLED);
const unsent: number = await reporter.close();
try {
  // @ts-expect-error: there is no such field
  await client.call("createBatch", { total: 1 });
} catch (error) {
  if (error instanceof CallFailed) console.log(error.reason, unsent);
}
"""


def block(language: str, code: str, server: str) -> str:
    """Return the example in the README of a client, for a batch of one job on a server."""
    (text,) = (one.text for one in blocks(ROOT / f"clients/{language}/README.md") if one.language == code)
    return text.replace("progress:50051", server).replace("1037", "1")


def command_of(language: str, programs: Programs, server: str) -> tuple[str, ...]:
    """Write the example as a program of its own, and return the command that runs it."""
    if language == "node":
        text = f"const syncRow = async (row) => row;\n{block('node', 'js', server)}"
        (programs.folder / "readme.js").write_text(text, encoding="utf-8")
        return ("node", "readme.js")
    folder = programs.folder / "cmd/readme"
    folder.mkdir(exist_ok=True)
    (folder / "main.go").write_text(GO_PROGRAM.format(block=block("go", "go", server)), encoding="utf-8")
    go().build(programs.folder)
    return (str(programs.folder / "bin/readme"),)


async def test_the_code_of_the_readme_runs(programs: Programs, tmp_path: Path) -> None:
    language = programs.folder.name
    assert language in LANGUAGES
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db") as progress:
        command = command_of(language, programs, f"127.0.0.1:{progress.port}")
        process = await asyncio.create_subprocess_exec(
            *command, cwd=programs.folder, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(RUN_SECONDS_MAX):
            output, _ = await process.communicate()
        batch = await progress.get("sync-2026-11")
    assert process.returncode == 0
    assert output.decode().splitlines()[-1] == "100"
    assert (batch.state, batch.succeeded_jobs) == (pb.BATCH_STATE_COMPLETED, 1)


def test_an_application_in_typescript_knows_the_types(tmp_path: Path) -> None:
    folder = node_programs(tmp_path).folder
    (folder / "usage.ts").write_text(USAGE, encoding="utf-8")
    options = ("--noEmit", "--strict", "--target", "es2022", "--lib", "esnext,dom", "--module", "nodenext")
    command = ("node", "node_modules/typescript/bin/tsc", *options, "--skipLibCheck", "usage.ts")
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=RUN_SECONDS_MAX
    )
    assert (run.stdout, run.returncode) == ("", 0)
