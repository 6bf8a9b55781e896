"""doctor: a line for each thing between the command and the batches."""

import socket
from pathlib import Path

from batches.passes import PassNumbers
from batches.store.batch_store import BatchStore
from tests.integration.cli.command import CommandLine
from tests.integration.cli.test_security import Place, guarded
from tests.integration.store.steps import on_sqlite
from tests.support.certificates import self_signed
from tests.support.progress import Served

__all__ = ["guarded"]  # a fixture


@on_sqlite
async def test_every_check_has_a_line(store: BatchStore, cli: CommandLine) -> None:
    await store.end_pass(await store.begin_pass(), PassNumbers())
    ended = await cli.run("doctor")
    verdicts = [line.split()[:2] for line in ended.lines]
    assert verdicts == [
        ["ok", "connection"],
        ["ok", "version"],
        ["warning", "token"],
        ["ok", "database"],
        ["ok", "reconciler"],
    ]
    assert (ended.code, ended.err) == (0, "")


@on_sqlite
async def test_a_reconciler_that_never_ran_is_a_warning(cli: CommandLine) -> None:
    ended = await cli.run("doctor", "--json")
    assert ended.code == 0
    assert ended.json[-1] == {
        "check": "reconciler",
        "verdict": "warning",
        "sentence": "no pass has ended: deploy it, or batches whose workers died stay stuck",
    }


@on_sqlite
async def test_a_job_status_service_is_asked_for_its_health(cli: CommandLine, progress: Served) -> None:
    """Every server of ours answers that."""
    serving = f"127.0.0.1:{progress.port}"
    ended = await cli.run("doctor", "--job-status", serving)
    assert (ended.code, ended.lines[-1]) == (0, f"ok       job-status  {serving}: reads its queue")
    with socket.socket() as unused:  # bound, so that nobody listens there
        unused.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{unused.getsockname()[1]}"
        ended = await cli.run("doctor", "--job-status", nobody)
    refused = "no connection (Connection refused): check that it runs, and the port"
    assert (ended.code, ended.lines[-1]) == (1, f"failed   job-status  {nobody}: {refused}")


@on_sqlite
async def test_tls_against_plaintext_is_told(cli: CommandLine) -> None:
    """A call would only wait."""
    ended = await cli.run("doctor", "--tls")
    assert ended.code == 1
    assert ended.out.endswith(": it does not speak TLS, which was asked for: leave --tls and --ca out\n")


async def test_plaintext_against_tls_is_told(guarded: Place) -> None:
    ended = await CommandLine(guarded.server).run("doctor")
    assert ended.code == 1
    assert ended.out.endswith(": it speaks TLS, and plaintext was asked for: give --tls or --ca\n")


async def test_a_certificate_that_is_not_accepted_is_told(guarded: Place, tmp_path: Path) -> None:
    _, other = self_signed()
    ca = tmp_path / "other.pem"
    ca.write_bytes(other)
    ended = await CommandLine(guarded.server).run("doctor", "--ca", str(ca))
    assert ended.code == 1
    assert ": its certificate is not accepted: " in ended.out


async def test_a_file_without_a_certificate_is_told(guarded: Place, tmp_path: Path) -> None:
    ca = tmp_path / "notes.txt"
    ca.write_text("the certificate is in the other folder\n")
    ended = await CommandLine(guarded.server).run("doctor", "--ca", str(ca))
    assert ended.code == 1
    [line] = ended.lines
    assert line.startswith("failed   connection")
    assert ": the files of --ca, --certificate and --key cannot be used (" in line


async def test_a_call_that_fails_is_a_line_too(guarded: Place) -> None:
    """This server has no GetServerInfo."""
    ended = await CommandLine(guarded.server).run("doctor", "--ca", str(guarded.ca), GRPC_VERBOSITY="NONE")
    assert ended.code == 1
    assert [line.split()[:2] for line in ended.lines] == [["ok", "connection"], ["failed", "server"]]
