"""Every public function has an example in its docstring, and the example runs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import batchprogress
from batchprogress import AsyncClient, Client
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client import documented
from tests.support.certificates import Authority
from tests.support.progress import Served, served

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)

BATCH = "sync-2026-11"
FUNCTIONS = dict(documented.public_functions())
DONE = ("Client", "AsyncClient", "Pages", "AsyncPages", "TlsFiles", "bar")


async def prepare(progress: Served, source: str) -> None:
    """Make the batch of the examples, unless the example does so itself: it has ended, with a failed job."""
    if f'create("{BATCH}"' not in source:
        await progress.create(BATCH, 2)
        await progress.report(BATCH, "1")
        await progress.report(BATCH, "2", pb.JOB_OUTCOME_FAILED, error_type="E", error_message="e")


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name.partition(".")[0] in DONE])
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
        await prepare(progress, "".join(example.source for example in examples))
        target = f"127.0.0.1:{progress.port}"
        await asyncio.to_thread(documented.run, examples, _values(name, target), target)


def _values(name: str, target: str) -> dict[str, Any]:
    """Return the names that an example may use without an import, and a client of the right kind."""
    kind = AsyncClient if name.startswith("Async") else Client
    public = {one: getattr(batchprogress, one) for one in batchprogress.__all__}
    return public | {"client": kind(target), "grpc": __import__("grpc")}
