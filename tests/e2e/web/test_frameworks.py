"""The element in applications of React and Vue, whose code is bundled as usual."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.web.stage import Stage
from tests.support.npm import packages

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROJECT = Path(__file__).parent / "npm"
BUNDLE_SECONDS_MAX = 60
PRODUCTION = '--define:process.env.NODE_ENV="production"'
POLICY = "default-src 'none'; script-src 'self'; connect-src http://127.0.0.1:*"
"""Vue makes a policy of trusted types for itself."""


def bundle(folder: Path) -> bytes:
    """Return the applications and their frameworks as one file."""
    modules = packages(PROJECT)
    (folder / "node_modules").symlink_to(modules)
    (folder / "frameworks.js").write_bytes((PROJECT / "frameworks.js").read_bytes())
    esbuild = str(modules / "esbuild" / "bin" / "esbuild")
    command = ("node", esbuild, "frameworks.js", "--bundle", "--format=esm", PRODUCTION)
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, timeout=BUNDLE_SECONDS_MAX
    ).stdout


async def test_frameworks_set_properties_and_hear_events(shown: Stage, tmp_path: Path) -> None:
    app, page = shown.page.app, shown.page.watched
    app.policy = POLICY
    app.files["/frameworks.js"] = bundle(tmp_path)
    main = f'<main data-gateway="{shown.gateway_url}"></main>'
    for batch_id in ("react", "vue"):
        await shown.progress.create(batch_id, 2)
    await shown.page.open(main, main, '<script type="module" src="/frameworks.js"></script>')
    for name in ("React", "Vue"):
        await shown.progress.report(name.lower(), "1")
        await page.shows("batch-progress [part=state]", name)
        await page.shows(f"main:has(batch-progress[batch-id={name.lower()}]) output", "1 done")
