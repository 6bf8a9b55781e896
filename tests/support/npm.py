"""Packages of npm, as a lock file has them."""

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

from database_servers.cache import cache_folder, made_once
from tests.support import not_run

PACKAGE_FILES = ("package.json", "package-lock.json")
INSTALL_SECONDS_MAX = 300.0


@cache
def packages(project: Path) -> Path:
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
