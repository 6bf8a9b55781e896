"""The packages can be installed without a checkout, and every program of theirs runs."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

import batchprogress
from tests.packages.environment import Environment, wheel
from tests.support.progress import ROOT

pytestmark = pytest.mark.xdist_group("packages")

VERSION = batchprogress.__version__
SERVER_PROGRAMS = (
    "batchprogress-dashboard",
    "batchprogress-gateway",
    "batchprogress-job-status",
    "batchprogress-migrate",
    "batchprogress-new-token",
    "batchprogress-notifier",
    "batchprogress-reconciler",
    "batchprogress-server",
)
ROUND_TRIP = """\
import sys
from batchprogress import Client

client = Client(sys.argv[1])
client.create("mail", 2)
with client.reporter("mail") as reporter:
    for job_id in ("1", "2"):
        with reporter.job(job_id):
            pass
print(*(batch.percent_complete for batch in client.watch("mail")))
"""


@contextmanager
def running(environment: Environment, program: str, **settings: str) -> Iterator[str]:
    """Run a server program while the context is open; yields its address, and it must end with code 0."""
    process = environment.start(program, **settings)
    assert process.stderr is not None
    try:
        log = ""
        for line in process.stderr:
            log += line
            if '"serving"' in line:
                yield f"127.0.0.1:{json.loads(line)['port']}"
                break
        else:
            raise AssertionError(f"{program} did not start:\n{log}")
    finally:
        process.terminate()
        _, rest = process.communicate()
    assert process.returncode == 0, rest


@pytest.mark.parametrize("program", SERVER_PROGRAMS)
def test_every_program_of_the_server_has_help_and_a_version(server: Environment, program: str) -> None:
    """`--help` names the program, `--version` the version of the package."""
    assert f"Usage: {program}" in server.run(program, "--help")
    assert server.run(program, "--version").split()[-1] == VERSION


def test_the_packages_install_these_programs(server: Environment, client: Environment) -> None:
    """The server's programs are the ones tested here, and the client's is the command line."""
    assert server.programs() == {*SERVER_PROGRAMS, "batchprogress"}
    assert client.programs() == {"batchprogress"}
    assert client.run("batchprogress", "--version").split()[-1] == VERSION


def test_a_worker_installs_grpcio_and_protobuf_only(worker: Environment) -> None:
    """The client without extras needs nothing else (grpcio itself needs typing_extensions)."""
    listing = (
        "from importlib.metadata import distributions; print(*sorted(one.name for one in distributions()))"
    )
    needed = {"batchprogress", "grpcio", "protobuf", "typing_extensions"}
    assert set(worker.run("python", "-c", listing).split()) <= needed


def test_a_batch_is_created_reported_and_watched(server: Environment, worker: Environment) -> None:
    """A worker of one environment reports to a server of the other, which keeps an SQLite file."""
    with running(server, "batchprogress-server", PROGRESS_LISTEN="127.0.0.1:0") as address:
        percents = worker.run("python", "-c", ROUND_TRIP, address).split()
    assert percents[-1] == "100"
    assert "differences: 0" in server.run("batchprogress-migrate", "check")


def test_the_migrations_are_in_the_package(server: Environment) -> None:
    """A fresh database is brought to the newest schema."""
    assert "schema " in server.run("batchprogress-migrate", "upgrade")


def test_the_reconciler_runs_a_pass(server: Environment) -> None:
    """A pass over a database without stuck batches is clean."""
    server.run("batchprogress-migrate", "upgrade")
    summary = json.loads(server.run("batchprogress-reconciler", "--dry-run").splitlines()[-1])
    assert summary["errors"] == 0


def test_the_gateway_serves_its_page(server: Environment) -> None:
    """The static files are in the package."""
    with running(server, "batchprogress-gateway", GATEWAY_LISTEN="127.0.0.1:0") as address:
        connection = HTTPConnection(address)
        connection.request("GET", "/")
        assert b"<html" in connection.getresponse().read()
        connection.close()


@pytest.mark.parametrize(
    ("name", "root", "folders"),
    [
        ("batchprogress", ROOT / "clients/python/src", ("batchprogress",)),
        ("batchprogress_server", ROOT, ("batches", "process", "reconciler", "rpc", "services")),
    ],
)
def test_a_wheel_has_the_files_of_the_checkout(
    packages: Path, name: str, root: Path, folders: tuple[str, ...]
) -> None:
    """No file is missing: the wheels were built from the sdists."""
    with zipfile.ZipFile(wheel(packages, name)) as archive:
        shipped = {one for one in archive.namelist() if ".dist-info/" not in one}
    files = [path for folder in folders for path in (root / folder).rglob("*") if path.is_file()]
    assert shipped == {str(path.relative_to(root)) for path in files if path.parent.name != "__pycache__"}
