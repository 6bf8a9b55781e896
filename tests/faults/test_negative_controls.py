"""Each of eight seeded bugs is caught by at least one test, or the tests prove nothing."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.seeded_bugs import SEEDED_BUGS, SeededBug

ROOT = Path(__file__).parents[2]
RUN_SECONDS_MAX = 300
"""A quick test on one engine takes some ten seconds; a bug may make workers try again for ever."""
ENGINE = "mysql"
TESTS_FAILED = 1
"""pytest's exit code for failed tests; any other says that they were not run."""


@pytest.mark.parametrize("bug", SEEDED_BUGS, ids=lambda bug: bug.name)
async def test_a_seeded_bug_is_caught(bug: SeededBug, tmp_path: Path, figures: Callable[[str], None]) -> None:
    """With the bug in a copy of the code, a test that passes without it fails."""
    copy_checkout(tmp_path)
    for change in bug.changes:
        change.apply(tmp_path)
    for tests in bug.caught_by:
        code, printed = await run_tests(tests, tmp_path)
        if code == TESTS_FAILED:
            figures(f"{bug.name}: caught by {first_failure(printed)}")
            return
    pytest.fail(f"not caught by {', '.join(bug.caught_by)}:\n{printed}")


def copy_checkout(target: Path) -> None:
    """Copy what git knows or would know, without what is built or cached."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607  # git of the path
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target / name)


async def run_tests(tests: str, root: Path) -> tuple[int, str]:
    """Run tests in the copy, on one engine, to their first failure; returns exit code and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", ENGINE, tests),
        cwd=root,
        env={
            **os.environ,
            "FAULTS": "quick",
            # The copy's own client, not the one that is installed.
            "PYTHONPATH": str(root / "client/src"),
            "BATCHPROGRESS_TEST_CACHE": os.environ.get(
                "BATCHPROGRESS_TEST_CACHE", str(ROOT / ".cache/databases")
            ),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(RUN_SECONDS_MAX):
            printed, _ = await process.communicate()
    except TimeoutError:
        os.killpg(process.pid, 9)
        return TESTS_FAILED, f"FAILED {tests} - did not end in {RUN_SECONDS_MAX} s"
    assert process.returncode is not None
    return process.returncode, printed.decode()


def first_failure(printed: str) -> str:
    """Return the name of the first test that failed."""
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", printed, re.MULTILINE)
    return found.group(1) if found else "a test"
