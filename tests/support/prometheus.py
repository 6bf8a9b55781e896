"""promtool of Prometheus: installed, or from Debian's package."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from database_servers.debian_packages import program_command, unpacked_package
from database_servers.errors import CommandFailed, PackageUnavailable
from tests.support import not_run

PACKAGE = "prometheus"
TOOL = "promtool"
TOOL_SECONDS_MAX = 60.0
"""It takes a second."""


def promtool(*arguments: str | Path) -> str:
    """Run promtool and return its output; the test fails if promtool finds an error.

    Without promtool the test is skipped; on CI it fails, since nobody would notice a skip.
    """
    ended = subprocess.run(
        [*_command(), *map(str, arguments)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TOOL_SECONDS_MAX,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@cache
def _command() -> tuple[str, ...]:
    program = shutil.which(TOOL)
    if program is not None:
        return (program,)
    try:
        return program_command(unpacked_package(PACKAGE), f"usr/bin/{TOOL}")
    except (PackageUnavailable, CommandFailed) as error:
        not_run.without(f"promtool is missing: {error}")
