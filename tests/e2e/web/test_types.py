"""The types of the npm package, checked by TypeScript in the strict mode of an application."""

import shutil
import subprocess
from pathlib import Path

from tests.support.npm import packages
from tests.support.progress import ROOT

PROJECT = Path(__file__).parent / "npm"
PACKAGE = ROOT / "clients" / "web"
CHECK_SECONDS_MAX = 60


def test_an_application_in_typescript_can_use_the_package(tmp_path: Path) -> None:
    """It is installed as npm does, and imported by its name; wrong uses are errors."""
    modules = packages(PROJECT)
    installed = tmp_path / "node_modules" / "@batchprogress" / "web"
    installed.mkdir(parents=True)
    for file in ("package.json", "batch-progress.js", "batch-progress.d.ts"):
        shutil.copy(PACKAGE / file, installed)
    for file in ("package.json", "tsconfig.json", "usage.ts"):
        shutil.copy(PROJECT / file, tmp_path)
    command = ("node", str(modules / "typescript" / "bin" / "tsc"), "--project", str(tmp_path))
    run = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=CHECK_SECONDS_MAX, cwd=tmp_path
    )
    assert (run.stdout, run.returncode) == ("", 0)
