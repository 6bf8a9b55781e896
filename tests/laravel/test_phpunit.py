"""The PHPUnit suite of the package for Laravel, on both versions of Laravel, against a real gateway."""

import asyncio
import os
import re
from pathlib import Path

import pytest

from tests.laravel.application import PACKAGE, ended
from tests.laravel.framework import Framework
from tests.support.gateway import gateway
from tests.support.progress import served

TESTS_MIN = 20
"""A suite that finds no tests passes, too."""
SECONDS_MAX = 120.0
"""The suite takes some seconds, and much longer on a busy machine."""


@pytest.mark.parametrize("version", ["laravel_10", "laravel_13"])
async def test_suite_passes(request: pytest.FixtureRequest, version: str, tmp_path: Path) -> None:
    laravel: Framework = request.getfixturevalue(version)
    async with (
        served(f"sqlite+aiosqlite:///{tmp_path}/batches.db") as progress,
        gateway(f"127.0.0.1:{progress.port}") as door,
    ):
        process = await asyncio.create_subprocess_exec(
            *laravel.php,
            *(str(laravel.phpunit), "--colors=never", "--configuration", str(PACKAGE)),
            *("--cache-directory", str(tmp_path / "cache")),
            cwd=tmp_path,
            env={**os.environ, "BATCHPROGRESS_URL": f"http://127.0.0.1:{door.port}"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, code = await ended(process, SECONDS_MAX)
    print(output)
    assert code == 0
    found = re.search(r"OK \((\d+) tests", output)
    assert found is not None
    assert int(found[1]) >= TESTS_MIN
