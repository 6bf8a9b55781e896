"""The types of the npm package, checked by TypeScript in the strict mode of an application."""

import shutil
import subprocess
from pathlib import Path

from tests.docs.markdown import ROOT, blocks
from tests.support.npm import packages

PROJECT = Path(__file__).parent / "npm"
PACKAGE = ROOT / "clients" / "web"
DOCUMENTED = ROOT / "docs" / "web.md"
CHECK_SECONDS_MAX = 60


def test_an_application_in_typescript_can_use_the_package(tmp_path: Path) -> None:
    """It is imported by its name, and wrong uses are errors. React needs what docs/web.md says."""
    modules, installed = packages(PROJECT), tmp_path / "node_modules"
    own = installed / "@batchprogress" / "web"
    own.mkdir(parents=True)
    for file in ("package.json", "batch-progress.js", "batch-progress.d.ts"):
        shutil.copy(PACKAGE / file, own)
    for package in ("@types", "csstype", "react"):
        (installed / package).symlink_to(modules / package)
    for file in ("package.json", "tsconfig.json", "usage.ts", "react.tsx"):
        shutil.copy(PROJECT / file, tmp_path)
    (documented,) = (block.text for block in blocks(DOCUMENTED) if block.language == "ts")
    (tmp_path / "documented.ts").write_text(documented, encoding="utf-8")
    command = ("node", str(modules / "typescript" / "bin" / "tsc"), "--project", str(tmp_path))
    run = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=CHECK_SECONDS_MAX, cwd=tmp_path
    )
    assert (run.stdout, run.returncode) == ("", 0)
