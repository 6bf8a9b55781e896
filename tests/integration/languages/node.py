"""Node with packages as a lock file has them, such as those of examples/node."""

import asyncio
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from database_servers.cache import cache_folder, made_once
from tests.support import not_run
from tests.support.progress import ROOT

EXAMPLES = ROOT / "examples/node"
PACKAGE_FILES = ("package.json", "package-lock.json")
INSTALL_SECONDS_MAX = 300.0
RUN_SECONDS_MAX = 60.0


@cache
def packages(project: Path = EXAMPLES) -> Path:
    """Return the folder node_modules of a project, after downloading it if needed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        not_run.without("Node and npm are not installed")
    digest = hashlib.sha256(b"".join((project / name).read_bytes() for name in PACKAGE_FILES)).hexdigest()
    try:
        made = made_once(cache_folder() / f"node-{digest[:16]}", lambda partial: _install(project, partial))
    except subprocess.SubprocessError as error:
        not_run.without(f"npm cannot install the packages: {error}")
    return made / "node_modules"


def _install(project: Path, partial: Path) -> Path:
    folder = partial / "node"
    folder.mkdir()
    for name in PACKAGE_FILES:
        shutil.copy(project / name, folder)
    command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=INSTALL_SECONDS_MAX)
    return folder


@asynccontextmanager
async def running(script: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an example while the context is open."""
    process = await asyncio.create_subprocess_exec(
        *("node", str(EXAMPLES / script), *arguments),
        env={**os.environ, "NODE_PATH": str(packages())},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def output_of(process: asyncio.subprocess.Process) -> tuple[int | None, list[str], str]:
    """Return the exit code of an example, the lines that it printed, and its errors."""
    async with asyncio.timeout(RUN_SECONDS_MAX):
        output, errors = await process.communicate()
    return process.returncode, output.decode().splitlines(), errors.decode()
