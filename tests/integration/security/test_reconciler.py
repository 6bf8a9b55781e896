"""A pass of the reconciler with a job-status service that requires a certificate and a token."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from batches.batch import BatchState
from batches.migrations import migrate
from batches.new_batch import NewBatch
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from process.configuration import EXIT_BAD_CONFIGURATION
from rpc.callers.principal import Role
from services.job_status.settings import JobStatusSettings
from services.job_status.wiring import job_status_server, open_source
from tests.integration.job_status.queues import JobTableQueue
from tests.integration.security.conftest import Tokens
from tests.support.certificates import Authority

ROOT = Path(__file__).parents[3]
SECONDS_MAX = 60


@dataclass(frozen=True, slots=True)
class Ended:
    """The exit code and the output of a pass."""

    code: int | None
    output: str


async def run_pass(**environment: str) -> Ended:
    """Run a pass over all batches as a process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "reconciler", "--all"),
        cwd=ROOT,
        env={**os.environ, "GRPC_VERBOSITY": "NONE", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(SECONDS_MAX):
        output, _ = await process.communicate()
    return Ended(process.returncode, output.decode())


async def test_a_pass_repairs_over_mutual_tls_with_a_readers_token(
    sqlite_url: str, tokens: Tokens, tmp_path: Path
) -> None:
    """A pass with a worker's token is refused, and the token is not printed."""
    reader, worker = tokens.add("reconciler", Role.READER), tokens.add("worker", Role.WORKER)
    authority = Authority("ours")
    certificate, key = authority.sign("job-status").write(tmp_path, "server")
    own, own_key = authority.sign("reconciler").write(tmp_path, "reconciler")
    ca, token = tmp_path / "ca.pem", tmp_path / "token"
    ca.write_bytes(authority.certificate)
    database = Database(sqlite_url, connections_max=2)
    await migrate.upgrade(database)
    await BatchStore(database).create_batch(NewBatch("b", 2))
    queue_url = f"sqlite+aiosqlite:///{tmp_path / 'queue.db'}"
    queue = JobTableQueue(queue_url)
    await queue.create()
    await queue.put("b", {"j1": "succeeded", "j2": "succeeded"})
    settings = JobStatusSettings(
        listen="127.0.0.1:0",
        source="job_table",
        database_url=SecretStr(queue_url),
        drain_seconds=0,
        tls_certificate_file=certificate,
        tls_key_file=key,
        tls_client_ca_file=ca,
        tokens_file=tokens.path,
    )
    environment = {
        "BATCHES_DATABASE_URL": sqlite_url,
        "RECONCILER_JOB_STATUS_CA_FILE": str(ca),
        "RECONCILER_JOB_STATUS_CERTIFICATE_FILE": str(own),
        "RECONCILER_JOB_STATUS_KEY_FILE": str(own_key),
        "RECONCILER_JOB_STATUS_TOKEN_FILE": str(token),
    }
    async with job_status_server(settings, open_source(settings)) as server:
        environment["RECONCILER_JOB_STATUS_TARGET"] = f"127.0.0.1:{server.port}"
        token.write_text(worker, encoding="ascii")
        refused = await run_pass(**environment)
        assert (refused.code, "PERMISSION_DENIED" in refused.output, worker in refused.output) == (
            1,
            True,
            False,
        )
        token.write_text(f"{reader}\n", encoding="ascii")
        repaired = await run_pass(**environment)
        assert repaired.code == 0, repaired.output
        assert (await BatchStore(database).get_batch("b")).state is BatchState.COMPLETED
    await database.close()


async def test_a_certificate_file_that_cannot_be_read_exits_78(sqlite_url: str, tmp_path: Path) -> None:
    """The message names the setting and the file."""
    ca = tmp_path / "missing.pem"
    ended = await run_pass(BATCHES_DATABASE_URL=sqlite_url, RECONCILER_JOB_STATUS_CA_FILE=str(ca))
    assert (ended.code, ended.output) == (
        EXIT_BAD_CONFIGURATION,
        f"configuration: RECONCILER_JOB_STATUS_CA_FILE: {ca} cannot be read: No such file or directory\n",
    )
