"""Connect's official clients for JavaScript against the gateway, unary and stream, in each protocol."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.gateway import Door
from tests.support.npm import packages
from tests.support.progress import ROOT

HERE = Path(__file__).parent / "connect_clients"
RUN_SECONDS_MAX = 60
TRANSPORTS = {
    "web-connect-json",
    "web-connect-binary",
    "web-connect-get",
    "web-grpc-web",
    "web-grpc-web-json",
    "node-connect",
    "node-connect-get",
    "node-grpc-web",
}


async def output_of(*command: str, cwd: Path, seconds_max: float) -> tuple[int, str, str]:
    """Run a program; return its exit code and what it wrote."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(seconds_max):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, out.decode(), err.decode()


async def descriptors(folder: Path) -> Path:
    """Return a file with the descriptors of the contract and of what it imports."""
    path = folder / "contract.binpb"
    buf = Path(sys.executable).with_name("buf")
    code, _, err = await output_of(
        str(buf), "build", "--output", str(path), cwd=ROOT, seconds_max=RUN_SECONDS_MAX
    )
    assert code == 0, err
    return path


@pytest.mark.more("installs packages from npm")
async def test_connects_own_clients_create_report_watch_and_read_errors(door: Door, tmp_path: Path) -> None:
    shutil.copy(HERE / "client.js", tmp_path)
    shutil.copy(HERE / "package.json", tmp_path)
    (tmp_path / "node_modules").symlink_to(packages(HERE))
    path = await descriptors(tmp_path)
    command = ("node", "client.js", f"http://127.0.0.1:{door.port}", str(path))
    code, out, err = await output_of(*command, cwd=tmp_path, seconds_max=RUN_SECONDS_MAX)
    assert code == 0, err
    seen = {line["name"]: line for line in map(json.loads, out.splitlines())}
    assert set(seen) == TRANSPORTS
    for line in seen.values():
        assert (line["states"], line["succeeded"]) == ([0, 50, 100], 2)
        assert line["missing"]["code"] == 5
        assert "google.rpc.ErrorInfo" in line["missing"]["details"]
