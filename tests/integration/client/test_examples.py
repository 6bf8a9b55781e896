"""Every public function has an example in its docstring, and the example runs."""

import asyncio
import doctest
from pathlib import Path
from typing import Any

import grpc
import pytest

import batchprogress
from batchprogress import AsyncClient, AsyncReporter, Client, Reporter
from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from tests.docs.markdown import ROOT, blocks
from tests.integration.client import documented
from tests.integration.security.conftest import KEY, Tokens, bearing, write_keys
from tests.support.certificates import Authority
from tests.support.progress import Served, served

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)

BATCH = "sync-2026-11"
JOBS = 1_037
FUNCTIONS = dict(documented.public_functions())


OF_WATCH_TOKENS = [name for name in FUNCTIONS if name.endswith(".create_watch_token")]
"""Only a server that requires tokens creates watch tokens."""


async def prepare(progress: Served, name: str, source: str) -> None:
    """Create the batch of an example, unless the example does: one to report to, or one that has ended."""
    if "Reporter" in name or name.startswith("Job"):
        await progress.create(BATCH, JOBS)
    elif f'create("{BATCH}"' not in source:
        await progress.create(BATCH, 2)
        await progress.report(BATCH, "1")
        await progress.report(BATCH, "2", pb.JOB_OUTCOME_FAILED, error_type="E", error_message="e")


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in OF_WATCH_TOKENS])
async def test_the_example_runs(
    name: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statements below `Example:` run against a real server and print what they promise."""
    examples = documented.examples_of(FUNCTIONS[name])
    assert examples, f"{name} has no example"
    monkeypatch.chdir(tmp_path)
    authority = Authority("examples")
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    authority.sign("own").write(tmp_path, "own")
    async with served(database_url) as progress:
        await prepare(progress, name, "".join(example.source for example in examples))
        target = f"127.0.0.1:{progress.port}"
        await asyncio.to_thread(documented.run, examples, _values(name, target), target)


@pytest.mark.parametrize("name", OF_WATCH_TOKENS)
async def test_the_example_of_watch_tokens_runs(name: str, database_url: str, tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens.toml")
    token = tokens.add("all", *Role)
    key_file = write_keys(tmp_path / "watch-token-keys", KEY)
    examples = documented.examples_of(FUNCTIONS[name])
    async with (
        served(database_url, tokens_file=tokens.path, watch_token_key_file=key_file) as server,
        bearing(server.port, token) as progress,
    ):
        await progress.create(BATCH, JOBS)
        target = f"127.0.0.1:{server.port}"
        await asyncio.to_thread(documented.run, examples, _values(name, target, token), target)


async def test_the_blocks_of_the_readme_run(database_url: str) -> None:
    """A reader may paste the blocks of the README one after the other."""
    texts = [block.text for block in blocks(ROOT / "clients/python/README.md") if block.language == "python"]
    async with served(database_url) as progress:
        await progress.create(BATCH, JOBS)
        succeeded = pb.JOB_OUTCOME_SUCCEEDED
        others = [
            pb.ReportJobResultRequest(batch_id=BATCH, job_id=f"other-{number}", outcome=succeeded)
            for number in range(JOBS - 1)
        ]
        await progress.stub.ReportJobResults(pb.ReportJobResultsRequest(results=others))
        target = f"127.0.0.1:{progress.port}"
        values = _values("", target) | {"sync_row": lambda row: row, "error": ValueError("bad row")}
        examples = [doctest.Example(text, want="") for text in texts]
        await asyncio.to_thread(documented.run, examples, values, target)
        assert (await progress.get(BATCH)).state == pb.BATCH_STATE_COMPLETED
        assert (await progress.get("import")).state == pb.BATCH_STATE_CANCELLED


def _values(name: str, target: str, token: str | None = None) -> dict[str, Any]:
    """Return the names that an example may use without an import, among them a client and a reporter."""
    kinds = (AsyncClient, AsyncReporter) if name.startswith("Async") else (Client, Reporter)
    public = {one: getattr(batchprogress, one) for one in batchprogress.__all__}
    client, reporter = kinds[0](target, token=token), kinds[1](target, BATCH, token=token)
    own = {"client": client, "reporter": reporter, "work": lambda: None}
    return public | own | {"asyncio": asyncio, "grpc": grpc}
