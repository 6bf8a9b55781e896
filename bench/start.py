"""python -m bench.start [REVISION]: measure the CPU time of a start, beside that of another git revision.

Of the server, from the start of its process until it is ready; of the reconciler, a whole pass over a
database without batches. Both on SQLite, with its tables. The revisions take turns.
"""

import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.load.operating_system import cpu_seconds
from bench.load.processes import CHECKOUT, RECONNECT_MS_MAX
from database_servers.ports import free_port

START_SECONDS_MAX = 120
"""Longer than a start takes, even on a busy machine, and even the first one, which compiles bytecode."""
POLL_SECONDS = 0.01
"""Between two looks whether the server is ready: its CPU time until it is seen counts, too."""

Environment = Mapping[str, str]


def main(revision: str = typer.Argument("HEAD"), rounds: int = 5) -> None:
    """Print the median CPU time of each start in this checkout, and its ratio to that at a revision."""
    with TemporaryDirectory() as folder:
        trees = {"here": CHECKOUT, revision: _files_of(revision, Path(folder) / "tree")}
        environments = {name: _environment(tree, Path(folder) / name) for name, tree in trees.items()}
        for environment in environments.values():
            subprocess.run((sys.executable, "-m", "batches", "upgrade"), env=environment, check=True)
        for what, start in {"server": _server_seconds, "reconciler": _reconciler_seconds}.items():
            seconds: dict[str, list[float]] = {name: [] for name in trees}
            for _ in range(rounds + 1):
                for name, environment in environments.items():
                    seconds[name].append(start(environment))
            print(_line(what, revision, seconds), flush=True)  # noqa: T201  # the command's output


def _line(what: str, revision: str, seconds: Mapping[str, list[float]]) -> str:
    here, there = (median(some[1:]) for some in seconds.values())  # the first one compiles bytecode
    return f"{what}: {here:.2f} s of CPU, {here / there:.2f} × {revision} ({there:.2f} s)"


def _files_of(revision: str, folder: Path) -> Path:
    """Write the files of a revision to a folder."""
    command = ("git", "archive", revision)
    packed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _environment(tree: Path, database: Path) -> dict[str, str]:
    own = {
        "PYTHONPATH": f"{tree}:{tree / 'clients' / 'python' / 'src'}",
        "BATCHES_DATABASE_URL": f"sqlite+aiosqlite:///{database}.db",
    }
    return {**os.environ, **own}  # noqa: TID251  # the environment of processes we start


def _server_seconds(environment: Environment) -> float:
    target = f"127.0.0.1:{free_port()}"
    process = _start("services.progress", {**environment, "PROGRESS_LISTEN": target})
    try:
        _wait_until_ready(target)
        return cpu_seconds([process.pid])
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(target: str) -> None:
    options = [("grpc.initial_reconnect_backoff_ms", RECONNECT_MS_MAX)]
    with grpc.insecure_channel(target, options=options) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        end = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < end:
            answer = stub.Check(request, wait_for_ready=True, timeout=START_SECONDS_MAX)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
            time.sleep(POLL_SECONDS)
    raise RuntimeError("the server is not ready")


def _reconciler_seconds(environment: Environment) -> float:
    process = _start("reconciler", environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the reconciler ended with code {process.returncode}")
    return used.ru_utime + used.ru_stime


def _start(module: str, environment: Environment) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (sys.executable, "-m", module),
        env=environment,
        cwd=environment["PYTHONPATH"].partition(":")[0],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    typer.run(main)
